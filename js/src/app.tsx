/** The widget's frame: header, map, circuit, inspector, effects, footer. */

import { CircuitPane } from "./circuit/circuit-pane";
import { Effects } from "./effects/effects";
import { Footer } from "./footer";
import { Header } from "./header";
import { Inspector } from "./inspector/inspector";
import { MapPane } from "./map/map-pane";
import type { Store } from "./store";

export function App({ store }: { store: Store }) {
  return (
    <>
      <Header store={store} />
      <main class="panes">
        <MapPane store={store} />
        <Inspector store={store} />
        <CircuitPane store={store} />
        <Effects store={store} />
      </main>
      <Footer store={store} />
    </>
  );
}
