/**
 * Detours: how an edge that rises past other boxes avoids them, by leaning or through the gaps between them.
 * The port of circuit_widget/figure/layout/detour.py.
 */

import { clamp } from "../core/numbers";
import type { PlacedBox } from "./circuit-layout";
import { CARD, CLEAR, EDGE, LANE, LEANS, SAMPLES } from "./constants";

export type Point = readonly [number, number];

/** Boxes side by side: the height that they take together, and what each blocks of it, from left to right. */
interface BoxRow {
  readonly top: number;
  readonly bottom: number;
  readonly blocked: readonly Point[];
}

/** A vertical stretch between boxes that an edge has taken. */
export interface Lane {
  readonly x: number;
  readonly top: number;
  readonly bottom: number;
}

/**
 * The cubics of an upward edge (y falling), vertical at both ends; adds its lanes to `lanes`.
 * `sign` is -1 if the picture is mirrored; lanes are not mirrored.
 */
export function risingPath(
  start: Point,
  end: Point,
  obstacles: readonly PlacedBox[],
  stroke: number,
  width: number,
  lanes: Lane[],
  sign: number,
): readonly number[] {
  const near = obstacles.filter((box) => box.y - box.h / 2 < start[1] - 1 && box.y + box.h / 2 > end[1] + 1);
  const clearance = CLEAR + stroke / 2;
  for (const lean of LEANS) {
    const path = curve([start, end], lean);
    if (near.length === 0 || isClear(path, near, clearance)) return path;
  }
  const rows = rowsOf(near, clearance);
  const xs = thread(start, end, rows, width);
  let gates = rows.map((row, at) => ({ row, x: laneOf(xs[at], row, width, lanes, sign) }));
  for (let index = gates.length - 1; index >= 0; index--) {
    const fewer = gates.filter((_, at) => at !== index);
    if (isClear(curve(through(start, fewer, end)), near, clearance - 1)) gates = fewer;
  }
  for (const { row, x } of gates) lanes.push({ x, ...extent(row, sign) });
  return curve(through(start, gates, end));
}

function through(start: Point, gates: readonly { readonly row: BoxRow; readonly x: number }[], end: Point): Point[] {
  const inner = gates.flatMap(({ row, x }): Point[] => [
    [x, Math.min(row.bottom, start[1])],
    [x, Math.max(row.top, end[1])],
  ]);
  return [start, ...inner, end];
}

function extent(row: BoxRow, sign: number): { top: number; bottom: number } {
  return {
    top: Math.min(sign * row.top, sign * row.bottom),
    bottom: Math.max(sign * row.top, sign * row.bottom),
  };
}

/** The rows of boxes from the bottom up. */
function rowsOf(near: readonly PlacedBox[], clearance: number): BoxRow[] {
  const rows: BoxRow[] = [];
  for (const box of [...near].sort((a, b) => b.y - a.y || a.x - b.x)) {
    const top = box.y - box.h / 2 - 2;
    const bottom = box.y + box.h / 2 + 2;
    const span: Point = [box.x - box.w / 2 - clearance, box.x + box.w / 2 + box.cards * CARD + clearance];
    const last = rows[rows.length - 1];
    if (last && bottom > last.top) {
      rows[rows.length - 1] = {
        top: Math.min(top, last.top),
        bottom: Math.max(bottom, last.bottom),
        blocked: [...last.blocked, span],
      };
    } else {
      rows.push({ top, bottom, blocked: [span] });
    }
  }
  return rows;
}

/** Free stretches of a row; if there are none, those that are free with less room around boxes. */
function gapsOf(row: BoxRow, width: number): Point[] {
  const blocked = [...row.blocked].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  for (const give of [0, 0.5, 0.9]) {
    const gaps: Point[] = [];
    let left = EDGE;
    for (const [low, high] of blocked) {
      if (low + give * CLEAR > left) gaps.push([left, low + give * CLEAR]);
      left = Math.max(left, high - give * CLEAR);
    }
    if (width - EDGE > left) gaps.push([left, width - EDGE]);
    if (gaps.length > 0) return gaps;
  }
  return [[EDGE, EDGE]];
}

