/** Edges between boxes of a circuit, from the edges between their nodes; the kernel's are in circuit_widget/circuit/box_edges.py. */

import type { BoxEdgesMessage, NodeId } from "../messages/types";
import { LEAST_OUTSIDE } from "./constants";
import type { Box, Snapshot } from "./types";

/** An edge between two boxes, by their index; `share` is signed. */
export interface BoxEdge {
  readonly source: number;
  readonly target: number;
  readonly share: number;
  /** Counted by the kernel, which has the weak edges that the page lacks. */
  readonly exact?: boolean;
}

type NodeEdges = Pick<Snapshot, "index" | "inputTotal" | "edgeSource" | "edgeTarget" | "edgeWeight">;

/**
 * The share of each box's input from outside that each other box supplies, by source and then target.
 *
 * With `I(t)` the summed `|A[t,s]|` over all sources of t, `E(t)` over those outside the box T of t, and
 * `f(t) = E(t) / I(t)`, the edge from S to T is `sum_{s in S, t in T} (A[t,s] / I(t)) / sum_{t in T} f(t)`. Nodes that
 * the snapshot lacks count for nothing. An edge between two boxes that are in `known` with the same nodes is the
 * kernel's, whatever else of the circuit has changed since: it depends on no other box.
 */
export function boxEdges(
  graph: NodeEdges,
  boxes: readonly Pick<Box, "nodes">[],
  known: BoxEdgesMessage | null = null,
): readonly BoxEdge[] {
  const boxOf = boxOfNodes(graph, boxes);
  const places = placesIn(known, boxes);
  const outside = outsideOf(graph, boxOf, places, known);
  const sums = new Map<number, number>();
  for (let edge = 0; edge < graph.edgeWeight.length; edge++) {
    const target = boxOf[graph.edgeTarget[edge]];
    const source = boxOf[graph.edgeSource[edge]];
    const total = graph.inputTotal[graph.edgeTarget[edge]];
    if (target < 0 || source < 0 || !(total > 0)) continue;
    if (source === target || (places[source] >= 0 && places[target] >= 0)) continue;
    const pair = source * boxes.length + target;
    sums.set(pair, (sums.get(pair) ?? 0) + graph.edgeWeight[edge] / total);
  }

  const counted = [...sums]
    .map(([pair, sum]) => ({ sum, source: Math.floor(pair / boxes.length), target: pair % boxes.length }))
    .filter(({ sum, target }) => sum !== 0 && outside[target] > LEAST_OUTSIDE)
    .map(({ sum, source, target }) => ({ source, target, share: sum / outside[target] }));
  return [...counted, ...knownEdges(known, places)].sort((a, b) => a.source - b.source || a.target - b.target);
}

/** The kernel's edges between boxes at these places among its own. */
function knownEdges(known: BoxEdgesMessage | null, places: Int32Array): readonly BoxEdge[] {
  if (known === null) return [];
  const here = new Map<number, number>();
  places.forEach((place, box) => {
    if (place >= 0) here.set(place, box);
  });
  return known.share.flatMap((share, edge) => {
    const [source, target] = [here.get(known.source[edge]), here.get(known.target[edge])];
    return source === undefined || target === undefined ? [] : [{ source, target, share, exact: true }];
  });
}

/** The place of each box among those of the kernel, -1 for one that it does not have with the same nodes. */
function placesIn(known: BoxEdgesMessage | null, boxes: readonly Pick<Box, "nodes">[]): Int32Array {
  const places = new Map(known?.boxes.map((nodes, place) => [nodes.join("\n"), place]));
  return Int32Array.from(boxes, ({ nodes }) => places.get(nodes.join("\n")) ?? -1);
}

/**
 * The signed share of each box's input from outside that something outside the graph supplies, by its direct effects on
 * nodes. The share of box T is `sum_{t in T} (weight of t / I(t)) / sum_{t in T} f(t)`, with `I` and `f` as in `boxEdges`; it
 * is no part of that input and can exceed 1. 0 for a box without input from outside.
 */
export function sharesInto(
  graph: NodeEdges,
  boxes: readonly Pick<Box, "nodes">[],
  weights: ReadonlyMap<NodeId, number>,
  known: BoxEdgesMessage | null = null,
): Float64Array {
  const outside = outsideOf(graph, boxOfNodes(graph, boxes), placesIn(known, boxes), known);
  return Float64Array.from(boxes, ({ nodes }, box) => {
    if (outside[box] <= LEAST_OUTSIDE) return 0;
    const shares = nodes.map((id) => {
      const total = graph.inputTotal[graph.index.get(id) ?? -1] ?? 0;
      return total > 0 ? (weights.get(id) ?? 0) / total : 0;
    });
    return shares.reduce((sum, share) => sum + share, 0) / outside[box];
  });
}

/** The box of each node, -1 for none. */
function boxOfNodes(graph: NodeEdges, boxes: readonly Pick<Box, "nodes">[]): Int32Array {
  const boxOf = new Int32Array(graph.inputTotal.length).fill(-1);
  boxes.forEach(({ nodes }, box) => {
    for (const id of nodes) {
      const node = graph.index.get(id);
      if (node !== undefined) boxOf[node] = box;
    }
  });
  return boxOf;
}

/** For each box the sum of `f(t)` over its nodes, the kernel's where it has the box. */
function outsideOf(
  graph: NodeEdges,
  boxOf: Int32Array,
  places: Int32Array,
  known: BoxEdgesMessage | null,
): Float64Array {
  const outside = new Float64Array(places.length);
  boxOf.forEach((box, node) => {
    if (box >= 0 && graph.inputTotal[node] > 0) outside[box]++;
  });
  for (let edge = 0; edge < graph.edgeWeight.length; edge++) {
    const target = boxOf[graph.edgeTarget[edge]];
    const total = graph.inputTotal[graph.edgeTarget[edge]];
    if (target < 0 || target !== boxOf[graph.edgeSource[edge]] || !(total > 0)) continue;
    outside[target] -= Math.abs(graph.edgeWeight[edge] / total);
  }
  return outside.map((sum, box) => known?.outside[places[box]] ?? sum);
}
