/**
 * Places of labels beside the nodes of the map: pure functions of numbers and texts.
 * The port of circuit_widget/figure/layout/map_labels.py.
 */

import { shorten, textWidth } from "../text/width";
import {
  GUTTER,
  LABEL_CLEAR,
  LABEL_EDGE,
  LABEL_GAP,
  LABEL_LEADS,
  LABEL_LINE,
  LABEL_OVERHANG,
  LABEL_REPEAT,
  LABEL_ROOM,
  LABEL_SPACE,
  LEAD_WIDTH,
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

type Pair = readonly [number, number];

/** An upright rectangle by its left, upper, right and lower end. */
export interface Area {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
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
  /** The upper and the lower end of a vertical line between the dot and a label above or below it; else empty. */
  readonly lead: Pair | readonly [];
}

/** The part of the map that labels may be in: between the row labels and the token texts. */
export function labelFrame({ slanted, rows }: MapLayout, width: number): Area {
  const under = slanted ? UNDER_SLANTED : UNDER_UPRIGHT;
  return { x0: GUTTER, y0: LABEL_EDGE, x1: width - LABEL_EDGE, y1: rows[0].y + under };
}

/** The rectangle of the line between a dot and its label, null where there is none. */
export function leadArea({ lead }: MapLabel, { x }: MapDot): Area | null {
  if (lead.length === 0) return null;
  return { x0: x - LEAD_WIDTH / 2, y0: lead[0], x1: x + LEAD_WIDTH / 2, y1: lead[1] };
}

/** The rectangle that a label of this size of text covers. */
export function labelArea({ x, y, w }: MapLabel, size: number): Area {
  const half = (LABEL_LINE * size) / 2;
  return { x0: x, y0: y - half, x1: x + w, y1: y + half };
}

/**
 * Places labels one after the other, those of `first` dots before others, then by influence, each where there is room.
 *
 * A label is right of its dot, else left of it, else above or below at the end of a line. Neither label nor line
 * overlaps another dot, label, line, or one of the `taken` areas; without such a place the label is left out. The same
 * label is not repeated nearby.
 */
export function mapLabels(
  dots: readonly MapDot[],
  frame: Area,
  taken: readonly Area[],
  zoom: number,
  size: number,
): readonly MapLabel[] {
  const space = spaceOf(dots, frame, taken);
  const placed: MapLabel[] = [];
  for (const index of orderOf(dots, frame).slice(0, Math.ceil(MOST_LABELS * zoom))) {
    const dot = dots[index];
    const text = shorten(dot.text, LABEL_ROOM * zoom, size);
    if (text === "…" || (!dot.first && placed.some((one) => repeats(dot, text, dots[one.dot], one.text)))) continue;
    const label = candidates(index, dot, text, size).find((one) => space.free(one, size));
    if (label === undefined) continue;
    placed.push(label);
    space.take(label, size);
  }
  return placed;
}

/** Labels with that of one dot among them, where it has one and there is a place; those that it covers are left out. */
export function withLabelOf(
  index: number,
  labels: readonly MapLabel[],
  dots: readonly MapDot[],
  frame: Area,
  taken: readonly Area[],
  zoom: number,
  size: number,
): readonly MapLabel[] {
  if (labels.some(({ dot }) => dot === index) || dots[index].text.trim() === "") return labels;
  const text = shorten(dots[index].text, LABEL_ROOM * zoom, size);
  const space = spaceOf(dots, frame, taken);
  const label = candidates(index, dots[index], text, size).find((one) => space.free(one, size));
  if (label === undefined) return labels;
  space.take(label, size);
  return [...labels.filter((other) => space.free(other, size)), label];
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

/** The places of a label around its dot, the best first. */
function candidates(dot: number, { x, y, radius }: MapDot, text: string, size: number): MapLabel[] {
  const w = textWidth(text, size);
  const side = radius + LABEL_GAP;
  const half = (LABEL_LINE * size) / 2;
  const places: MapLabel[] = [
    { dot, text, x: x + side, y, w, anchor: "start", lead: [] },
    { dot, text, x: x - side - w, y, w, anchor: "end", lead: [] },
  ];
  for (const length of LABEL_LEADS) {
    const top = y - radius - length;
    const bottom = y + radius + length;
    const beyond: readonly (readonly [number, Pair])[] = [
      [top - half, [top, top + length]],
      [bottom + half, [bottom - length, bottom]],
    ];
    for (const [middle, lead] of beyond) {
      places.push(
        { dot, text, x: x - w / 2, y: middle, w, anchor: "middle", lead },
        { dot, text, x: x - LABEL_OVERHANG, y: middle, w, anchor: "start", lead },
        { dot, text, x: x + LABEL_OVERHANG - w, y: middle, w, anchor: "end", lead },
      );
    }
  }
  return places;
}

function repeats(dot: MapDot, text: string, other: MapDot, otherText: string): boolean {
  return text === otherText && Math.hypot(dot.x - other.x, dot.y - other.y) < LABEL_REPEAT;
}

function inside(area: Area, frame: Area): boolean {
  return area.x0 >= frame.x0 && area.x1 <= frame.x1 && area.y0 >= frame.y0 && area.y1 <= frame.y1;
}

function covers(area: Area, { x, y, radius }: MapDot): boolean {
  const dx = Math.max(area.x0 - x, 0, x - area.x1);
  const dy = Math.max(area.y0 - y, 0, y - area.y1);
  const reach = radius + LABEL_CLEAR;
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

/** Things by the cells of a grid that they reach into. */
function gridOf<Thing>(): Grid<Thing> {
  const cells = new Map<number, Thing[]>();
  const some = ({ x0, y0, x1, y1 }: Area, test: (cell: number) => boolean): boolean => {
    for (let column = Math.floor(x0 / CELL); column <= Math.floor(x1 / CELL); column++) {
      for (let row = Math.floor(y0 / CELL); row <= Math.floor(y1 / CELL); row++) {
        if (test(column * 65_536 + row)) return true;
      }
    }
    return false;
  };
  return {
    add(area, thing) {
      some(area, (cell) => {
        const things = cells.get(cell);
        if (things === undefined) cells.set(cell, [thing]);
        else things.push(thing);
        return false;
      });
    },
    some: (area, test) => some(area, (cell) => cells.get(cell)?.some(test) === true),
  };
}

/** What is left of the map's frame beside dots, taken areas and the labels placed so far. */
function spaceOf(dots: readonly MapDot[], frame: Area, taken: readonly Area[]) {
  const dotGrid = gridOf<number>();
  const takenGrid = gridOf<Area>();
  for (const [index, { x, y, radius }] of dots.entries()) {
    const reach = radius + LABEL_CLEAR;
    // The many that zooming moves out of the frame are in nobody's way.
    if (x + reach < frame.x0 || x - reach > frame.x1 || y + reach < frame.y0 || y - reach > frame.y1) continue;
    dotGrid.add({ x0: x - reach, y0: y - reach, x1: x + reach, y1: y + reach }, index);
  }
  for (const area of taken) takenGrid.add(area, area);
  /** Whether what is placed overlaps the wider area, or another dot the area itself. */
  const blocked = (around: Area, area: Area, dot: number) =>
    takenGrid.some(around, (other) => overlap(around, other)) ||
    dotGrid.some(area, (other) => other !== dot && covers(area, dots[other]));
  return {
    take(label: MapLabel, size: number) {
      for (const area of [labelArea(label, size), leadArea(label, dots[label.dot])]) {
        if (area !== null) takenGrid.add(area, area);
      }
    },
    /** Whether there is room for a label, with space at its sides, and for its line. */
    free(label: MapLabel, size: number): boolean {
      const area = labelArea(label, size);
      const lead = leadArea(label, dots[label.dot]);
      if (!inside(area, frame) || blocked(wider(area), area, label.dot)) return false;
      return lead === null || !blocked(lead, lead, label.dot);
    },
  };
}
