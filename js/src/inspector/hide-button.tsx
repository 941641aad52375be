import { Button } from "../controls/button";
import type { NodeId } from "../messages/types";
import { hideable, hideNodes } from "../store/filters";
import type { Store } from "../store/store";

interface Props {
  readonly store: Store;
  readonly nodes: readonly NodeId[];
  readonly class: string;
  readonly test: string;
}

/** Hides nodes on the map by hand; nothing where all of them are in the circuit, or outputs. */
export function HideButton({ store, nodes, class: look, test }: Props) {
  const hidden = hideable(store, nodes);
  if (hidden.length === 0) return null;
  return (
    <Button
      class={look}
      title="hide on the map; a chip below it brings back what was hidden. Nodes of the circuit and outputs stay."
      data-test={test}
      onClick={({ currentTarget }) => {
        // The button goes with the selection: keys go on in the map.
        const map = (currentTarget.getRootNode() as ParentNode).querySelector<HTMLElement>(".map-canvas");
        hideNodes(store, hidden);
        map?.focus({ preventScroll: true });
      }}
    >
      hide
    </Button>
  );
}
