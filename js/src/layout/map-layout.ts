/**
 * Positions of the nodes of the map: pure functions of numbers and token texts. The port of circuit_widget/figure/layout/map_layout.py.
 * Units are pixels; y grows downwards.
 */

import { clamp, sum } from "../core/numbers";
import { type Positions, runsWithout } from "../core/token-runs";
import { TOKEN_SIZE } from "../page/constants";
import { monoWidth, shorten, textWidth, tokenLabel } from "../text/width";
import {
  BOTTOM,
  GUTTER,
  LANES,
  MANY_LOGITS,
  MOST_GUTTER,
  MOST_GUTTER_SHARE,
  NODE_GAP,
  QUIET,
  RIGHT,
  ROW_LABEL_MARGIN,
  ROW_LABEL_SIZE,
  SLANT_COS,
  SLANT_SIN,
  SLANTED_SPACE,
  TEXT_SPACE,
  TOKEN_SPACE,
  TOP,
} from "./constants";
import { type Cell, type NumberPair, pack, type Row, rowHeights, rowMiddles, rowNeeds, rowsOf } from "./map-rows";

/** A visible node of the map; layer is -1 for tokens and nLayers for logits. */
export interface MapNode {
  readonly kind: "feature" | "error" | "token" | "logit";
  readonly layer: number;
  readonly position: number;
  readonly influence: number;
}

/**
 * The strip of one token position, the text under it, and of the nodes in it the mean y and, tokens aside, the number.
 * Of a band, a run of positions without visible nodes, `position` is the first one and `last` the last one; else both are
 * the same.
 */
export interface Column {
  readonly position: number;
  readonly last: number;
  readonly x0: number;
  readonly x1: number;
  readonly text: string;
  readonly y: number;
  readonly crowd: number;
}

/**
 * Centres and radii of the nodes, the index of each one's column, columns, rows (bottom to top), and the angle of the token texts.
 * `left` is where the columns begin, right of the row labels. Upright texts are centred in their column at tokenY; slanted ones end there, turned by -40 degrees.
 */
export interface MapLayout {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly radius: readonly number[];
  readonly column: readonly number[];
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly slanted: boolean;
  readonly tokenY: number;
  readonly left: number;
}

/**
 * Tokens across, layers up by name: each node in the cell of its position and layer, largest first, apart if they fit.
 * Rows are as high as their nodes need; layers without nodes, and runs of positions without, are thin bands.
 */
