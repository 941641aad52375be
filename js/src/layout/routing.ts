/**
 * How edges run: gentle cubics, spread over the sides of boxes, around the boxes they do not belong to.
 * The port of circuit_widget/figure/layout/routing.py.
 */

import { clamp } from "../core/numbers";
import type { PlacedBox } from "./circuit-layout";
import { BUNDLED, BUNDLED_RISE, CARD, INSET, LEAST_SHARE, PORT_PITCH, TIP_GAP } from "./constants";
import { type Lane, type Point, risingPath } from "./detour";
import { edgeWidth, headLength } from "./strokes";

export type { Point };

/** An edge between boxes, by index, with its signed share of the target's input. */
export interface BoxLink {
  readonly source: number;
  readonly target: number;
  readonly share: number;
}

/** The path (x0, y0, then six numbers for each cubic) to the base of the head; its tip; its unit direction. */
export interface Route {
  readonly path: readonly number[];
  readonly tip: Point;
  readonly direction: Point;
  readonly width: number;
}

type BoxSide = "top" | "bottom" | "left" | "right";
type Sides = readonly [BoxSide, BoxSide];

interface Port {
  readonly slope: number;
  readonly index: number;
  readonly end: 0 | 1;
}

/** The links worth drawing: this share of the target's input or more, and the strongest into each box whatever it is. */
export function visibleLinks<T extends BoxLink>(links: readonly T[], leastShare = LEAST_SHARE): T[] {
  const strongest = new Map<number, number>();
  for (const { target, share } of links) {
    strongest.set(target, Math.max(strongest.get(target) ?? 0, Math.abs(share)));
  }
  return links.filter(({ target, share }) => {
    const size = Math.abs(share);
    return size > 0 && size >= Math.min(leastShare, strongest.get(target) as number);
  });
}

/**
 * Those worth drawing of the links from one box that an experiment brings in: this share of the target's input or more,
 * and the strongest of all, so that the box has one.
 */
export function visibleOnward<T extends BoxLink>(links: readonly T[], leastShare = LEAST_SHARE): T[] {
  const strongest = links.reduce((most, { share }) => Math.max(most, Math.abs(share)), 0);
  return links.filter(({ share }) => Math.abs(share) > 0 && Math.abs(share) >= Math.min(leastShare, strongest));
}

/** Where the edges from one column of the map to another run together: the middles of the columns, and a height. */
export interface Trunk {
  readonly source: number;
  readonly target: number;
  readonly y: number;
}

/**
 * The cubic of a map edge, top of source to bottom of target: drawn towards the trunk of its columns, and bowed where it
 * would run along its own column.
 */
export function mapEdge(
  x0: number,
  y0: number,
  r0: number,
  x1: number,
  y1: number,
  r1: number,
  trunk: Trunk | null = null,
): readonly number[] {
  const start = y0 - r0;
  const end = y1 + r1;
  const rise = start - end;
  if (trunk !== null) {
    const pull = BUNDLED * clamp(rise / BUNDLED_RISE, 0, 1);
    const half = start - 0.5 * rise;
    const height = rise > 0 ? clamp(trunk.y, end + 0.3 * rise, start - 0.3 * rise) : half;
    const middle = half + pull * (height - half);
    const [ax, bx] = [x0 + pull * (trunk.source - x0), x1 + 0.6 * pull * (trunk.target - x1)];
    return [x0, start, ax, middle, bx, middle, x1, end];
  }
  const bow = rise > 90 ? Math.min(22, 0.1 * rise) * Math.max(0, 1 - Math.abs(x1 - x0) / 24) : 0;
  return [x0, start, x0 + bow, start - 0.5 * rise, x1 + bow, end + 0.5 * rise, x1, end];
}

/** One route for each link, in their order. */
export function routeEdges(boxes: readonly PlacedBox[], links: readonly BoxLink[], width: number): Route[] {
  const sides = links.map((link) => sidesOf(boxes, link));
  const towards = links.map(({ source, target }): readonly [Point, Point] => [
    [boxes[target].x, boxes[target].y],
    [boxes[source].x, boxes[source].y],
  ]);
  const routes = routesOf(boxes, links, sides, towards, width);
  if (routes.every(({ path }) => path.length === 8)) return routes;
  // A path that bends around a box heads for the bend: a second pass orders the ports by that.
  const bends = routes.map(({ path }, index): readonly [Point, Point] =>
    path.length > 8
      ? [
          [path[6], path[7]],
          [path[path.length - 8], path[path.length - 7]],
        ]
      : towards[index],
  );
  return routesOf(boxes, links, sides, bends, width);
}

function routesOf(
  boxes: readonly PlacedBox[],
  links: readonly BoxLink[],
  sides: readonly Sides[],
  towards: readonly (readonly [Point, Point])[],
  width: number,
): Route[] {
  const [starts, ends] = portsOf(boxes, links, sides, towards);
  const lanes: Lane[] = [];
  return links.map((link, index) => routeOf(boxes, link, sides[index], starts[index], ends[index], width, lanes));
}

