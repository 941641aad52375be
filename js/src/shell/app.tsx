/** The widget's frame: header, status lines, the panes that fold, footer. */

import { useSignal, useSignalEffect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { CircuitPane } from "../circuit/circuit-pane";
import { Button } from "../controls/button";
import { ChevronIcon } from "../controls/icons";
import { Effects } from "../effects/effects";
import { Inspector } from "../inspector/inspector";
import { DragGhost } from "../map/drag-ghost";
import { MapPane } from "../map/map-pane";
import type { Store } from "../store/store";
import { Footer } from "./footer";
import { Header } from "./header";
import { FailureLine, JobLine } from "./status";

interface Props {
  readonly store: Store;
  /** Called after each frame of the map. */
  readonly onFrame: () => void;
}

type PaneName = "map" | "circuit" | "inspector";

export function App({ store, onFrame }: Props) {
  const folded = useSignal<ReadonlySet<PaneName>>(new Set());
  // A name is edited in its pane, which must be open.
  useSignalEffect(() => {
    const id = store.renaming.value;
    if (id === null || folded.peek().size === 0) return;
    const holder = store.boxes.value.some((box) => box.id === id) ? "circuit" : "inspector";
    folded.value = new Set([...folded.peek()].filter((name) => name !== holder));
  });
  const pane = (name: PaneName, children: ComponentChildren) => (
    <Pane
      name={name}
      folded={folded.value.has(name)}
      onFold={() => {
        const next = new Set(folded.value);
        if (!next.delete(name)) next.add(name);
        folded.value = next;
      }}
    >
      {children}
    </Pane>
  );
  const classes = ["panes", ...[...folded.value].map((name) => `without-${name}`)];
  return (
    <>
      <Header store={store} />
      <div class={classes.join(" ")} style={{ "--map-height": `${store.settings.value.height}px` }}>
        {pane("map", <MapPane store={store} onFrame={onFrame} />)}
        {pane("circuit", <CircuitPane store={store} />)}
        {pane(
          "inspector",
          <div class="side">
            <Inspector store={store} />
            <Effects store={store} />
          </div>,
        )}
      </div>
      <Footer store={store} />
      <JobLine store={store} />
      <FailureLine store={store} />
      <DragGhost store={store} />
    </>
  );
}

interface PaneProps {
  readonly name: PaneName;
  readonly folded: boolean;
  readonly onFold: () => void;
  readonly children: ComponentChildren;
}

/** A pane with the button that folds it to a bar with its name, or opens it again. */
function Pane({ name, folded, onFold, children }: PaneProps) {
  return (
    <div class={`pane pane-${name}${folded ? " folded" : ""}`} data-test={`pane-${name}`}>
      <Button
        class="fold"
        aria-expanded={!folded}
        aria-label={folded ? `Open the ${name}` : `Fold the ${name}`}
        title={folded ? `Open the ${name}` : `Fold the ${name}`}
        data-test={`fold-${name}`}
        onClick={onFold}
      >
        <ChevronIcon />
        {folded && <span>{name}</span>}
      </Button>
      {!folded && children}
    </div>
  );
}
