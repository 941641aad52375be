/** Runs of positions of a prompt at which nothing is visible: pure functions, the same as in circuit_widget/display/token_runs.py. */

import { LEAST_RUN } from "./constants";

/** Neighbouring positions by the first and the last one. */
export interface Positions {
  readonly first: number;
  readonly last: number;
}

/** The runs of at least 3 positions that are not busy, in order. */
export function runsWithout(busy: Iterable<number>, nPositions: number): Positions[] {
  const inside = [...new Set(busy)].filter((position) => position >= 0 && position < nPositions);
  const ends = [-1, ...inside.sort((a, b) => a - b), nPositions];
  return ends
    .slice(1)
    .map((after, at) => ({ first: ends[at] + 1, last: after - 1 }))
    .filter(({ first, last }) => last - first + 1 >= LEAST_RUN);
}
