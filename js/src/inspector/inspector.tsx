import { Button } from "../controls/button";
import { onFirstUse } from "../controls/on-first-use";
import { KIND } from "../core/constants";
import { groupNodes, togglePins } from "../store/commands";
import { findPaths, selectedPair } from "../store/paths";
import type { Store } from "../store/store";
import { count } from "../wording/words";

const NodeInspector = onFirstUse(() => import("./node-inspector").then((inspector) => inspector.NodeInspector));
const SupernodeInspector = onFirstUse(() => import("./supernode-inspector").then((group) => group.SupernodeInspector));
const PathList = onFirstUse(() => import("./path-list").then((list) => list.PathList));

/** What the inspected node or supernode is, what feeds it and what it feeds. */
export function Inspector({ store }: { store: Store }) {
  const id = store.inspected.value;
  const box = store.boxes.value.find((other) => other.id === id && other.name !== null);
  const node = id === null ? undefined : store.snapshot.index.get(id);
  return (
    <aside class="inspector" aria-label="Inspector" data-test="inspector">
      {store.selected.value.length > (box?.nodes.length ?? 1) && <SelectionBar store={store} />}
      {store.paths.value !== null && <PathList found={store.paths.value} store={store} />}
      {box !== undefined && <SupernodeInspector key={box.id} store={store} box={box} />}
      {box === undefined && node !== undefined && <NodeInspector key={node} store={store} node={node} />}
      {box === undefined && node === undefined && <Nothing />}
    </aside>
  );
}

/** How many nodes are selected, and what can be done with all of them; the last of them is inspected below. */
function SelectionBar({ store }: { store: Store }) {
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

function Nothing() {
  return (
    <div class="nothing" data-test="inspector-empty">
      <h2 class="title">Nothing selected</h2>
      <p>Select a node on the map to see what it fires on, what feeds it and what it feeds.</p>
      <ul>
        <li>drag a node onto another, and they become a supernode</li>
        <li>drag nodes into the circuit to keep them</li>
        <li>
          press <kbd>?</kbd> for every key and gesture
        </li>
      </ul>
    </div>
  );
}
