/**
 * The edges onward from the features that an effect injected, to the boxes of a circuit and to new answers.
 * The port of circuit_widget/figure/scene/onward.py.
 */

import { type BoxEdge, sharesInto } from "../core/box-edges";
import type { Box, Snapshot } from "../core/types";
import type { BoxEdgesMessage, EffectMessage } from "../messages/types";
import type { NewAnswer } from "./outcome";

/**
 * An edge for each box and each new answer that the injected features supply directly. Targets count boxes, then answers;
 * the source is the index after all of them. Shares are of the target's input on the graph's prompt, before the
 * intervention, of which they are no part.
 */
export function onwardEdges(
  snapshot: Snapshot,
  boxes: readonly Pick<Box, "nodes">[],
  answers: readonly NewAnswer[],
  effect: EffectMessage | null,
  known: BoxEdgesMessage | null = null,
): readonly BoxEdge[] {
  const found = effect?.injected_edges;
  if (found === null || found === undefined) return [];
  const weights = new Map(found.ids.map((id, at) => [id, found.weights[at]]));
  // An answer that the graph does not explain has an input of its own.
  const nodeOf = new Map(snapshot.targets.map(({ node, token_id }) => [token_id, snapshot.ids[node]]));
  const explained = answers.map(({ tokenId }) => ({ nodes: [nodeOf.get(tokenId) ?? []].flat() }));
  const shares = sharesInto(snapshot, [...boxes, ...explained], weights, known);
  answers.forEach(({ tokenId }, at) => {
    const supplied = found.answers.find((one) => one.token_id === tokenId);
    if (!nodeOf.has(tokenId) && supplied !== undefined && supplied.total > 0) {
      shares[boxes.length + at] = supplied.weight / supplied.total;
    }
  });
  const source = shares.length;
  return [...shares].flatMap((share, target) => (share === 0 ? [] : [{ source, target, share }]));
}