interface State {
  readonly cost: number;
  readonly x: number;
  readonly y: number;
  readonly path: readonly number[];
}

/** One x for each row, free of boxes, so that the path strays and turns least (dynamic programming). */
function thread(start: Point, end: Point, rows: readonly BoxRow[], width: number): readonly number[] {
  let states: readonly State[] = [{ cost: 0, x: start[0], y: start[1], path: [] }];
  for (const row of rows) {
    const before = states;
    const middle = (row.top + row.bottom) / 2;
    const part = Math.min(1, Math.max(0, (start[1] - middle) / (start[1] - end[1])));
    const line = start[0] + (end[0] - start[0]) * part;
    const choices = gapsOf(row, width).flatMap(([low, high]) =>
      [line, start[0], end[0]].map((x) => clamp(x, low, high)),
    );
    states = [...new Set(choices)]
      .sort((a, b) => a - b)
      .map((x) => cheapest(before, x, middle, 0.2 * Math.abs(x - line) + beside(x, row)));
  }
  return cheapest(states, end[0], end[1], 0).path.slice(0, -1);
}

/** The cheapest state that ends at (x, y); among equal ones, up to rounding, the leftmost. */
function cheapest(states: readonly State[], x: number, y: number, price: number): State {
  let best = states[0];
  let least = Number.POSITIVE_INFINITY;
  for (const state of states) {
    const cost = state.cost + Math.sqrt((x - state.x) * (x - state.x) + (y - state.y) * (y - state.y));
    if (cost < least - 1e-6) {
      best = state;
      least = cost;
    }
  }
  return { cost: least + price, x, y, path: [...best.path, x] };
}

/** The cost of running through the percentage at the right of a box. */
function beside(x: number, row: BoxRow): number {
  return row.blocked.some(([, high]) => high - 1 <= x && x < high + 28) ? 6 : 0;
}

/** The free x nearest to the given one that no earlier edge took at this height. */
function laneOf(x: number, row: BoxRow, width: number, lanes: readonly Lane[], sign: number): number {
  const { top, bottom } = extent(row, sign);
  const taken = lanes.filter((lane) => lane.top < bottom && lane.bottom > top).map((lane) => lane.x);
  const [low, high] = gapsOf(row, width).find((gap) => gap[0] - 1e-6 <= x && x <= gap[1] + 1e-6) ?? [x, x];
  for (let step = 0; step < 8; step++) {
    for (const candidate of [x + step * LANE, x - step * LANE]) {
      const inside = low - 1e-6 <= candidate && candidate <= high + 1e-6;
      if (inside && taken.every((other) => Math.abs(candidate - other) >= LANE - 1e-6)) return candidate;
    }
  }
  return x;
}

/** Cubics through the points, vertical at each; `lean` is how far the handles reach along the rise. */
function curve(points: readonly Point[], lean: Point = LEANS[0]): number[] {
  const path = [...points[0]];
  for (let at = 1; at < points.length; at++) {
    const [x0, y0] = points[at - 1];
    const [x1, y1] = points[at];
    path.push(x0, y0 + (y1 - y0) * lean[0], x1, y1 + (y0 - y1) * lean[1], x1, y1);
  }
  return path;
}

/** Whether cubics keep the clearance from all boxes. */
export function isClear(path: readonly number[], boxes: readonly PlacedBox[], clearance: number): boolean {
  for (let start = 0; start < path.length - 2; start += 6) {
    const [x0, y0, x1, y1, x2, y2, x3, y3] = path.slice(start, start + 8);
    for (let sample = 0; sample <= SAMPLES; sample++) {
      const t = sample / SAMPLES;
      const u = 1 - t;
      const x = u * u * u * x0 + 3 * u * u * t * x1 + 3 * u * t * t * x2 + t * t * t * x3;
      const y = u * u * u * y0 + 3 * u * u * t * y1 + 3 * u * t * t * y2 + t * t * t * y3;
      for (const box of boxes) {
        const right = box.w / 2 + box.cards * CARD + clearance;
        const across = x - box.x;
        if (-box.w / 2 - clearance < across && across < right && Math.abs(y - box.y) < box.h / 2 + 2) return false;
      }
    }
  }
  return true;
}
