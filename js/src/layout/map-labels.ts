/**
 * Places of labels beside the nodes of the map: pure functions of numbers and texts.
 * The port of circuit_widget/figure/layout/map_labels.py.
 */

import { shorten, textWidth } from "../text/width";
import {
  LABEL_CLEAR,
  LABEL_EDGE,
  LABEL_GAP,
  LABEL_LEADS,
  LABEL_LINE,
  LABEL_OVERHANG,
  LABEL_REPEAT,
  LABEL_ROOM,
  LABEL_SPACE,
  LEAD_CLEAR,
  LEAD_RISES,
  LEAD_RUNS,
  LEAD_WIDTH,
  LOCAL_LABEL,
  MOST_LABELS,
  UNDER_SLANTED,
  UNDER_UPRIGHT,
} from "./constants";
import type { MapLayout } from "./map-layout";

const CELL = 32;

/** A node where it is drawn; `text` is empty where it has no label, `first` where its label precedes others. */
export interface MapDot {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly text: string;
  readonly influence: number;
  readonly first: boolean;
}

/** An upright rectangle by its left, upper, right and lower end. */
export interface Area {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/** What labels are placed on: the nodes, the frame, areas that are taken, the zoom and the size of the texts. */
export interface LabelledMap {
  readonly dots: readonly MapDot[];
  readonly frame: Area;
  readonly taken: readonly Area[];
  readonly zoom: number;
  readonly size: number;
}

/** A label by the index of its dot, its text as it is cut, left end, middle height and width. */
export interface MapLabel {
  readonly dot: number;
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly w: number;
  /** The end of the text that is nearest to the dot. */
  readonly anchor: "start" | "middle" | "end";
  /** The line from the dot to a label that is not right beside it, as the x and y of its points. */
  readonly lead: readonly number[];
}

/** The part of the map that labels may be in: between the row labels and the token texts. */
export function labelFrame({ slanted, rows, left }: MapLayout, width: number): Area {
  const under = slanted ? UNDER_SLANTED : UNDER_UPRIGHT;
  return { x0: left, y0: LABEL_EDGE, x1: width - LABEL_EDGE, y1: rows[0].y + under };
}

/** The rectangles of the strokes of the line between a dot and its label, none where there is no line. */
export function leadAreas(lead: readonly number[]): Area[] {
  const half = LEAD_WIDTH / 2;
  const areas: Area[] = [];
  for (let at = 2; at < lead.length; at += 2) {
    const [x0, y0, x1, y1] = lead.slice(at - 2, at + 2);
    if (x0 === x1) areas.push({ x0: x0 - half, y0: Math.min(y0, y1), x1: x0 + half, y1: Math.max(y0, y1) });
    else areas.push({ x0: Math.min(x0, x1), y0: y0 - half, x1: Math.max(x0, x1), y1: y0 + half });
  }
  return areas;
}

/** The rectangle that a label of this size of text covers. */
export function labelArea({ x, y, w }: MapLabel, size: number): Area {
  const half = (LABEL_LINE * size) / 2;
  return { x0: x, y0: y - half, x1: x + w, y1: y + half };
}

/**
 * Places labels one after the other, those of `first` dots before others, then by influence, each where there is room.
 *
 * A label is right of its dot, else left of it, else above or below at the end of a line, else where a line between two
 * rows leads out of a crowd. Neither label nor line overlaps another dot, label, line, or one of the `taken` areas;
 * without such a place the label is left out. The same label is not repeated nearby.
 */
export function mapLabels(labelled: LabelledMap): readonly MapLabel[] {
  const { dots, frame, zoom, size } = labelled;
  const space = spaceOf(labelled);
  const placed: MapLabel[] = [];
  for (const index of orderOf(dots, frame).slice(0, Math.ceil(MOST_LABELS * zoom))) {
    const dot = dots[index];
    const text = cut(dot.text, zoom, size);
    if (text === "…" || (!dot.first && placed.some((one) => repeats(dot, text, dots[one.dot], one.text)))) continue;
    const label = place(space, dots, index, text, size);
    if (label === undefined) continue;
    placed.push(label);
    space.take(label, size);
  }
  return placed;
}

/** Labels with that of one dot among them, where it has one and there is a place; those that it covers are left out. */
export function withLabelOf(index: number, labels: readonly MapLabel[], labelled: LabelledMap): readonly MapLabel[] {
  const { dots, zoom, size } = labelled;
  if (labels.some(({ dot }) => dot === index) || dots[index].text.trim() === "") return labels;
  const text = cut(dots[index].text, zoom, size);
  const space = spaceOf(labelled);
  const label = place(space, dots, index, text, size);
  if (label === undefined) return labels;
  space.take(label, size);
  return [...labels.filter((other) => space.free(other, size) && !space.blocks(other.lead, other.dot)), label];
}

/** A label as wide as there is room; of one prompt's effects, the words that tell it from others of its kind. */
function cut(label: string, zoom: number, size: number): string {
  const words = label.startsWith(LOCAL_LABEL) ? label.slice(LOCAL_LABEL.length) : label;
  return shorten(/^[+−]/.test(words) ? words : label, LABEL_ROOM * zoom, size);
}

/** The dots with labels within the frame, in the order in which they get a place. */
function orderOf(dots: readonly MapDot[], frame: Area): number[] {
  const within = ({ x, y }: MapDot) => frame.x0 <= x && x <= frame.x1 && frame.y0 <= y && y <= frame.y1;
  const labelled: number[] = [];
  for (const [index, dot] of dots.entries()) {
    if (dot.text.trim() !== "" && within(dot)) labelled.push(index);
  }
  return labelled.sort(
    (a, b) => Number(dots[b].first) - Number(dots[a].first) || dots[b].influence - dots[a].influence || a - b,
  );
}

/** The first place of a label around its dot where there is room for it and nothing blocks its line. */
function place(space: Space, dots: readonly MapDot[], index: number, text: string, size: number): MapLabel | undefined {
  for (const label of candidates(space, index, dots[index], text, size)) if (space.free(label, size)) return label;
  return undefined;
}

/** The places of a label around its dot to which nothing blocks its line, the best first. */
function* candidates(space: Space, dot: number, from: MapDot, text: string, size: number): Generator<MapLabel> {
  const { x, radius } = from;
  const w = textWidth(text, size);
  const half = (LABEL_LINE * size) / 2;
  yield { dot, text, x: x + radius + LABEL_GAP, y: from.y, w, anchor: "start", lead: [] };
  yield { dot, text, x: x - radius - LABEL_GAP - w, y: from.y, w, anchor: "end", lead: [] };
  for (const length of LABEL_LEADS) {
    for (const up of [-1, 1]) {
      const rim = from.y + up * radius;
      const end = rim + up * length;
      const y = end + up * half;
      const lead = [x, rim, x, end];
      if (space.blocks(lead, dot)) continue;
      yield { dot, text, x: x - w / 2, y, w, anchor: "middle", lead };
      yield { dot, text, x: x - LABEL_OVERHANG, y, w, anchor: "start", lead };
      yield { dot, text, x: x + LABEL_OVERHANG - w, y, w, anchor: "end", lead };
    }
  }
  const lines = new Set(
    LEAD_RISES.flatMap((rise) => [-1, 1].flatMap((up) => [-1, 1].map((side) => ({ rise, up, side })))),
  );
  for (const run of LEAD_RUNS) {
    for (const line of lines) {
      const { rise, up, side } = line;
      const rim = from.y + up * radius;
      const y = rim + up * rise;
      const end = x + side * (radius + run);
      const lead = [x, rim, x, y, end, y];
      // A longer one is blocked, too.
      if (space.blocks(lead, dot)) lines.delete(line);
      else if (side < 0) yield { dot, text, x: end - LABEL_GAP - w, y, w, anchor: "end", lead };
      else yield { dot, text, x: end + LABEL_GAP, y, w, anchor: "start", lead };
    }
  }
}

function repeats(dot: MapDot, text: string, other: MapDot, otherText: string): boolean {
  return text === otherText && Math.hypot(dot.x - other.x, dot.y - other.y) < LABEL_REPEAT;
}

function inside(area: Area, frame: Area): boolean {
  return area.x0 >= frame.x0 && area.x1 <= frame.x1 && area.y0 >= frame.y0 && area.y1 <= frame.y1;
}

function covers(area: Area, { x, y, radius }: MapDot, clear: number): boolean {
  const dx = Math.max(area.x0 - x, 0, x - area.x1);
  const dy = Math.max(area.y0 - y, 0, y - area.y1);
  const reach = radius + clear;
  return dx * dx + dy * dy < reach * reach;
}

function overlap(one: Area, other: Area): boolean {
  return one.x0 < other.x1 && other.x0 < one.x1 && one.y0 < other.y1 && other.y0 < one.y1;
}

function wider({ x0, y0, x1, y1 }: Area): Area {
  return { x0: x0 - LABEL_SPACE, y0, x1: x1 + LABEL_SPACE, y1 };
}

interface Grid<Thing> {
  add(area: Area, thing: Thing): void;
  /** Whether the test passes for anything that may reach into an area. */
  some(area: Area, test: (thing: Thing) => boolean): boolean;
}

/** Things by the cells of a grid over the frame that they reach into. */
function gridOf<Thing>(frame: Area): Grid<Thing> {
  const columns = Math.floor((frame.x1 - frame.x0) / CELL) + 1;
  const rows = Math.floor((frame.y1 - frame.y0) / CELL) + 1;
  const cells: Thing[][] = Array.from({ length: Math.max(0, columns * rows) }, () => []);
  const some = ({ x0, y0, x1, y1 }: Area, test: (things: Thing[]) => boolean): boolean => {
    const right = Math.min(columns - 1, Math.floor((x1 - frame.x0) / CELL));
    const bottom = Math.min(rows - 1, Math.floor((y1 - frame.y0) / CELL));
    for (let row = Math.max(0, Math.floor((y0 - frame.y0) / CELL)); row <= bottom; row++) {
      for (let column = Math.max(0, Math.floor((x0 - frame.x0) / CELL)); column <= right; column++) {
        if (test(cells[row * columns + column])) return true;
      }
    }
    return false;
  };
  return {
    add(area, thing) {
      some(area, (things) => {
        things.push(thing);
        return false;
      });
    },
    some: (area, test) => some(area, (things) => things.some(test)),
  };
}

/** What is left of the map's frame beside dots, taken areas and the labels placed so far. */
interface Space {
  take(label: MapLabel, size: number): void;
  /** Whether there is room for a label, with space at its sides. */
  free(label: MapLabel, size: number): boolean;
  /** Whether something is in the way of the line from a dot to its label. */
  blocks(lead: readonly number[], dot: number): boolean;
}

function spaceOf({ dots, frame, taken }: LabelledMap): Space {
  const dotGrid = gridOf<number>(frame);
  const takenGrid = gridOf<Area>(frame);
  for (const [index, { x, y, radius }] of dots.entries()) {
    const reach = radius + LABEL_CLEAR;
    dotGrid.add({ x0: x - reach, y0: y - reach, x1: x + reach, y1: y + reach }, index);
  }
  for (const area of taken) takenGrid.add(area, area);
  /** Whether what is placed overlaps the wider area, or another dot the area itself. */
  const blocked = (around: Area, area: Area, dot: number, clear: number) =>
    takenGrid.some(around, (other) => overlap(around, other)) ||
    dotGrid.some(area, (other) => other !== dot && covers(area, dots[other], clear));
  return {
    take(label, size) {
      for (const area of [labelArea(label, size), ...leadAreas(label.lead)]) takenGrid.add(area, area);
    },
    free(label, size) {
      const area = labelArea(label, size);
      return inside(area, frame) && !blocked(wider(area), area, label.dot, LABEL_CLEAR);
    },
    blocks: (lead, dot) => leadAreas(lead).some((area) => !inside(area, frame) || blocked(area, area, dot, LEAD_CLEAR)),
  };
}
