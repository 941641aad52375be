/** What the gestures and the keys do: each is one undoable step. */

import * as circuits from "../core/circuit";
import { LONGEST_NAME } from "../core/constants";
import type { Circuit } from "../core/types";
import type { NodeId } from "../messages/types";
import { shortened } from "../text/characters";
import { commonName } from "../wording/words";
import { changeableOf, intervene } from "./interventions";
import type { Store } from "./store";

/** Puts nodes together with another: into its supernode if it has one, else into a new one, whose name opens for editing. */
export function dropOnNode(store: Store, nodes: readonly NodeId[], target: NodeId): void {
  const box = store.supernodeOf.value.get(target);
  if (box === undefined) groupNodes(store, [target, ...nodes]);
  else store.actions.edit((circuit) => circuits.add(circuit, box.id, nodes), `add to ${box.name}`);
}

/** Groups nodes under the commonest of their names, and opens the name for editing. */
export function groupNodes(store: Store, nodes: readonly NodeId[]): void {
  if (nodes.length === 0) return;
  const name = freshName(store.circuit.value, commonName(nodes, store.nameOf));
  store.actions.edit((circuit) => circuits.group(circuit, name, nodes), `group ${name}`);
  const made = store.circuit.value.supernodes.find((supernode) => supernode.name === name);
  if (made === undefined) return;
  store.actions.select([made.id], "replace");
  store.renaming.value = made.id;
}

/** The name, or the first of "name 2", "name 3" ... that no supernode has. */
export function freshName(circuit: Circuit, name: string): string {
  const taken = new Set(circuit.supernodes.map((supernode) => supernode.name));
  let candidate = shortened(name, LONGEST_NAME);
  for (let number = 2; taken.has(candidate); number++) {
    candidate = `${shortened(name, LONGEST_NAME - 6)} ${number}`;
  }
  return candidate;
}

/** Labels a node, where an empty name takes the label away; renames a supernode. */
export function giveName(store: Store, id: string, name: string): void {
  const { edit } = store.actions;
  if (!store.circuit.value.supernodes.some((supernode) => supernode.id === id)) {
    edit((circuit) => circuits.label(circuit, id, name), name === "" ? "remove label" : "label");
  } else if (name !== "") edit((circuit) => circuits.rename(circuit, id, name), "rename");
}

/** Takes nodes out of their supernodes; they stay in the circuit by themselves. */
export function ungroupNodes(store: Store, nodes: readonly NodeId[]): void {
  const grouped = nodes.filter((node) => store.supernodeOf.value.has(node));
  if (grouped.length > 0)
    store.actions.edit((circuit) => circuits.pin(circuits.remove(circuit, grouped), grouped), "ungroup");
}

/** Pins nodes, or unpins them if all of them are pinned. */
export function togglePins(store: Store, nodes: readonly NodeId[]): void {
  if (nodes.length === 0) return;
  const { pinned } = store.circuit.value;
  if (nodes.every((node) => pinned.includes(node))) {
    store.actions.edit((circuit) => circuits.unpin(circuit, nodes), "unpin");
  } else {
    store.actions.edit((circuit) => circuits.pin(circuit, nodes), "pin");
  }
}

/** Ablates what can be among these nodes, in the view's mode. */
export function ablate(store: Store, nodes: readonly NodeId[]): void {
  const changed = changeableOf(store.snapshot, nodes);
  if (changed.length > 0) void intervene(store, { kind: "ablate", nodes: changed }, false);
  else {
    const message = "Features, errors and tokens can be ablated. Select one, then press a.";
    store.actions.fail({ code: "intervention", message });
  }
}
