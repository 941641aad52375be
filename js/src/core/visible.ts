/** The display rule: which nodes and edges the thresholds let through. The figure keeps the same rule. */

import type { NodeId } from "../messages/types";
import { KIND, LONG_PROMPT, TOKEN_EDGES } from "./constants";
import { errorBands, filterOf, hasSign, type NodeFilter } from "./filters";
import { edgesOf, thresholdsOf } from "./snapshot";
import { runsWithout } from "./token-runs";
import type { Circuit, Snapshot, Thresholds, Visible } from "./types";

/**
 * A node is visible if its share of influence is within the node threshold (the strongest always is) and a path of
 * visible nodes leads from it to a logit, if it is a token or a logit, or if it is pinned, grouped or selected. An edge
 * is visible if both its ends are, and its share is within the edge threshold or it is the strongest from its source to a
 * node on such a path, of tokens only the strongest of these. The token at the first position needs a visible edge, or a reason of its own. Shares are in single
 * precision, so thresholds are compared in it. Then the circuit's filters hide what is not pinned, grouped or selected.
 * Last, tokens of a long prompt that have nothing to show are hidden where they are in a run.
 */
export function visible(
  snapshot: Snapshot,
  circuit: Circuit,
  selected: readonly NodeId[] = [],
  thresholds: Thresholds = thresholdsOf(snapshot, circuit),
): Visible {
  const kept = keptNodes(snapshot, circuit, selected);
  const mask = nodeMask(snapshot, kept, thresholds.node);
  const reaching = reachingNodes(snapshot, mask);
  for (let node = 0; node < mask.length; node++) {
    if (graded(snapshot, node) && !reaching[node] && !kept.has(node)) mask[node] = 0;
  }
  const filtered = applyFilters(snapshot, circuit, kept, mask);
  const edges = visibleEdges(snapshot, circuit, mask, reaching, thresholds.edge);
  dropUnusedFirstToken(snapshot, kept, mask, edges);
  const idleTokens = hideIdleTokens(snapshot, kept, mask, edges);
  const nodes = Uint32Array.from(snapshot.ids.keys()).filter((node) => mask[node] === 1);
  const inBands = [...filtered].filter(([, reason]) => reason === "error_bands").map(([node]) => node);
  return { nodes, edges, mask, filtered, idleTokens, errorBands: errorBands(snapshot, inBands) };
}

/** Indices of the nodes that are visible at any threshold: grouped, pinned or selected. */
function keptNodes(snapshot: Snapshot, circuit: Circuit, selected: readonly NodeId[]): ReadonlySet<number> {
  const always = [...circuit.pinned, ...circuit.supernodes.flatMap(({ nodes }) => nodes), ...selected];
  return new Set(always.map((id) => snapshot.index.get(id)).filter((node) => node !== undefined));
}

function nodeMask(snapshot: Snapshot, kept: ReadonlySet<number>, threshold: number): Uint8Array {
  const { kind, share } = snapshot;
  let least = Number.POSITIVE_INFINITY;
  for (let node = 0; node < kind.length; node++) {
    if (kind[node] !== KIND.logit && share[node] < least) least = share[node];
  }
  const limit = Math.max(Math.fround(threshold), least);
  const mask = new Uint8Array(kind.length);
  for (let node = 0; node < mask.length; node++) {
    if (!graded(snapshot, node) || share[node] <= limit || kept.has(node)) mask[node] = 1;
  }
  return mask;
}

/** Whether a node is visible by its share of influence. */
function graded({ kind }: Snapshot, node: number): boolean {
  return kind[node] === KIND.feature || kind[node] === KIND.error;
}

/** The nodes from which a path of nodes in the mask leads to a logit, logits among them. */
function reachingNodes(snapshot: Snapshot, mask: Uint8Array): Uint8Array {
  const { kind, edgeSource, inputs } = snapshot;
  const reaching = new Uint8Array(mask.length);
  const next: number[] = [];
  const reach = (node: number) => {
    reaching[node] = 1;
    next.push(node);
  };
  for (let node = 0; node < mask.length; node++) if (kind[node] === KIND.logit) reach(node);
  for (let node = next.pop(); node !== undefined; node = next.pop()) {
    for (const edge of edgesOf(inputs, node)) {
      const source = edgeSource[edge];
      if (mask[source] && !reaching[source]) reach(source);
    }
  }
  return reaching;
}

/** Takes what filters hide out of the mask, and returns it. */
function applyFilters(
  snapshot: Snapshot,
  circuit: Circuit,
  kept: ReadonlySet<number>,
  mask: Uint8Array,
): ReadonlyMap<number, NodeFilter> {
  const filterThatHides = filterOf(snapshot, circuit);
  const filtered = new Map<number, NodeFilter>();
  for (let node = 0; node < mask.length; node++) {
    const reason = mask[node] === 0 || kept.has(node) ? null : filterThatHides(node);
    if (reason === null) continue;
    filtered.set(node, reason);
    mask[node] = 0;
  }
  return filtered;
}

function visibleEdges(
  snapshot: Snapshot,
  circuit: Circuit,
  mask: Uint8Array,
  reaching: Uint8Array,
  threshold: number,
): Uint32Array {
  const { kind, edgeSource, edgeTarget, edgeShare } = snapshot;
  const limit = Math.fround(threshold);
  const strongest = new Int32Array(mask.length).fill(-1);
  const within: number[] = [];
  for (let edge = 0; edge < edgeShare.length; edge++) {
    const source = edgeSource[edge];
    const target = edgeTarget[edge];
    if (!mask[source] || !mask[target] || !hasSign(snapshot, circuit, edge)) continue;
    if (edgeShare[edge] <= limit) within.push(edge);
    if (reaching[target] && (strongest[source] < 0 || edgeShare[edge] < edgeShare[strongest[source]])) {
      strongest[source] = edge;
    }
  }
  const backbone = [...strongest].filter((edge) => edge >= 0 && edgeShare[edge] > limit);
  const ofToken = (edge: number) => kind[edgeSource[edge]] === KIND.token;
  const ofTokens = backbone
    .filter(ofToken)
    .sort((a, b) => edgeShare[a] - edgeShare[b] || edgeSource[a] - edgeSource[b])
    .slice(0, TOKEN_EDGES);
  return Uint32Array.from([...within, ...backbone.filter((edge) => !ofToken(edge)), ...ofTokens]).sort();
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

/** Takes the tokens of a long prompt that have nothing to show out of the mask, where they are in a run; returns how many. */
function hideIdleTokens(
  { kind, nodePosition, edgeSource, tokens }: Snapshot,
  kept: ReadonlySet<number>,
  mask: Uint8Array,
  edges: Uint32Array,
): number {
  if (tokens.length <= LONG_PROMPT) return 0;
  const busy = new Set(Array.from(edges, (edge) => nodePosition[edgeSource[edge]]));
  for (let node = 0; node < mask.length; node++) {
    if (mask[node] === 1 && (kind[node] !== KIND.token || kept.has(node))) busy.add(nodePosition[node]);
  }
  const idle = new Uint8Array(tokens.length);
  for (const { first, last } of runsWithout(busy, tokens.length)) idle.fill(1, first, last + 1);
  let hidden = 0;
  for (let node = 0; node < mask.length; node++) {
    if (mask[node] === 0 || idle[nodePosition[node]] === 0) continue;
    mask[node] = 0;
    hidden += 1;
  }
  return hidden;
}
