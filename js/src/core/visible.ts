/** The display rule: which nodes and edges the thresholds let through. The figure keeps the same rule. */

import type { NodeId } from "../wire/types";
import { KIND } from "./constants";
import type { Circuit, Snapshot, Visible } from "./types";

/**
 * A node is visible if its share of influence is within the node threshold (the strongest always is), if it is a token
 * or a logit, or if it is pinned, grouped or selected. An edge is visible if both its ends are and its share is within
 * the edge threshold. The token at the first position needs a visible edge, or a reason of its own. Shares are in single
 * precision, so thresholds are compared in it.
 */
export function visible(
  snapshot: Snapshot,
  circuit: Circuit,
  selected: readonly NodeId[] = [],
  thresholds: { readonly node: number; readonly edge: number } = {
    node: circuit.node_threshold,
    edge: circuit.edge_threshold,
  },
): Visible {
  const kept = keptNodes(snapshot, circuit, selected);
  const mask = nodeMask(snapshot, kept, thresholds.node);
  const edges = visibleEdges(snapshot, mask, thresholds.edge);
  dropUnusedFirstToken(snapshot, kept, mask, edges);
  const nodes = Uint32Array.from(snapshot.ids.keys()).filter((node) => mask[node] === 1);
  return { nodes, edges, mask };
}

/** Indices of the nodes that are visible at any threshold: grouped, pinned or selected. */
function keptNodes(snapshot: Snapshot, circuit: Circuit, selected: readonly NodeId[]): ReadonlySet<number> {
  const always = [...circuit.pinned, ...circuit.supernodes.flatMap(({ nodes }) => nodes), ...selected];
  return new Set(always.map((id) => snapshot.index.get(id)).filter((node) => node !== undefined));
}

function nodeMask(snapshot: Snapshot, kept: ReadonlySet<number>, threshold: number): Uint8Array {
  const { kind, share } = snapshot;
  const graded = (node: number): boolean => kind[node] === KIND.feature || kind[node] === KIND.error;
  let least = Number.POSITIVE_INFINITY;
  for (let node = 0; node < kind.length; node++) {
    if (kind[node] !== KIND.logit && share[node] < least) least = share[node];
  }
  const limit = Math.max(Math.fround(threshold), least);
  const mask = new Uint8Array(kind.length);
  for (let node = 0; node < mask.length; node++) {
    if (!graded(node) || share[node] <= limit || kept.has(node)) mask[node] = 1;
  }
  return mask;
}

function visibleEdges(snapshot: Snapshot, mask: Uint8Array, threshold: number): Uint32Array {
  const { edgeSource, edgeTarget, edgeShare } = snapshot;
  const limit = Math.fround(threshold);
  const edges: number[] = [];
  for (let edge = 0; edge < edgeShare.length; edge++) {
    if (mask[edgeSource[edge]] && mask[edgeTarget[edge]] && edgeShare[edge] <= limit) edges.push(edge);
  }
  return Uint32Array.from(edges);
}

function dropUnusedFirstToken(
  snapshot: Snapshot,
  kept: ReadonlySet<number>,
  mask: Uint8Array,
  edges: Uint32Array,
): void {
  const { kind, nodePosition, edgeSource } = snapshot;
  const first = kind.findIndex((code, node) => code === KIND.token && nodePosition[node] === 0);
  if (first < 0 || kept.has(first)) return;
  if (!edges.some((edge) => edgeSource[edge] === first)) mask[first] = 0;
}
