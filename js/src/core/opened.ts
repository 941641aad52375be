/** Bands of the map that are open: layers of whose nodes the strongest are visible whatever their influence. */

import type { NodeId } from "../wire/types";
import { KIND } from "./constants";
import { filterOf } from "./filters";
import type { Circuit, Snapshot } from "./types";

/** The first and the last layer of a band. */
export interface Layers {
  readonly first: number;
  readonly last: number;
}

export const MOST_OPENED = 12;

export function isIn({ first, last }: Layers, layer: number): boolean {
  return first <= layer && layer <= last;
}

/** The most influential features and errors of some layers that no filter hides, at most 12. */
export function strongestIn(snapshot: Snapshot, circuit: Circuit, layers: Layers): NodeId[] {
  const { ids, influence, kind, layer } = snapshot;
  const filterThatHides = filterOf(snapshot, circuit);
  return [...ids.keys()]
    .filter((node) => kind[node] === KIND.feature || kind[node] === KIND.error)
    .filter((node) => isIn(layers, layer[node]) && filterThatHides(node) === null)
    .sort((a, b) => influence[b] - influence[a])
    .slice(0, MOST_OPENED)
    .map((node) => ids[node]);
}
