/** How much of the graph is not visible on the map, and why. */

import { KIND } from "../core/constants";
import { hasSign, type NodeFilter } from "../core/filters";
import type { Circuit, Snapshot, Thresholds, Visible } from "../core/types";
import { FAINT_EDGES, SIGNED_EDGES } from "../layout/constants";

export interface Hidden {
  readonly visible: number;
  /** How many the whole graph has. */
  readonly total: number;
  /** Reasons, each with how many it hides; what the page lacks comes first, since no slider brings it. */
  readonly why: readonly (readonly [reason: string, count: number])[];
}

/** What each filter hides, in words. */
const FILTER_REASONS: Record<NodeFilter, string> = {
  kinds: "of kinds that a filter hides",
  layers: "in layers that a filter hides",
  positions: "at positions that a filter hides",
  label: "without the filter's words in their labels",
  stability: "less stable than the filter asks",
  error_bands: "drawn as bands",
  hidden: "hidden by hand",
};

const BELOW = "below the threshold";
const NOT_SENT = "not sent to the page";

/** What is hidden of the nodes and of the edges: each is counted for one reason. */
export function hidden(
  snapshot: Snapshot,
  circuit: Circuit,
  { nodes, edges, mask, filtered, idleTokens }: Visible,
  { node }: Thresholds,
): { readonly nodes: Hidden; readonly edges: Hidden } {
  const { kind, share, ids, edgeShare, edgeSource, edgeTarget } = snapshot;
  let weakest = 0;
  let belowNodes = 0;
  for (let at = 0; at < ids.length; at++) {
    // The threshold hides no tokens and no logits.
    if (kind[at] !== KIND.feature && kind[at] !== KIND.error) continue;
    weakest = Math.max(weakest, share[at]);
    if (mask[at] === 0 && share[at] > Math.fround(node)) belowNodes += 1;
  }
  const missing = snapshot.totalNodes - ids.length;
  // What the page lacks has less influence than all that it has.
  const unsent = Math.fround(node) > weakest ? missing : 0;
  belowNodes += missing - unsent;
  const atHidden = edgeSource.reduce((sum, source, at) => sum + 1 - mask[source] * mask[edgeTarget[at]], 0);
  const byFilter = Object.entries(FILTER_REASONS).map(([filter, reason]) => {
    return [reason, [...filtered.values()].filter((one) => one === filter).length] as const;
  });
  const otherSign = edgeSource.filter(
    (source, at) => mask[source] * mask[edgeTarget[at]] === 1 && !hasSign(snapshot, circuit, at),
  ).length;
  const drawn = Math.min(edges.length, SIGNED_EDGES + FAINT_EDGES);
  const totalEdges = snapshot.totalEdges ?? edgeShare.length;
  return {
    nodes: {
      visible: nodes.length,
      total: snapshot.totalNodes,
      why: [
        [NOT_SENT, unsent],
        [BELOW, belowNodes],
        ...byFilter,
        ["in runs of tokens without a visible edge", idleTokens],
        [
          "without a visible way to an output",
          snapshot.totalNodes - nodes.length - belowNodes - unsent - filtered.size - idleTokens,
        ],
      ],
    },
    edges: {
      visible: drawn,
      total: totalEdges,
      why: [
        [NOT_SENT, totalEdges - edgeShare.length],
        ["weaker than those drawn", edges.length - drawn],
        ["of the other sign", otherSign],
        [BELOW, edgeShare.length - edges.length - atHidden - otherSign],
        ["at hidden nodes", atHidden],
      ],
    },
  };
}
