import { useSignal } from "@preact/signals";
import { Button } from "../controls/button";
import { NameField } from "../controls/name-field";
import { KIND } from "../core/constants";
import type { Box } from "../core/types";
import { giveName, groupNodes, togglePins } from "../store/commands";
import { findPaths, selectedPair } from "../store/paths";
import type { Store } from "../store/store";
import type { NodeId } from "../wire/types";
import { count } from "../wording/words";
import { NodeInspector } from "./node-inspector";
import { PathList } from "./path-list";
import { SupernodeInspector } from "./supernode-inspector";

/** What the inspected node or supernode is, what feeds it and what it feeds. */
export function Inspector({ store }: { store: Store }) {
  const id = store.inspected.value;
  const box = store.boxes.value.find((other) => other.id === id && other.name !== null);
  const node = id === null ? undefined : store.snapshot.index.get(id);
  return (
    <aside class="inspector" aria-label="Inspector" data-test="inspector">
      {store.selected.value.length > (box?.nodes.length ?? 1) && <SelectionBar store={store} />}
      <PathList store={store} />
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

interface TitleProps {
  readonly store: Store;
  /** The node or the supernode that the title names. */
  readonly id: NodeId | Box["id"];
  readonly name: string;
  /** Tokens and logits are what they are; everything else can be named. */
  readonly editable: boolean;
  readonly mono?: boolean;
}

/** The name of what is inspected, and a pencil to change it. */
export function Title({ store, id, name, editable, mono = false }: TitleProps) {
  const editing = useSignal(false);
  // A box is renamed in the circuit; what has no box there is renamed here.
  const requested = store.renaming.value === id && !store.boxes.value.some((box) => box.id === id);
  const isNode = store.snapshot.index.has(id);

  function close(): void {
    editing.value = false;
    if (requested) store.renaming.value = null;
  }

  if (editable && (editing.value || requested)) {
    return (
      <h2 class="title">
        <NameField
          name={name}
          label={isNode ? "Label" : "Name of the supernode"}
          onName={(given) => giveName(store, id, given)}
          onClose={close}
        />
      </h2>
    );
  }
  return (
    <h2 class={mono ? "title mono" : "title"} data-test="inspector-title">
      <span>{name}</span>
      {editable && (
        <Button
          class="link-button"
          data-test="inspector-rename"
          aria-label={isNode ? `Change the label of ${name}` : `Rename ${name}`}
          title={isNode ? "change the label" : "rename"}
          onClick={() => {
            editing.value = true;
          }}
        >
          ✎
        </Button>
      )}
    </h2>
  );
}

/** Whether a node's name is the user's to give. */
export function nameable(kind: number): boolean {
  return kind === KIND.feature || kind === KIND.error;
}
