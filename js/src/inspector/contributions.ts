/** What feeds a node or a supernode and what it feeds, as signed shares of the fed one's input. */

import { boxEdges } from "../core/box-edges";
import { edgesOf, shareOfInput } from "../core/snapshot";
import type { Box, Snapshot } from "../core/types";
import type { BoxEdgesMessage, NodeId } from "../messages/types";

export interface Contribution {
  /** A node id, or a supernode's. */
  readonly id: string;
  /** Signed share of the target's whole input. */
  readonly share: number;
}

function strongestFirst(contributions: readonly Contribution[]): readonly Contribution[] {
  return [...contributions].sort((a, b) => Math.abs(b.share) - Math.abs(a.share));
}

/** Edges as the nodes at their other ends. */
function contributionsAt(snapshot: Snapshot, edges: Uint32Array, ends: Uint32Array): readonly Contribution[] {
  return strongestFirst(
    Array.from(edges, (edge) => ({ id: snapshot.ids[ends[edge]], share: shareOfInput(snapshot, edge) })),
  );
}

/** What feeds a node: each source's share of the node's input, strongest first. */
export function inputsOf(snapshot: Snapshot, node: number): readonly Contribution[] {
  return contributionsAt(snapshot, edgesOf(snapshot.inputs, node), snapshot.edgeSource);
}

/** What a node feeds: its share of each target's input, strongest first. */
export function outputsOf(snapshot: Snapshot, node: number): readonly Contribution[] {
  return contributionsAt(snapshot, edgesOf(snapshot.outputs, node), snapshot.edgeTarget);
}

/** The share of a node's influence that it has on the explained logits directly, through no later feature. */
export function directShare(snapshot: Snapshot, node: number): number {
  const { targets, inputs, edgeSource, influence } = snapshot;
  let direct = 0;
  for (const { node: logit, probability } of targets) {
    for (const edge of edgesOf(inputs, logit)) {
      if (edgeSource[edge] === node) direct += probability * Math.abs(shareOfInput(snapshot, edge));
    }
  }
  return direct / influence[node];
}

/** What feeds a supernode from outside and what it feeds, supernodes taken together, strongest first. */
export function contributionsOf(
  snapshot: Snapshot,
  boxes: readonly Box[],
  supernode: Box["id"],
  known: BoxEdgesMessage | null = null,
): { readonly inputs: readonly Contribution[]; readonly outputs: readonly Contribution[] } {
  const parts = partsOf(snapshot, boxes);
  const here = parts.findIndex(({ id }) => id === supernode);
  const edges = boxEdges(snapshot, parts, known);
  const at = (end: "source" | "target", other: "source" | "target") =>
    strongestFirst(
      edges.filter((edge) => edge[end] === here).map((edge) => ({ id: parts[edge[other]].id, share: edge.share })),
    );
  return { inputs: at("target", "source"), outputs: at("source", "target") };
}

/** Every supernode, and every node outside one by itself. */
function partsOf(snapshot: Snapshot, boxes: readonly Box[]): readonly { id: string; nodes: readonly NodeId[] }[] {
  const supernodes = boxes.filter(({ name }) => name !== null);
  const grouped = new Set(supernodes.flatMap(({ nodes }) => nodes));
  return [...supernodes, ...snapshot.ids.filter((id) => !grouped.has(id)).map((id) => ({ id, nodes: [id] }))];
}
