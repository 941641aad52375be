import { Button } from "../controls/button";
import { KIND } from "../core/constants";
import { groupNodes, togglePins } from "../store/commands";
import { findPaths, selectedPair } from "../store/paths";
import type { Store } from "../store/store";
import { count } from "../wording/words";
import { HideButton } from "./hide-button";

/** How many nodes are selected, and what can be done with all of them; the last of them is inspected below. */
export function SelectionBar({ store }: { store: Store }) {
  const nodes = store.selected.value;
  const pair = selectedPair(store);
  const pinned = nodes.every((node) => store.circuit.value.pinned.includes(node));
  const groupable = nodes.filter((node) => store.snapshot.kind[store.snapshot.index.get(node) ?? -1] !== KIND.logit);
  return (
    <div class="selection-bar" data-test="selection-bar">
      <strong>{count(nodes.length, "node")} selected</strong>
      <Button
        class="button"
        title="Group the selected nodes into a supernode (g); outputs stay by themselves"
        data-test="group-selected"
        disabled={groupable.length === 0}
        onClick={() => groupNodes(store, groupable)}
      >
        Group
      </Button>
      <Button class="button" title="p" data-test="pin-selected" onClick={() => togglePins(store, nodes)}>
        {pinned ? "Unpin" : "Pin"}
      </Button>
      <HideButton store={store} nodes={nodes} class="button" test="hide-selected" />
      {pair !== null && !store.capabilities.value.recorded && (
        <Button
          class="button"
          title={`The strongest paths from ${pair[0].name} to ${pair[1].name}`}
          data-test="find-paths"
          onClick={() => void findPaths(store, ...pair)}
        >
          Paths
        </Button>
      )}
    </div>
  );
}
