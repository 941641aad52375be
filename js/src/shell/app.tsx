/** The widget's frame: header, panes, footer, status lines. */

import { DragGhost } from "../map/drag-ghost";
import type { Store } from "../store/store";
import { Footer } from "./footer";
import { Header } from "./header";
import { Panes } from "./panes";
import { FailureLine, JobLine } from "./status";

interface Props {
  readonly store: Store;
  /** Called after each frame of the map. */
  readonly onFrame: () => void;
}

export function App({ store, onFrame }: Props) {
  return (
    <>
      <Header store={store} />
      <Panes store={store} onFrame={onFrame} />
      <Footer store={store} />
      <JobLine store={store} />
      <FailureLine store={store} />
      <DragGhost store={store} />
    </>
  );
}