export function mapLayout(
  nodes: readonly MapNode[],
  tokenTexts: readonly string[],
  layers: readonly string[],
  width: number,
  height: number,
  tokenSize: number = TOKEN_SIZE,
): MapLayout {
  const strips = stripsOf(nodes, tokenTexts.length);
  const place = new Map(strips.map(({ first }, index) => [first, index]));
  const texts = strips.map((strip) => stripText(strip, tokenTexts));
  const textWidths = texts.map((text) => monoWidth(text, tokenSize));
  const nLayers = layers.length;
  const gutter = gutterOf(layers, width);
  const available = Math.max(1, width - gutter - RIGHT);
  const nominal = radii(nodes);
  const cells = cellsOf(nodes);
  // Texts are slanted where they would leave no room for the nodes of the others.
  const crowds = crowdsOf(place, cells, nominal, nLayers + 1);
  const slanted = sum(textWidths.map((text, at) => Math.max(text + TOKEN_SPACE, crowds[at]))) > available;
  const bottom = slanted ? Math.min(BOTTOM - 8 + SLANT_SIN * Math.max(0, ...textWidths), 0.4 * height) : BOTTOM;
  const crowd = strips.map(() => 0);
  for (const { kind, position } of nodes) if (kind !== "token") crowd[place.get(position) as number] += 1;
  const upright = textWidths.map((text) => (slanted ? SLANTED_SPACE : text + TOKEN_SPACE));
  const narrow = strips.map(({ first, last }, at) => (crowd[at] > 0 || last > first ? SLANTED_SPACE : QUIET));
  const base = sum(upright) > available ? narrow : upright;
  const columns = shareWidth(place, base, cells, nominal, gutter, available, nLayers + 1);

  const baseY = height - bottom;
  const roomAt = (position: number): number => {
    const [left, right] = columns[place.get(position) as number];
    return right - left - 4;
  };
  const needs = rowNeeds(cells, nominal, roomAt, nLayers + 2);
  const heights = rowHeights(
    needs.map(({ height: need }) => need),
    Math.max(1, baseY - TOP),
  );
  const middles = rowMiddles(heights, baseY);
  const radius = nodes.map(({ kind, layer, position }, index) => {
    const inRow = Math.max(2, (0.88 * heights[layer + 1]) / (needs[layer + 1].lines + 1));
    const inColumn = kind === "token" ? Math.max(1.5, (roomAt(position) + 4) / 2) : nominal[index];
    return Math.min(nominal[index], inRow, inColumn);
  });
  const x = new Array<number>(nodes.length).fill(0);
  const y = new Array<number>(nodes.length).fill(0);
  for (const { position, row, members } of cells) {
    const [left, right] = columns[place.get(position) as number];
    const offsets = pack(
      members.map((index) => radius[index]),
      roomAt(position),
      heights[row],
      row > nLayers ? 1 : LANES,
    );
    for (const [order, index] of members.entries()) {
      x[index] = (left + right) / 2 + offsets[order][0];
      y[index] = middles[row] + offsets[order][1];
    }
  }
  const column = nodes.map(({ position }) => place.get(position) as number);
  const sums = strips.map(() => 0);
  const counts = strips.map(() => 0);
  for (const [index, at] of column.entries()) {
    sums[at] += y[index];
    counts[at] += 1;
  }
  return {
    x,
    y,
    radius,
    column,
    columns: strips.map(({ first, last }, index) => {
      const [x0, x1] = columns[index];
      const text = columnText(texts[index], x0, x1, slanted, tokenSize);
      const y = counts[index] > 0 ? sums[index] / counts[index] : baseY;
      return { position: first, last, x0, x1, text, y, crowd: crowd[index] };
    }),
    rows: rowsOf(layers, gutter, middles, heights, needs),
    slanted,
    tokenY: baseY + (slanted ? 12 : 19),
    left: gutter,
  };
}

/**
 * The least width, and no less than `width`, at which each column has room for its slanted text and its nodes in six
 * lines. The screen scrolls over what is wider than the map; a figure squeezes it.
 */
export function contentWidth(
  nodes: readonly MapNode[],
  tokenTexts: readonly string[],
  layers: readonly string[],
  width: number,
): number {
  const strips = stripsOf(nodes, tokenTexts.length);
  const place = new Map(strips.map(({ first }, index) => [first, index]));
  const nominal = radii(nodes);
  const needs = strips.map(() => SLANTED_SPACE);
  for (const { position, row, members } of cellsOf(nodes)) {
    const at = place.get(position) as number;
    const line = sum(members.map((index) => 2 * nominal[index] + NODE_GAP)) + 6;
    needs[at] = Math.max(needs[at], row > layers.length ? line : line / LANES);
  }
  return Math.max(width, gutterOf(layers, width) + RIGHT + sum(needs));
}

/** What is written under a column: its token, or how many tokens a band has. */
function stripText({ first, last }: Positions, tokenTexts: readonly string[]): string {
  return first === last ? tokenLabel(tokenTexts[first]) : `${(last - first + 1).toLocaleString("en")} tokens`;
}

/** The first and the last position of each column: of those with nodes, and of bands. */
function stripsOf(nodes: readonly MapNode[], nTokens: number): Positions[] {
  const busy = [...new Set(nodes.map(({ position }) => position))];
  const single = busy.map((position) => ({ first: position, last: position }));
  return [...single, ...runsWithout(busy, nTokens)].sort((a, b) => a.first - b.first);
}

/** Whether a column is a band: a run of positions without visible nodes. */
export function isBand({ position, last }: Pick<Column, "position" | "last">): boolean {
  return last > position;
}

/** The indices of the columns whose slanted texts have room, ascending; those with most nodes come first. */
export function columnsWithText(columns: readonly Column[], zoom: number): number[] {
  const order = [...columns.keys()].sort((a, b) => columns[b].crowd - columns[a].crowd || a - b);
  const chosen: number[] = [];
  for (const index of order) {
    const middle = columns[index].x0 + columns[index].x1;
    const apart = (at: number) => (zoom * Math.abs(columns[at].x0 + columns[at].x1 - middle)) / 2 >= TEXT_SPACE;
    if (chosen.every(apart)) chosen.push(index);
  }
  return chosen.sort((a, b) => a - b);
}

