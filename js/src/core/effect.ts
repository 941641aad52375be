/** What an effect did to a group of nodes, the same numbers as Effect.ratio in the kernel. */

import type { EffectMessage, NodeId } from "../wire/types";

/** Summed activation after and as predicted, each as a share of before. */
export interface Ratio {
  readonly measured: number;
  readonly predicted: number;
}

/** What has activations before, after and as predicted: an effect, or one that it is compared with. */
type Activations = Pick<EffectMessage, "nodes">;

/** The ratio of some nodes; null when none of them is in the effect or they were not active before. */
export function ratio(effect: Activations, nodes: Iterable<NodeId>): Ratio | null {
  const rows = rowsOf(effect);
  let before = 0;
  let after = 0;
  let predicted = 0;
  for (const node of new Set(nodes)) {
    const row = rows.get(node);
    if (row === undefined) continue;
    before += effect.nodes.before[row];
    after += effect.nodes.after[row];
    predicted += effect.nodes.predicted[row];
  }
  return before === 0 ? null : { measured: after / before, predicted: predicted / before };
}

const ROWS = new WeakMap<Activations, ReadonlyMap<NodeId, number>>();

function rowsOf(effect: Activations): ReadonlyMap<NodeId, number> {
  let rows = ROWS.get(effect);
  if (rows === undefined) {
    rows = new Map(effect.nodes.ids.map((id, row) => [id, row]));
    ROWS.set(effect, rows);
  }
  return rows;
}
