/** How nodes are marked on the map: the hue of their supernode, pin, and what an intervention left of them. */

import { whereIs } from "../core/compared";
import { KIND } from "../core/constants";
import { BEHIND, ERROR_OPACITY } from "../layout/constants";
import { outputPresence, presence } from "../layout/strokes";
import { nodesOf } from "../store/paths";
import type { Store } from "../store/store";
import type { Marks } from "./paint";

export function nodeMarks(store: Store): Marks {
  const { ids, index } = store.snapshot;
  const hue = new Int8Array(ids.length).fill(-1);
  const pinned = new Uint8Array(ids.length);
  const presences = new Float32Array(ids.length).fill(1);
  const each = (nodes: readonly string[], act: (node: number) => void) => {
    for (const id of nodes) {
      const node = index.get(id);
      if (node !== undefined) act(node);
    }
  };
  const { supernodes, pinned: pins } = store.circuit.value;
  for (const supernode of supernodes) {
    each(supernode.nodes, (node) => {
      hue[node] = supernode.color;
    });
  }
  each(pins, (node) => {
    pinned[node] = 1;
  });
  const { kind } = store.snapshot;
  for (let node = 0; node < kind.length; node++) {
    if (kind[node] === KIND.error && hue[node] < 0 && pinned[node] === 0) presences[node] = ERROR_OPACITY;
  }
  const effect = store.effect.value;
  // Outputs are marked by their probability.
  for (const { node, token_id, probability } of store.snapshot.targets) {
    const now = effect?.tokens.find((token) => token.token_id === token_id)?.after ?? probability;
    presences[node] = outputPresence(now);
  }
  if (effect !== null) {
    const { ids: measured, before, after } = effect.nodes;
    for (const [row, id] of measured.entries()) {
      const node = index.get(id);
      if (node !== undefined) presences[node] = presence(before[row], after[row]);
    }
  }
  const paths = store.paths.value;
  if (paths !== null) {
    const on = new Set(nodesOf(paths));
    for (const [node, id] of ids.entries()) if (!on.has(id)) presences[node] *= BEHIND / 2;
  }
  return { hue, pinned, half: halves(store, presences), presence: presences };
}

/** Marks nodes that only one of two compared graphs has, and fades those that the comparison does not emphasise. */
function halves(store: Store, presences: Float32Array): Int8Array {
  const { ids } = store.snapshot;
  const half = new Int8Array(ids.length);
  const compared = store.comparison.value;
  if (compared === null) return half;
  const emphasis = store.emphasis.value;
  for (const [node, id] of ids.entries()) {
    const where = whereIs(compared, id);
    if (where !== "both") half[node] = where === "only here" ? -1 : 1;
    if (emphasis !== null && where !== emphasis) presences[node] *= BEHIND / 2;
  }
  return half;
}