/** The width of the row labels: more than usual where layers have long names. */
function gutterOf(layers: readonly string[], width: number): number {
  const widest = layers.reduce((most, name) => Math.max(most, textWidth(name, ROW_LABEL_SIZE)), 0);
  const most = Math.max(GUTTER, Math.min(MOST_GUTTER, MOST_GUTTER_SHARE * width));
  return Math.min(Math.max(GUTTER, widest + ROW_LABEL_MARGIN), most);
}

function radii(nodes: readonly MapNode[]): number[] {
  const total = sum(nodes.filter((node) => node.kind !== "logit").map((node) => node.influence));
  const logit = nodes.filter((node) => node.kind === "logit").length <= MANY_LOGITS ? 7 : 5;
  return nodes.map((node) => {
    const size = total > 0 && node.influence > 0 ? 2.5 + 26 * Math.sqrt(node.influence / total) : 0;
    return nominalRadius(node.kind, size, logit);
  });
}

function nominalRadius(kind: MapNode["kind"], size: number, logit: number): number {
  switch (kind) {
    case "token":
      return 5;
    case "logit":
      return logit;
    case "error":
      return clamp(0.7 * size, 2.8, 5);
    case "feature":
      return clamp(size, 3, 11);
  }
}

/** Indices of the nodes of each position and row, highest influence first. */
function cellsOf(nodes: readonly MapNode[]): Cell[] {
  const order = nodes.map((_, index) => index).sort((a, b) => nodes[b].influence - nodes[a].influence || a - b);
  const cells = new Map<string, Cell>();
  for (const index of order) {
    const { position, layer } = nodes[index];
    const key = `${position} ${layer}`;
    const cell = cells.get(key);
    if (cell) cell.members.push(index);
    else cells.set(key, { position, row: layer + 1, members: [index] });
  }
  return [...cells.values()];
}

/** The width of each column in which its cells are in three lines, the top row in one. */
function crowdsOf(
  place: ReadonlyMap<number, number>,
  cells: readonly Cell[],
  radius: readonly number[],
  top: number,
): number[] {
  const widths = Array.from(place, () => 0);
  for (const { position, row, members } of cells) {
    const at = place.get(position) as number;
    const line = sum(members.map((index) => 2 * radius[index] + NODE_GAP)) + 6;
    widths[at] = Math.max(widths[at], row === top ? line : line / 3);
  }
  return widths;
}

/** Share the width: the top row first, then token texts, cells in three lines, then in one, then the rest. */
function shareWidth(
  place: ReadonlyMap<number, number>,
  base: readonly number[],
  cells: readonly Cell[],
  radius: readonly number[],
  gutter: number,
  available: number,
  top: number,
): NumberPair[] {
  const outputs = base.map(() => 0);
  const first = [...base];
  const wrapped = [...base];
  const packed = [...base];
  for (const { position, row, members } of cells) {
    const at = place.get(position) as number;
    const line = sum(members.map((index) => 2 * radius[index] + NODE_GAP)) + 6;
    outputs[at] = Math.max(outputs[at], row === top ? line : 0);
    first[at] = Math.max(first[at], outputs[at]);
    wrapped[at] = Math.max(wrapped[at], first[at], line / 3);
    packed[at] = Math.max(packed[at], line);
  }
  let widths = base.map(() => 0);
  for (const stage of [outputs, first, wrapped, packed]) {
    const before = sum(widths);
    const after = sum(stage);
    if (after >= available) {
      const part = (available - before) / (after - before);
      widths = widths.map((low, at) => low + (stage[at] - low) * part);
      break;
    }
    widths = stage;
  }
  const spare = Math.max(0, available - sum(widths));
  const crowds = base.map(() => 0);
  for (const { position, members } of cells) crowds[place.get(position) as number] += members.length - 0.5;
  const crowd = sum(crowds);
  let left = gutter;
  return widths.map((column, at) => {
    const right = left + column + (spare * crowds[at]) / crowd;
    const strip: NumberPair = [left, right];
    left = right;
    return strip;
  });
}

function columnText(text: string, left: number, right: number, slanted: boolean, size: number): string {
  const room = slanted ? ((left + right) / 2 - 2) / SLANT_COS : right - left - 2;
  return shorten(text, room, size, true);
}
