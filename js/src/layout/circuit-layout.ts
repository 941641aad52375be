/**
 * Positions of the boxes of a circuit: rows by layer, columns by position, never one on another.
 * The port of circuit_widget/figure/layout/circuit_layout.py.
 */

import { clamp, sum } from "../core/numbers";
import { textWidth, wrapped } from "../text/width";
import {
  BOX_GAP,
  BOX_HEIGHT,
  BOX_PADDING,
  BOX_TEXT,
  CARD,
  COLUMN_STEP,
  GIVES,
  LINE_INSET,
  LINE_STEP,
  MARGIN,
  MOST_LINES,
  NARROWEST,
  ROW_PITCH,
  ROW_SPACE,
  SCALES,
  SIDE_LABEL,
  WHOLE_ROWS,
  WIDEST,
} from "./constants";

/** A supernode or a pinned node; `alone` keeps its row free of other layers (tokens and logits). */
export interface LayoutBox {
  readonly name: string;
  readonly members: number;
  readonly layer: number;
  readonly position: number;
  readonly alone?: boolean;
  readonly stored?: readonly [number, number] | null;
}

/** Centre and size of a box; `cards` more are drawn behind it, each CARD to the right and up. */
export interface PlacedBox {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
  readonly cards: number;
}

/** The boxes in the order given, and the size of the text in them. */
export interface CircuitLayout {
  readonly boxes: readonly PlacedBox[];
  readonly textSize: number;
}

interface Line {
  readonly members: readonly number[];
  readonly layer: number;
  readonly alone: boolean;
}

type Boxes = readonly LayoutBox[];
type NumberList = readonly number[];

/** The name of a box in the lines that it is written in. */
export function nameLines(name: string): readonly string[] {
  return wrapped(name, WIDEST - LINE_INSET, BOX_TEXT, MOST_LINES);
}

/** Width and height of a box at full size: its name and room around it, within limits. */
export function boxSize(name: string): { readonly w: number; readonly h: number } {
  const lines = nameLines(name);
  const widest = Math.max(...lines.map((line) => textWidth(line, BOX_TEXT)));
  return { w: clamp(widest + BOX_PADDING, NARROWEST, WIDEST), h: BOX_HEIGHT + LINE_STEP * (lines.length - 1) };
}

/**
 * Rows bottom to top by rounded mean layer, across by mean position; stored centres (unit square) win.
 * Rows of near layers are joined, and then boxes made smaller, where the pane is too low for all rows.
 */
export function circuitLayout(boxes: Boxes, width: number, height: number): CircuitLayout {
  if (boxes.length === 0) return { boxes: [], textSize: BOX_TEXT };
  const sizes = boxes.map((box) => boxSize(box.name));
  const { scale, widths, lines } = fitted(boxes, sizes, width, height);
  const heights = sizes.map(({ h }) => h * scale);
  const x = across(boxes, widths, lines, width, scale);
  const y = upward(lines, heights, height);
  const placed = boxes.map((box, index) => ({
    x: x[index],
    y: y[index],
    w: widths[index],
    h: heights[index],
    cards: Math.min(box.members - 1, 2),
  }));
  return { boxes: withStored(boxes, placed, width, height), textSize: BOX_TEXT * scale };
}

/** The largest scale at which the boxes fit, their widths, and their lines: whole rows first, see WHOLE_ROWS. */
function fitted(
  boxes: Boxes,
  sizes: readonly { readonly w: number; readonly h: number }[],
  width: number,
  height: number,
): { scale: number; widths: number[]; lines: Line[] } {
  const tallest = Math.max(...sizes.map(({ h }) => h));
  let best: { scale: number; widths: number[]; lines: Line[] } = {
    scale: 1,
    widths: [] as number[],
    lines: [] as Line[],
  };
  const rows = new Set(boxes.map(rowOf)).size;
  const attempts = [
    ...SCALES.filter((scale) => scale >= WHOLE_ROWS).map((scale) => ({ scale, whole: true })),
    ...SCALES.map((scale) => ({ scale, whole: false })),
  ];
  for (const { scale, whole } of attempts) {
    const widths = sizes.map(({ w }) => w * scale);
    const room = height - 2 * MARGIN + ROW_SPACE * scale;
    const most = Math.max(1, Math.floor(room / ((tallest + ROW_SPACE) * scale)));
    const layers = linesOf(boxes, widths, width, scale);
    if (whole && layers.length > rows) continue;
    const lines = join(boxes, layers, widths, width, scale, most);
    best = { scale, widths, lines };
    const narrow = lines.every((line) => content(line.members, widths, scale) <= width - 2 * MARGIN);
    if (lines.length <= most && narrow) break;
  }
  return best;
}

function rowOf(box: LayoutBox): number {
  return Math.floor(box.layer + 0.5);
}

function content(members: NumberList, widths: NumberList, scale: number): number {
  return sum(members.map((index) => widths[index])) + (members.length - 1) * BOX_GAP * scale;
}

