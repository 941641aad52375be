/** Finds what is drawn where: a uniform grid over the centres of shapes, each known by its index in the arrays. */

export interface HitGrid {
  /** The index of the shape that, scaled about its centre, is nearest to the point and within `slack` of it; null if none. */
  at(x: number, y: number, slack: number, scale?: number): number | null;
  /** The indices of the shapes whose centres lie in a rectangle, ascending. */
  within(x0: number, y0: number, x1: number, y1: number): number[];
}

/** Builds the grid over shapes centred at `x[i], y[i]`; a cell is as large as the largest, so that a few answer a point. */
export function hitGrid(x: ArrayLike<number>, y: ArrayLike<number>, radius: ArrayLike<number>): HitGrid {
  let largest = 8;
  for (let i = 0; i < x.length; i++) largest = Math.max(largest, radius[i]);
  const cell = 2 * largest;
  const cells = new Map<string, number[]>();
  const key = (column: number, row: number) => `${column},${row}`;
  for (let i = 0; i < x.length; i++) {
    const bucket = key(Math.floor(x[i] / cell), Math.floor(y[i] / cell));
    const members = cells.get(bucket);
    if (members === undefined) cells.set(bucket, [i]);
    else members.push(i);
  }

  function* near(x0: number, y0: number, x1: number, y1: number): Generator<number> {
    for (let column = Math.floor(x0 / cell); column <= Math.floor(x1 / cell); column++) {
      for (let row = Math.floor(y0 / cell); row <= Math.floor(y1 / cell); row++) {
        yield* cells.get(key(column, row)) ?? [];
      }
    }
  }

  return {
    at(px, py, slack, scale = 1) {
      const reach = largest * scale + slack;
      let best: number | null = null;
      let bestDistance = Number.POSITIVE_INFINITY;
      for (const i of near(px - reach, py - reach, px + reach, py + reach)) {
        const distance = Math.hypot(x[i] - px, y[i] - py) - radius[i] * scale;
        if (distance <= slack && distance < bestDistance) {
          best = i;
          bestDistance = distance;
        }
      }
      return best;
    },
    within(x0, y0, x1, y1) {
      const left = Math.min(x0, x1);
      const right = Math.max(x0, x1);
      const top = Math.min(y0, y1);
      const bottom = Math.max(y0, y1);
      const found: number[] = [];
      for (const i of near(left, top, right, bottom)) {
        if (x[i] >= left && x[i] <= right && y[i] >= top && y[i] <= bottom) found.push(i);
      }
      return found.sort((a, b) => a - b);
    },
  };
}

/** A unit step across and down. */
export type ArrowDirection = readonly [number, number];

/** Where the arrow keys point. */
export const ARROWS: Readonly<Record<string, ArrowDirection>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/**
 * The next index when walking from one in a direction: the closest of those that lie within 60 degrees
 * of it, where a step aside costs twice a step ahead.
 */
export function step(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  from: number,
  [dx, dy]: ArrowDirection,
): number | null {
  let best: number | null = null;
  let bestCost = Number.POSITIVE_INFINITY;
  for (let i = 0; i < x.length; i++) {
    const ahead = (x[i] - x[from]) * dx + (y[i] - y[from]) * dy;
    const aside = Math.abs((x[i] - x[from]) * dy) + Math.abs((y[i] - y[from]) * dx);
    if (i === from || ahead <= 0 || aside > 1.73 * ahead) continue;
    const cost = ahead + 2 * aside;
    if (cost < bestCost) {
      best = i;
      bestCost = cost;
    }
  }
  return best;
}
