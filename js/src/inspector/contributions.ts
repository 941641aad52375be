/** What feeds a node or a supernode and what it feeds, as signed shares of the fed one's input. */

import { supernodeEdges } from "../core/aggregate";
import type { Adjacency, Box, NodeId, Snapshot } from "../core/types";

export interface Contribution {
  /** A node id, or a supernode's. */
  readonly id: string;
  /** Signed share of the target's whole input. */
  readonly share: number;
}

const strongestFirst = (a: Contribution, b: Contribution): number => Math.abs(b.share) - Math.abs(a.share);

function* edgesOf(adjacency: Adjacency, node: number): Generator<number> {
  for (let at = adjacency.start[node]; at < adjacency.start[node + 1]; at++) yield adjacency.edges[at];
}

function shareOf(snapshot: Snapshot, edge: number): number {
  const total = snapshot.inputTotal[snapshot.edgeTarget[edge]];
  return total > 0 ? snapshot.edgeWeight[edge] / total : 0;
}

/** What feeds a node: each source's share of the node's input, strongest first. */
export function inputsOf(snapshot: Snapshot, node: number): readonly Contribution[] {
  return Array.from(edgesOf(snapshot.inputs, node), (edge) => ({
    id: snapshot.ids[snapshot.edgeSource[edge]],
    share: shareOf(snapshot, edge),
  })).sort(strongestFirst);
}

/** What a node feeds: its share of each target's input, strongest first. */
export function outputsOf(snapshot: Snapshot, node: number): readonly Contribution[] {
  return Array.from(edgesOf(snapshot.outputs, node), (edge) => ({
    id: snapshot.ids[snapshot.edgeTarget[edge]],
    share: shareOf(snapshot, edge),
  })).sort(strongestFirst);
}

/** What feeds a supernode from outside and what it feeds, supernodes taken together, strongest first. */
export function contributionsOf(
  snapshot: Snapshot,
  boxes: readonly Box[],
  supernode: Box["id"],
): { readonly inputs: readonly Contribution[]; readonly outputs: readonly Contribution[] } {
  const parts = partsOf(snapshot, boxes);
  const here = parts.findIndex(({ id }) => id === supernode);
  const edges = supernodeEdges(snapshot, parts);
  return {
    inputs: edges
      .filter(({ target }) => target === here)
      .map(({ source, share }) => ({ id: parts[source].id, share }))
      .sort(strongestFirst),
    outputs: edges
      .filter(({ source }) => source === here)
      .map(({ target, share }) => ({ id: parts[target].id, share }))
      .sort(strongestFirst),
  };
}

/** Every supernode, and every node outside one by itself. */
function partsOf(snapshot: Snapshot, boxes: readonly Box[]): readonly { id: string; nodes: readonly NodeId[] }[] {
  const supernodes = boxes.filter(({ name }) => name !== null);
  const grouped = new Set(supernodes.flatMap(({ nodes }) => nodes));
  return [...supernodes, ...snapshot.ids.filter((id) => !grouped.has(id)).map((id) => ({ id, nodes: [id] }))];
}
