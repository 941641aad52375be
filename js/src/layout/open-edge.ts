/**
 * How an edge of the map shows its stability: whole at both ends, open in the middle for the prunings that drop it.
 * The port of circuit_widget/figure/layout/open_edge.py.
 */

import { LEAST_WHOLE } from "./constants";

/** The start, the middle and the end of an edge by the share of prunings that keep it; null where all of them do. */
export function openEdge(
  path: readonly number[],
  stability: number,
): readonly [readonly number[], readonly number[], readonly number[]] | null {
  if (stability >= 1) return null;
  const end = Math.max(stability, LEAST_WHOLE) / 2;
  const [start, rest] = split(path, end);
  const [middle, last] = split(rest, (1 - 2 * end) / (1 - end));
  return [start, middle, last];
}

/** A cubic in two parts (de Casteljau). */
function split(path: readonly number[], at: number): readonly [readonly number[], readonly number[]] {
  let points = [path.slice(0, 2), path.slice(2, 4), path.slice(4, 6), path.slice(6, 8)];
  const left = [points[0]];
  const right = [points[3]];
  while (points.length > 1) {
    points = points.slice(1).map(([x, y], one) => {
      const [x0, y0] = points[one];
      return [x0 + (x - x0) * at, y0 + (y - y0) * at];
    });
    left.push(points[0]);
    right.unshift(points[points.length - 1]);
  }
  return [left.flat(), right.flat()];
}
