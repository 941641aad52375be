/** Rows of the map: how high each is, and where its nodes are in it. Units are pixels; y grows downwards. */

import { sum } from "../core/numbers";
import { shorten } from "../text/width";
import { BAND, LANES, NODE_GAP, ROW_GAP, ROW_LABEL_MARGIN, ROW_LABEL_SIZE, ROW_LABEL_SPACE } from "./constants";

/** The line of one layer; the label is empty where there is no room for it. A layer without nodes is in a band. */
export interface Row {
  readonly label: string;
  readonly y: number;
  readonly height: number;
  readonly inBand: boolean;
}

/** A run of layers without visible nodes: its ends, and its first and last layer. */
export interface Band {
  readonly top: number;
  readonly bottom: number;
  readonly first: number;
  readonly last: number;
}

export function bandsOf({ rows }: { readonly rows: readonly Row[] }): Band[] {
  const bands: Band[] = [];
  for (const [row, { y, height, inBand }] of rows.entries()) {
    if (!inBand) continue;
    const layer = row - 1;
    const before = bands[bands.length - 1];
    const top = y - height / 2;
    if (before?.last === layer - 1) bands[bands.length - 1] = { ...before, top, last: layer };
    else bands.push({ top, bottom: y + height / 2, first: layer, last: layer });
  }
  return bands;
}

export type NumberPair = readonly [number, number];

/** Indices of the nodes of one position and row, highest influence first. */
export interface Cell {
  readonly position: number;
  readonly row: number;
  readonly members: number[];
}

/** The height that a row needs, and its lines of nodes: 0 for a layer without any, whose height is 0. */
interface RowNeed {
  readonly height: number;
  readonly lines: number;
}

export function rowNeeds(
  cells: readonly Cell[],
  radius: readonly number[],
  roomAt: (position: number) => number,
  nRows: number,
): RowNeed[] {
  const needs = Array.from({ length: nRows }, (_, row) => ({
    height: 0,
    lines: row === 0 || row === nRows - 1 ? 1 : 0,
  }));
  for (const { position, row, members } of cells) {
    const sizes = members.map((index) => radius[index]);
    const largest = Math.max(...sizes);
    const step = 2 * largest + NODE_GAP;
    const most = row === nRows - 1 ? 1 : Math.min(LANES, members.length);
    const room = roomAt(position);
    let lines = 1;
    while (lines < most && extentOf(fill(sizes, lanesOf(lines, step)), sizes) > room) lines += 1;
    const height = (lines - 1) * step + 2 * largest + ROW_GAP;
    if (height > needs[row].height || (height === needs[row].height && lines > needs[row].lines)) {
      needs[row] = { height, lines };
    }
  }
  return needs;
}

/**
 * Shares the height from the middle of the first row to that of the last one: each run of layers without nodes gets a
 * band, each other row what it needs, and an equal part of the rest.
 */
export function rowHeights(needs: readonly number[], available: number): number[] {
  const last = needs.length - 1;
  const part = (row: number) => (row === 0 || row === last ? 0.5 : needs[row] === 0 ? 0 : 1);
  const parts = needs.map((_, row) => part(row));
  const runs: number[][] = [];
  for (const row of needs.keys()) {
    if (parts[row] > 0) continue;
    if (row > 0 && parts[row - 1] === 0) runs[runs.length - 1].push(row);
    else runs.push([row]);
  }
  const band = Math.min(BAND, (0.3 * available) / Math.max(1, runs.length));
  const room = available - band * runs.length;
  const needed = sum(needs.map((need, row) => parts[row] * need));
  const spare = Math.max(0, room - needed) / sum(parts);
  const factor = needed > 0 ? Math.min(1, room / needed) : 1;
  const heights = needs.map((need) => factor * need + spare);
  for (const run of runs) for (const row of run) heights[row] = band / run.length;
  return heights;
}

/** The y of the middle of each row, bottom to top. */
export function rowMiddles(heights: readonly number[], baseY: number): number[] {
  const middles = [baseY];
  for (let row = 1; row < heights.length; row++) middles.push(middles[row - 1] - (heights[row - 1] + heights[row]) / 2);
  return middles;
}

/** The lines of a row by their distance from its middle, the nearest first. */
function lanesOf(lines: number, step: number): number[] {
  const lanes = Array.from({ length: lines }, (_, line) => step * (line - (lines - 1) / 2));
  return lanes.sort((a, b) => Math.abs(a) - Math.abs(b) || a - b);
}

/** The width of circles that `fill` placed: they begin at 0. */
function extentOf(placed: readonly NumberPair[], sizes: readonly number[]): number {
  return Math.max(...placed.map(([x], at) => x + sizes[at]));
}

/** Offsets from the centre of a cell: one line, else staggered ones up to `most`, squeezed if they do not fit. */
export function pack(sizes: readonly number[], room: number, height: number, most: number): NumberPair[] {
  const largest = Math.max(...sizes);
  const spread = Math.max(0, height / 2 - largest - 0.75);
  let placed: NumberPair[] = [];
  for (let lines = 1; lines <= Math.min(most, sizes.length); lines++) {
    const step = lines > 1 ? Math.min((2 * spread) / (lines - 1), 2 * largest + NODE_GAP) : 0;
    placed = fill(sizes, lanesOf(lines, step));
    const extent = extentOf(placed, sizes);
    if (extent <= room) return placed.map(([x, y]) => [x - extent / 2, y]);
  }
  const low = Math.min(...placed.map(([x]) => x));
  const high = Math.max(...placed.map(([x]) => x));
  const factor = high > low ? Math.max(0, room - 2 * largest) / (high - low) : 0;
  return placed.map(([x, y]) => [(x - (low + high) / 2) * factor, y]);
}

/** Put circles, in order, where each reaches least far to the right without touching those placed. */
function fill(sizes: readonly number[], lanes: readonly number[]): NumberPair[] {
  const ends: NumberPair[][] = lanes.map(() => []);
  return sizes.map((size) => {
    let bestLane = 0;
    let bestX = Number.POSITIVE_INFINITY;
    for (const [lane, offset] of lanes.entries()) {
      let x = size;
      for (const [at, other] of lanes.entries()) {
        for (const [otherX, otherSize] of ends[at].slice(-3)) {
          const reach = size + otherSize + NODE_GAP;
          const apart = reach * reach - (offset - other) * (offset - other);
          if (apart > 0) x = Math.max(x, otherX + Math.sqrt(apart));
        }
      }
      if (x < bestX - 1e-9) {
        bestLane = lane;
        bestX = x;
      }
    }
    ends[bestLane].push([bestX, size]);
    return [bestX, lanes[bestLane]] as const;
  });
}

export function rowsOf(
  layers: readonly string[],
  gutter: number,
  middles: readonly number[],
  heights: readonly number[],
  needs: readonly RowNeed[],
): Row[] {
  const last = middles.length - 1;
  let labelled = middles[0];
  return middles.map((y, row) => {
    const inBand = needs[row].lines === 0;
    const rest = { y, height: heights[row], inBand };
    if (row === 0) return { label: "emb", ...rest };
    if (row === last) return { label: "out", ...rest };
    if (inBand || Math.min(labelled - y, y - middles[last]) < ROW_LABEL_SPACE) return { label: "", ...rest };
    labelled = y;
    return { label: shorten(layers[row - 1], gutter - ROW_LABEL_MARGIN, ROW_LABEL_SIZE), ...rest };
  });
}
