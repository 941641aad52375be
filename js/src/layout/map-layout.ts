/**
 * Positions of the nodes of the map: pure functions of numbers and token texts. The port of circuit_widget/figure/layout/map_layout.py.
 * Units are pixels; y grows downwards.
 */

import { clamp, sum } from "../core/scales";
import { TOKEN_SIZE } from "../page/constants";
import { monoWidth, shorten, tokenLabel } from "../text/width";
import {
  BOTTOM,
  GUTTER,
  MANY_LOGITS,
  NODE_GAP,
  RIGHT,
  ROW_LABEL_SPACE,
  SLANT_COS,
  SLANT_SIN,
  SLANTED_SPACE,
  TOKEN_SPACE,
  TOP,
} from "./constants";

/** A visible node of the map; layer is -1 for tokens and nLayers for logits. */
export interface MapNode {
  readonly kind: "feature" | "error" | "token" | "logit";
  readonly layer: number;
  readonly position: number;
  readonly influence: number;
}

/** The strip of one token position and the text under it. */
export interface Column {
  readonly position: number;
  readonly x0: number;
  readonly x1: number;
  readonly text: string;
}

/** The line of one layer; the label is empty where there is no room for it. */
export interface Row {
  readonly label: string;
  readonly y: number;
}

/**
 * Centres and radii of the nodes, columns, rows (bottom to top), and the angle of the token texts.
 * Upright texts are centred in their column at tokenY; slanted ones end there, turned by -40 degrees.
 */
export interface MapLayout {
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly radius: readonly number[];
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly slanted: boolean;
  readonly tokenY: number;
}

type NumberPair = readonly [number, number];

interface Cell {
  readonly position: number;
  readonly row: number;
  readonly members: number[];
}

/** Tokens across, layers up: each node in the cell of its position and layer, largest first, apart if they fit. */
export function mapLayout(
  nodes: readonly MapNode[],
  tokenTexts: readonly string[],
  nLayers: number,
  width: number,
  height: number,
  tokenSize: number = TOKEN_SIZE,
): MapLayout {
  const positions = [...new Set(nodes.map((node) => node.position))].sort((a, b) => a - b);
  const place = new Map(positions.map((position, index) => [position, index]));
  const texts = positions.map((position) => tokenLabel(tokenTexts[position]));
  const textWidths = texts.map((text) => monoWidth(text, tokenSize));
  const available = Math.max(1, width - GUTTER - RIGHT);
  const slanted = sum(textWidths.map((text) => text + TOKEN_SPACE)) > available;
  const bottom = slanted ? Math.min(BOTTOM - 8 + SLANT_SIN * Math.max(0, ...textWidths), 0.4 * height) : BOTTOM;
  const pitch = Math.max(1, height - TOP - bottom) / (nLayers + 1);
  const radius = radii(nodes, pitch);
  const cells = cellsOf(nodes);
  const base = textWidths.map((text) => (slanted ? SLANTED_SPACE : text + TOKEN_SPACE));
  const columns = shareWidth(place, base, cells, radius, available, nLayers + 1);

  const baseY = height - bottom;
  const x = new Array<number>(nodes.length).fill(0);
  const y = new Array<number>(nodes.length).fill(0);
  for (const { position, row, members } of cells) {
    const [left, right] = columns[place.get(position) as number];
    const offsets = pack(
      members.map((index) => radius[index]),
      right - left - 4,
      pitch,
      row > nLayers ? 1 : 3,
    );
    for (const [order, index] of members.entries()) {
      x[index] = (left + right) / 2 + offsets[order][0];
      y[index] = baseY - row * pitch + offsets[order][1];
    }
  }
  return {
    x,
    y,
    radius,
    columns: positions.map((position, index) => {
      const [x0, x1] = columns[index];
      return { position, x0, x1, text: columnText(texts[index], x0, x1, slanted, tokenSize) };
    }),
    rows: rowsOf(nLayers, baseY, pitch),
    slanted,
    tokenY: baseY + (slanted ? 12 : 19),
  };
}

