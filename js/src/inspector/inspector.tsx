import { onFirstUse } from "../controls/on-first-use";
import type { Store } from "../store/store";

const NodeInspector = onFirstUse(() => import("./node-inspector").then((inspector) => inspector.NodeInspector));
const SupernodeInspector = onFirstUse(() => import("./supernode-inspector").then((group) => group.SupernodeInspector));
const SelectionBar = onFirstUse(() => import("./selection-bar").then((bar) => bar.SelectionBar));
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
