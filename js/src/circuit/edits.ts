/** The edits that drops and keys in the circuit pane make. */

import { add, move, pin, remove, ungroup, unpin } from "../core/circuit";
import type { Box } from "../core/types";
import type { NodeId } from "../messages/types";
import { groupNodes } from "../store/commands";
import type { Store } from "../store/store";

/** Puts nodes into a box: a supernode takes them in, a node by itself becomes a supernode with them. */
export function dropOn(store: Store, target: Box, nodes: readonly NodeId[]): void {
  if (target.name === null) {
    groupNodes(store, [...new Set([...target.nodes, ...nodes])]);
    return;
  }
  store.actions.edit((circuit) => add(circuit, target.id, nodes), `add to ${target.name}`);
  store.actions.select([target.id], "replace");
}

/** Merges a box into another: a supernode dropped on a node by itself takes that node in, where the node was. */
export function mergeBoxes(store: Store, dragged: Box, target: Box, place: readonly [number, number]): void {
  if (dragged.name === null || target.name !== null) {
    dropOn(store, target, dragged.nodes);
    return;
  }
  store.actions.edit(
    (circuit) => move(add(circuit, dragged.id, target.nodes), dragged.id, ...place),
    `add to ${dragged.name}`,
  );
  store.actions.select([dragged.id], "replace");
}

/** Keeps nodes in the circuit; one by itself is placed where it was dropped, unless it is the first: the pane has no room yet. */
export function dropOnGround(store: Store, nodes: readonly NodeId[], place: readonly [number, number]): void {
  store.actions.edit((circuit) => {
    const pinned = pin(circuit, nodes);
    const grouped = pinned.supernodes.some((supernode) => supernode.nodes.includes(nodes[0]));
    const first = circuit.pinned.length === 0 && circuit.supernodes.length === 0;
    return nodes.length === 1 && !grouped && !first ? move(pinned, nodes[0], ...place) : pinned;
  }, "pin");
}

/** Takes a member out of its supernode and places it where it was dropped. */
export function pullOut(store: Store, node: NodeId, place: readonly [number, number]): void {
  store.actions.edit((circuit) => move(pin(remove(circuit, [node]), [node]), node, ...place), "take out");
  store.actions.select([node], "replace");
}

export function moveBox(store: Store, id: string, [x, y]: readonly [number, number]): void {
  store.actions.edit((circuit) => move(circuit, id, x, y), "move");
}

/** Takes a box out of the circuit: a node is unpinned, a supernode dissolved with its members unpinned. */
export function removeBox(store: Store, box: Box): void {
  if (box.name === null) store.actions.edit((circuit) => unpin(circuit, box.nodes), "unpin");
  else store.actions.edit((circuit) => unpin(ungroup(circuit, box.id), box.nodes), `remove ${box.name}`);
}
