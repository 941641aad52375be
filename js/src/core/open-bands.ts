/** Bands of the map that are open: layers, or positions, of whose nodes the strongest are visible whatever their influence. */

import type { NodeId } from "../messages/types";
import { KIND } from "./constants";
import { filterOf } from "./filters";
import type { Circuit, Snapshot } from "./types";

/** Neighbouring layers, or positions, by the first and the last one. */
export interface BandRange {
  readonly of: "layers" | "positions";
  readonly first: number;
  readonly last: number;
}

export const MOST_OPENED = 12;

export function isIn({ first, last }: Pick<BandRange, "first" | "last">, layerOrPosition: number): boolean {
  return first <= layerOrPosition && layerOrPosition <= last;
}

/** The features and errors of a band, in the order of the snapshot. */
export function rankedIn(snapshot: Snapshot, band: BandRange): number[] {
  const { ids, kind, layer, nodePosition } = snapshot;
  const where = band.of === "layers" ? layer : nodePosition;
  return [...ids.keys()].filter(
    (node) => (kind[node] === KIND.feature || kind[node] === KIND.error) && isIn(band, where[node]),
  );
}

/** The most influential features and errors of a band that no filter hides, at most 12. */
export function strongestIn(snapshot: Snapshot, circuit: Circuit, band: BandRange): number[] {
  const { influence } = snapshot;
  const filterThatHides = filterOf(snapshot, circuit);
  return rankedIn(snapshot, band)
    .filter((node) => filterThatHides(node) === null)
    .sort((a, b) => influence[b] - influence[a])
    .slice(0, MOST_OPENED);
}

/** What is visible of an open band: its strongest nodes, and of positions their tokens. */
export function openedBy(snapshot: Snapshot, circuit: Circuit, band: BandRange): NodeId[] {
  const { ids, kind, nodePosition } = snapshot;
  const filterThatHides = filterOf(snapshot, circuit);
  const tokens = [...ids.keys()].filter(
    (node) => kind[node] === KIND.token && isIn(band, nodePosition[node]) && filterThatHides(node) === null,
  );
  const strongest = strongestIn(snapshot, circuit, band);
  return [...strongest, ...(band.of === "positions" ? tokens : [])].map((node) => ids[node]);
}