function sidesOf(boxes: readonly PlacedBox[], link: BoxLink): Sides {
  const source = boxes[link.source];
  const target = boxes[link.target];
  if (target.y + target.h / 2 + 8 <= source.y - source.h / 2) return ["top", "bottom"];
  if (source.y + source.h / 2 + 8 <= target.y - target.h / 2) return ["bottom", "top"];
  const low = Math.min(source.x, target.x);
  const high = Math.max(source.x, target.x);
  const between = boxes.some(
    (box, index) =>
      index !== link.source &&
      index !== link.target &&
      low < box.x &&
      box.x < high &&
      Math.abs(box.y - (source.y + target.y) / 2) < box.h,
  );
  if (between || Math.abs(source.x - target.x) < (source.w + target.w) / 2 + 14) return ["top", "top"];
  return source.x < target.x ? ["right", "left"] : ["left", "right"];
}

/** Where edges leave and arrive: side by side, in the order of the slopes towards where they go. */
function portsOf(
  boxes: readonly PlacedBox[],
  links: readonly BoxLink[],
  sides: readonly Sides[],
  towards: readonly (readonly [Point, Point])[],
): [Point[], Point[]] {
  const groups = new Map<string, { readonly box: number; readonly side: BoxSide; readonly ports: Port[] }>();
  for (const [index, link] of links.entries()) {
    for (const end of [0, 1] as const) {
      const box = end === 0 ? link.source : link.target;
      const side = sides[index][end];
      const key = `${box} ${side}`;
      const group = groups.get(key) ?? { box, side, ports: [] };
      group.ports.push({ slope: slopeOf(boxes[box], towards[index][end], side), index, end });
      groups.set(key, group);
    }
  }
  const points: [Point[], Point[]] = [links.map(() => [0, 0]), links.map(() => [0, 0])];
  for (const { box, side, ports } of groups.values()) {
    const upright = side === "left" || side === "right";
    const room = (upright ? boxes[box].h : boxes[box].w) - 2 * (upright ? 4 : INSET);
    const pitch = Math.min(PORT_PITCH, room / Math.max(1, ports.length - 1));
    ports.sort((a, b) => a.slope - b.slope || a.index - b.index || a.end - b.end);
    for (const [order, { index, end }] of ports.entries()) {
      points[end][index] = onSide(boxes[box], side, (order - (ports.length - 1) / 2) * pitch);
    }
  }
  // Slide the only end on a side under the edge's other end where the box reaches that far.
  for (const { box, ports } of groups.values()) {
    const { index, end } = ports[0];
    const other = points[end === 0 ? 1 : 0][index][0];
    const vertical = sides[index].includes("bottom");
    if (ports.length === 1 && vertical && Math.abs(other - boxes[box].x) <= boxes[box].w / 2 - INSET) {
      points[end][index] = [other, points[end][index][1]];
    }
  }
  return points;
}

/** In millionths, so that rounding cannot part equals. */
function slopeOf(box: PlacedBox, towards: Point, side: BoxSide): number {
  const upright = side === "left" || side === "right";
  const slope = upright ? towards[1] - box.y : (towards[0] - box.x) / Math.max(12, Math.abs(towards[1] - box.y));
  return Math.floor(1e6 * slope + 0.5);
}

function onSide(box: PlacedBox, side: BoxSide, shift: number): Point {
  switch (side) {
    case "top":
      return [box.x + shift, box.y - box.h / 2 - box.cards * CARD];
    case "bottom":
      return [box.x + shift, box.y + box.h / 2];
    case "left":
      return [box.x - box.w / 2, box.y + shift];
    case "right":
      return [box.x + box.w / 2, box.y + shift];
  }
}

function routeOf(
  boxes: readonly PlacedBox[],
  link: BoxLink,
  sides: Sides,
  start: Point,
  end: Point,
  width: number,
  lanes: Lane[],
): Route {
  const stroke = edgeWidth(link.share);
  const back = TIP_GAP + headLength(stroke);
  if (sides[0] === "left" || sides[0] === "right") {
    const sign = sides[0] === "right" ? 1 : -1;
    const cards = boxes[sign > 0 ? link.source : link.target].cards * CARD;
    const gap = TIP_GAP + (sign < 0 ? cards : 0);
    const x0 = start[0] + (sign > 0 ? cards : 0);
    const x1 = end[0] - sign * (gap + headLength(stroke));
    const middle = (x0 + x1) / 2;
    const across = [x0, start[1], middle, start[1], middle, end[1], x1, end[1]];
    return { path: across, tip: [end[0] - sign * gap, end[1]], direction: [sign, 0], width: stroke };
  }
  if (sides[0] === "top" && sides[1] === "top") {
    const lift = 20 + 0.12 * Math.abs(end[0] - start[0]);
    const crest = Math.min(start[1], end[1]) - lift;
    const arch = [start[0], start[1], start[0], crest, end[0], crest, end[0], end[1] - back];
    return { path: arch, tip: [end[0], end[1] - TIP_GAP], direction: [0, 1], width: stroke };
  }
  // Downward edges are upward ones in a mirror.
  const sign = sides[0] === "top" ? 1 : -1;
  const obstacles = boxes
    .filter((_, index) => index !== link.source && index !== link.target)
    .map((box) => ({ ...box, y: sign * box.y }));
  const upward = risingPath(
    [start[0], sign * start[1]],
    [end[0], sign * end[1] + back],
    obstacles,
    stroke,
    width,
    lanes,
    sign,
  );
  const path = upward.map((value, place) => (place % 2 === 0 ? value : sign * value));
  return { path, tip: [end[0], end[1] + sign * TIP_GAP], direction: [0, -sign], width: stroke };
}