function radii(nodes: readonly MapNode[], pitch: number): number[] {
  const total = sum(nodes.filter((node) => node.kind !== "logit").map((node) => node.influence));
  const most = Math.max(2, 0.44 * pitch);
  const logit = nodes.filter((node) => node.kind === "logit").length <= MANY_LOGITS ? 7 : 5;
  return nodes.map((node) => {
    const size = total > 0 && node.influence > 0 ? 2.5 + 26 * Math.sqrt(node.influence / total) : 0;
    return Math.min(nominalRadius(node.kind, size, logit), most);
  });
}

function nominalRadius(kind: MapNode["kind"], size: number, logit: number): number {
  switch (kind) {
    case "token":
      return 5;
    case "logit":
      return logit;
    case "error":
      return clamp(size, 3.5, 7);
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

/** Share the width: token texts and the top row first, then cells in three lines, then in one, then the rest. */
function shareWidth(
  place: ReadonlyMap<number, number>,
  base: readonly number[],
  cells: readonly Cell[],
  radius: readonly number[],
  available: number,
  top: number,
): NumberPair[] {
  const first = [...base];
  const wrapped = [...base];
  const packed = [...base];
  for (const { position, row, members } of cells) {
    const at = place.get(position) as number;
    const line = sum(members.map((index) => 2 * radius[index] + NODE_GAP)) + 6;
    first[at] = Math.max(first[at], row === top ? line : 0);
    wrapped[at] = Math.max(wrapped[at], first[at], line / 3);
    packed[at] = Math.max(packed[at], line);
  }
  let widths = base.map(() => 0);
  for (const stage of [first, wrapped, packed]) {
    const before = sum(widths);
    const after = sum(stage);
    if (after >= available) {
      const part = (available - before) / (after - before);
      widths = widths.map((low, at) => low + (stage[at] - low) * part);
      break;
    }
    widths = stage;
  }
  const total = sum(widths);
  let left = GUTTER;
  return widths.map((column) => {
    const right = left + (column * available) / total;
    const strip: NumberPair = [left, right];
    left = right;
    return strip;
  });
}

/** Offsets from the centre of a cell: one line, else staggered ones up to `most`, squeezed if they do not fit. */
function pack(sizes: readonly number[], room: number, pitch: number, most: number): NumberPair[] {
  const largest = Math.max(...sizes);
  const spread = Math.max(0, Math.min(pitch / 3, pitch / 2 - largest - 0.75));
  const half = Math.min(2 * spread, 2 * largest + NODE_GAP) / 2;
  const step = Math.min(spread, 2 * largest + NODE_GAP);
  let placed: NumberPair[] = [];
  for (const lanes of [[0], [-half, half], [0, -step, step]].slice(0, most)) {
    placed = fill(sizes, lanes);
    const left = Math.min(...placed.map(([x], at) => x - sizes[at]));
    const right = Math.max(...placed.map(([x], at) => x + sizes[at]));
    if (right - left <= room) return placed.map(([x, y]) => [x - (left + right) / 2, y]);
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

function columnText(text: string, left: number, right: number, slanted: boolean, size: number): string {
  const room = slanted ? ((left + right) / 2 - 2) / SLANT_COS : right - left - 2;
  return shorten(text, room, size, true);
}

function rowsOf(nLayers: number, baseY: number, pitch: number): Row[] {
  const step = [1, 2, 5, 10, 20].find((candidate) => candidate * pitch >= ROW_LABEL_SPACE) ?? 50;
  const labels = ["emb"];
  for (let layer = 0; layer < nLayers; layer++) {
    const clear = (layer + 1) * pitch >= ROW_LABEL_SPACE && (nLayers - layer) * pitch >= ROW_LABEL_SPACE;
    labels.push(layer % step === 0 && clear ? String(layer) : "");
  }
  labels.push("out");
  return labels.map((label, row) => ({ label, y: baseY - row * pitch }));
}