/** Boxes of one rounded layer in one line, or in as many as their widths need, lower layers below. */
function linesOf(boxes: Boxes, widths: NumberList, width: number, scale: number): Line[] {
  const rows = new Map<number, number[]>();
  for (const [index, box] of boxes.entries()) {
    rows.set(rowOf(box), [...(rows.get(rowOf(box)) ?? []), index]);
  }
  return [...rows.keys()]
    .sort((a, b) => a - b)
    .flatMap((layer) => {
      const members = [...(rows.get(layer) as number[])].sort(
        (a, b) => boxes[a].layer - boxes[b].layer || boxes[a].position - boxes[b].position || a - b,
      );
      let parts = 1;
      const tooWide = (part: NumberList) => content(part, widths, scale) > width - 2 * MARGIN;
      while (parts < members.length && split(members, parts).some(tooWide)) parts++;
      return split(members, parts).map((part) => lineOf(boxes, part, layer));
    });
}

function split(members: NumberList, parts: number): NumberList[] {
  const size = members.length;
  return Array.from({ length: parts }, (_, part) =>
    members.slice(Math.floor((part * size) / parts), Math.floor(((part + 1) * size) / parts)),
  );
}

function lineOf(boxes: Boxes, members: NumberList, layer: number): Line {
  const order = [...members].sort(
    (a, b) => boxes[a].position - boxes[b].position || boxes[a].layer - boxes[b].layer || a - b,
  );
  return { members: order, layer, alone: order.some((index) => boxes[index].alone) };
}

/** Join neighbouring lines, nearest layers first, until there are at most `most`. */
function join(boxes: Boxes, lines: Line[], widths: NumberList, width: number, scale: number, most: number): Line[] {
  let joined = lines;
  while (joined.length > most) {
    let best = -1;
    let nearest = Number.POSITIVE_INFINITY;
    for (let index = 0; index < joined.length - 1; index++) {
      const [low, high] = [joined[index], joined[index + 1]];
      const fits = content([...low.members, ...high.members], widths, scale) <= width - 2 * MARGIN;
      if (fits && !low.alone && !high.alone && high.layer - low.layer < nearest) {
        best = index;
        nearest = high.layer - low.layer;
      }
    }
    if (best < 0) break;
    const [low, high] = [joined[best], joined[best + 1]];
    const one = lineOf(boxes, [...low.members, ...high.members], (low.layer + high.layer) / 2);
    joined = [...joined.slice(0, best), one, ...joined.slice(best + 2)];
  }
  return joined;
}

function across(boxes: Boxes, widths: NumberList, lines: readonly Line[], width: number, scale: number): number[] {
  const centres = columnCentres(boxes, widths, lines, width, scale);
  const x = new Array<number>(boxes.length).fill(0);
  for (const { members } of lines) {
    const total = sum(members.map((index) => widths[index]));
    const between = Math.max(1, members.length - 1);
    const gap = clamp((width - 2 * MARGIN - total) / between, 4, SIDE_LABEL * scale);
    const side = clamp((width - total - (members.length - 1) * gap) / 2, MARGIN, SIDE_LABEL * scale);
    const places = spread(
      members.map((index) => centres[index]),
      members.map((index) => widths[index]),
      gap,
      side,
      width - side,
    );
    for (const [order, index] of members.entries()) x[index] = places[order];
  }
  return x;
}

/** Columns in a line, from left to right, with half the width of the boxes in each. */
type Halves = readonly (readonly [column: number, half: number])[];

/** Boxes at nearly the same position share a column; columns that meet in a line keep room for what is in it. */
function columnCentres(
  boxes: Boxes,
  widths: NumberList,
  lines: readonly Line[],
  width: number,
  scale: number,
): number[] {
  const column = columnOf(boxes);
  const count = Math.max(...column) + 1;
  let low: number[] = [];
  let high: number[] = [];
  for (const give of GIVES) {
    const gap = SIDE_LABEL * scale * give;
    const halves = lines.map((line) => halvesOf(line.members, column, widths, gap));
    low = leftmost(halves, count, gap, scale);
    high = leftmost(reversed(halves, count), count, gap, scale)
      .reverse()
      .map((x) => width - x);
    if (low.every((one, place) => one <= high[place])) break;
  }
  const centres = low.map((one, place) => one + (high[place] - one) * (count > 1 ? place / (count - 1) : 0.5));
  return column.map((place) => centres[place]);
}

function columnOf(boxes: Boxes): number[] {
  const order = boxes.map((_, index) => index).sort((a, b) => boxes[a].position - boxes[b].position || a - b);
  const column = new Array<number>(boxes.length).fill(0);
  let first = boxes[order[0]].position;
  let count = 0;
  for (const index of order) {
    if (boxes[index].position - first > 0.5) {
      count++;
      first = boxes[index].position;
    }
    column[index] = count;
  }
  return column;
}

