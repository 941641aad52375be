/**
 * Where the numbers of edges between boxes are: on their edges, clear of boxes and of each other.
 * The port of circuit_widget/figure/layout/edge_numbers.py.
 */

import type { PlacedBox } from "./circuit-layout";
import { ABOVE_BOX, CARD, NUMBER_CLEARANCE, NUMBER_HEIGHT, NUMBER_STEP, NUMBER_STEPS } from "./constants";
import type { Area } from "./map-labels";
import type { Point, Route } from "./routing";

/** What a box takes up, with a result beside or above it and a mark at its left, of these widths. */
export function boxArea({ x, y, w, h, cards }: PlacedBox, textRoom = 0, markRoom = 0): Area {
  const above = textRoom > 0 || markRoom > 0 ? ABOVE_BOX : 0;
  return {
    x0: x - Math.max(w / 2 + markRoom, textRoom / 2) - NUMBER_CLEARANCE,
    y0: y - h / 2 - CARD * cards - above - NUMBER_CLEARANCE,
    x1: x + w / 2 + CARD * cards + textRoom + NUMBER_CLEARANCE,
    y1: y + h / 2 + NUMBER_CLEARANCE,
  };
}

/**
 * The middle of each edge's number; null for an edge on which there is no room for one. Numbers of wide edges come
 * first. Each is as near to the middle of its edge as it can be without covering a taken area, another number or the end
 * of the page; a place that no other edge crosses goes before one that an edge does.
 */
export function numberPlaces(
  taken: readonly Area[],
  routes: readonly Pick<Route, "path" | "width">[],
  widths: readonly number[],
  width: number,
  height: number,
): readonly (Point | null)[] {
  const lines = routes.map(({ path }) => Array.from({ length: 65 }, (_, step) => pointAt(path, step / 64)));
  const found = routes.map((): Point | null => null);
  const areas = [...taken];
  const rank = (index: number) => -Math.floor(1e6 * routes[index].width + 0.5);
  for (const index of [...routes.keys()].sort((a, b) => rank(a) - rank(b) || a - b)) {
    const places = SHARES.map((share) => pointAt(routes[index].path, share));
    const free = places.filter((place) => isFree(areaOf(place, widths[index]), areas, width, height));
    const others = lines.filter((_, number) => number !== index);
    const chosen = free.find((place) => !isCrossed(areaOf(place, widths[index]), others)) ?? free[0];
    if (chosen === undefined) continue;
    found[index] = chosen;
    areas.push(areaOf(chosen, widths[index]));
  }
  return found;
}

const SHARES = [
  0.5,
  ...Array.from({ length: NUMBER_STEPS }, (_, step) => NUMBER_STEP * (step + 1)).flatMap((step) => [
    0.5 - step,
    0.5 + step,
  ]),
];

function areaOf([x, y]: Point, width: number): Area {
  return { x0: x - width / 2, y0: y - NUMBER_HEIGHT / 2, x1: x + width / 2, y1: y + NUMBER_HEIGHT / 2 };
}

function isFree(area: Area, taken: readonly Area[], width: number, height: number): boolean {
  if (area.x0 < 0 || area.y0 < 0 || area.x1 > width || area.y1 > height) return false;
  return !taken.some((one) => one.x0 < area.x1 && area.x0 < one.x1 && one.y0 < area.y1 && area.y0 < one.y1);
}

function isCrossed(area: Area, lines: readonly (readonly Point[])[]): boolean {
  return lines.some((line) => line.some(([x, y]) => area.x0 < x && x < area.x1 && area.y0 < y && y < area.y1));
}

/** The point at a share of a path of cubics, each of which counts the same. */
function pointAt(path: readonly number[], share: number): Point {
  const cubics = Math.floor((path.length - 2) / 6);
  const along = share * cubics;
  const cubic = Math.min(Math.floor(along), cubics - 1);
  const t = along - cubic;
  const weights = [(1 - t) * (1 - t) * (1 - t), 3 * (1 - t) * (1 - t) * t, 3 * (1 - t) * t * t, t * t * t];
  const onAxis = (axis: 0 | 1) =>
    weights.reduce((sum, weight, corner) => sum + weight * path[6 * cubic + 2 * corner + axis], 0);
  return [onAxis(0), onAxis(1)];
}
