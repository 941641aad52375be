/** What an effect did to nodes together, the same numbers as Effect.ratio in the kernel. */

import type { EffectMessage, NodeId } from "../messages/types";

/** Summed activation after and as predicted, each as a share of before. */
export interface Ratio {
  readonly measured: number;
  readonly predicted: number;
}

/** What has activations before, after and as predicted: an effect, or one that it is compared with. */
type NodeActivations = Pick<EffectMessage, "nodes">;

/**
 * The ratio of some nodes: sum of after * sign(before) by sum of |before|, since neurons have either sign; null when none of
 * them is in the effect or they were not active before.
 */
export function ratio(effect: NodeActivations, nodes: Iterable<NodeId>): Ratio | null {
  const rows = rowsOf(effect);
  let before = 0;
  let after = 0;
  let predicted = 0;
  for (const node of new Set(nodes)) {
    const row = rows.get(node);
    if (row === undefined) continue;
    const sign = effect.nodes.before[row] < 0 ? -1 : 1;
    before += sign * effect.nodes.before[row];
    after += sign * effect.nodes.after[row];
    predicted += sign * effect.nodes.predicted[row];
  }
  return before === 0 ? null : { measured: after / before, predicted: predicted / before };
}

const ROWS = new WeakMap<NodeActivations, ReadonlyMap<NodeId, number>>();

function rowsOf(effect: NodeActivations): ReadonlyMap<NodeId, number> {
  let rows = ROWS.get(effect);
  if (rows === undefined) {
    rows = new Map(effect.nodes.ids.map((id, row) => [id, row]));
    ROWS.set(effect, rows);
  }
  return rows;
}