function halvesOf(members: NumberList, column: NumberList, widths: NumberList, gap: number): Halves {
  const totals = new Map<number, number>();
  for (const index of members) {
    totals.set(column[index], (totals.get(column[index]) ?? -gap) + widths[index] + gap);
  }
  return [...totals].map(([place, total]) => [place, total / 2] as const).sort((a, b) => a[0] - b[0]);
}

function reversed(halves: readonly Halves[], count: number): Halves[] {
  return halves.map((line) => line.map(([place, half]) => [count - 1 - place, half] as const).reverse());
}

/** The least centre of each column that leaves room at its left. */
function leftmost(halves: readonly Halves[], count: number, gap: number, scale: number): number[] {
  const least = new Array<number>(count).fill(0);
  for (let place = 0; place < count; place++) {
    if (place > 0) least[place] = least[place - 1] + COLUMN_STEP * scale;
    for (const line of halves) {
      const at = line.findIndex(([here]) => here === place);
      if (at < 0) continue;
      const before = at > 0 ? least[line[at - 1][0]] + line[at - 1][1] + gap : Math.max(gap, MARGIN);
      least[place] = Math.max(least[place], before + line[at][1]);
    }
  }
  return least;
}

/** Centres nearest to the targets in the least-squares sense, in order, `gap` apart, inside [low, high]. */
function spread(targets: NumberList, widths: NumberList, gap: number, low: number, high: number): number[] {
  const offsets = [0];
  for (let at = 1; at < widths.length; at++) {
    offsets.push(offsets[at - 1] + (widths[at - 1] + widths[at]) / 2 + gap);
  }
  const pools: [number, number][] = [];
  for (const [at, target] of targets.entries()) {
    let mean = target - offsets[at];
    let count = 1;
    while (pools.length > 0 && pools[pools.length - 1][0] > mean) {
      const [other, size] = pools.pop() as [number, number];
      mean = (mean * count + other * size) / (count + size);
      count += size;
    }
    pools.push([mean, count]);
  }
  const flat = pools.flatMap(([mean, count]) => new Array<number>(count).fill(mean));
  const least = low + widths[0] / 2;
  const most = high - widths[widths.length - 1] / 2 - offsets[offsets.length - 1];
  return flat.map((one, at) => clamp(one, least, Math.max(most, least)) + offsets[at]);
}

function upward(lines: readonly Line[], heights: NumberList, height: number): number[] {
  const room = height - 2 * MARGIN - Math.max(...heights) - 2 * CARD;
  const pitch = Math.min(room / Math.max(1, lines.length - 1), ROW_PITCH);
  const middle = (height + 2 * CARD) / 2;
  const y = new Array<number>(heights.length).fill(0);
  for (const [row, { members }] of lines.entries()) {
    for (const index of members) y[index] = middle + ((lines.length - 1) / 2 - row) * pitch;
  }
  return y;
}

/** Put stored boxes where they were left; what they would cover moves the least it can. */
function withStored(boxes: Boxes, placed: readonly PlacedBox[], width: number, height: number): readonly PlacedBox[] {
  const indices = boxes.map((_, index) => index);
  const stored = indices.filter((index) => boxes[index].stored);
  if (stored.length === 0) return placed;
  const result = [...placed];
  const settled: PlacedBox[] = [];
  for (const index of [...stored, ...indices.filter((one) => !boxes[one].stored)]) {
    const place = boxes[index].stored;
    const box = place ? { ...placed[index], x: place[0] * width, y: place[1] * height } : placed[index];
    result[index] = settle(box, settled, width, height);
    settled.push(result[index]);
  }
  return result;
}

function settle(box: PlacedBox, settled: readonly PlacedBox[], width: number, height: number): PlacedBox {
  const x = clamp(box.x, box.w / 2 + 2, Math.max(width - box.w / 2 - 2, box.w / 2 + 2));
  const y = clamp(box.y, box.h / 2 + 2, Math.max(height - box.h / 2 - 2, box.h / 2 + 2));
  const xs = [x];
  const ys = [y];
  for (const other of settled) {
    xs.push(other.x - (other.w + box.w) / 2 - BOX_GAP, other.x + (other.w + box.w) / 2 + BOX_GAP);
    ys.push(other.y - (other.h + box.h) / 2 - BOX_GAP, other.y + (other.h + box.h) / 2 + BOX_GAP);
  }
  let best = { ...box, x, y };
  let nearest = Number.POSITIVE_INFINITY;
  for (const one of xs) {
    for (const two of ys) {
      const distance = (one - x) * (one - x) + (two - y) * (two - y);
      const inside = box.w / 2 <= one && one <= width - box.w / 2 && box.h / 2 <= two && two <= height - box.h / 2;
      const here = { ...box, x: one, y: two };
      if (inside && distance < nearest - 1e-9 && !settled.some((other) => overlap(here, other))) {
        best = here;
        nearest = distance;
      }
    }
  }
  return best;
}

function overlap(one: PlacedBox, other: PlacedBox): boolean {
  return Math.abs(one.x - other.x) < (one.w + other.w) / 2 + 4 && Math.abs(one.y - other.y) < (one.h + other.h) / 2 + 4;
}
