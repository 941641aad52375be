/**
 * Where a box is that an experiment brings in, a swapped-in one or a new answer: beside the box that it belongs to.
 * The port of circuit_widget/figure/layout/beside.py.
 */

import { boxSize, type PlacedBox } from "./circuit-layout";
import {
  ANSWER_GAP,
  ANSWER_STEP,
  ANSWER_TOP,
  CARD,
  CORNER,
  DIAGONAL,
  EDGE_CLEARANCE,
  INJECTED_MARGIN,
  LEFT_GAP,
  MOST_PLACES,
  PLACE_STEP,
  RIGHT_GAP,
} from "./constants";
import { isClear } from "./detour";
import type { Route } from "./routing";

/**
 * The box at the first of six places by the box of index `beside` that are free: right, left, above, below. A place that
 * no edge crosses goes before one that edges have to go around.
 */
export function boxBeside(
  name: string,
  members: number,
  beside: number | null,
  placed: readonly PlacedBox[],
  routes: readonly Route[],
  width: number,
  height: number,
  [rightGap, leftGap]: readonly [number, number] = [RIGHT_GAP, LEFT_GAP],
): PlacedBox {
  const { w, h } = boxSize(name);
  const cards = Math.min(members - 1, 2);
  if (beside === null) return { x: width - w / 2 - CORNER[0], y: h / 2 + CORNER[1], w, h, cards };
  const host = placed[beside];
  const aside = (host.w + w) / 2;
  const near = aside + DIAGONAL;
  const rise = (host.h + h) / 2 + DIAGONAL;
  const besides = [
    [aside + rightGap, 0],
    [-aside - leftGap, 0],
    [near, -rise],
    [-near, -rise],
    [near, rise],
    [-near, rise],
  ]
    .map(([dx, dy]) => ({ x: host.x + dx, y: host.y + dy, w, h, cards }))
    .filter((place) => isFree(place, placed, width, height));
  const free = besides.length > 0 ? besides : freePlaces({ ...host, w, h, cards }, placed, width, height);
  const clear = free.find((place) => routes.every(({ path }) => isClear(path, [place], EDGE_CLEARANCE)));
  const rightmost = width - w / 2 - CARD * cards - INJECTED_MARGIN;
  return clear ?? free[0] ?? { x: Math.min(rightmost, host.x + aside + 20), y: Math.max(h, host.y - h), w, h, cards };
}

/** The free places of a grid over the whole circuit, those nearest to the box first. */
function freePlaces(box: PlacedBox, placed: readonly PlacedBox[], width: number, height: number): PlacedBox[] {
  const rows = Math.trunc(height / PLACE_STEP);
  const columns = Math.trunc(width / PLACE_STEP);
  const distance = ({ x, y }: PlacedBox) => (x - box.x) * (x - box.x) + (y - box.y) * (y - box.y);
  return Array.from({ length: rows * columns }, (_, at) => ({
    ...box,
    x: PLACE_STEP * (at % columns),
    y: PLACE_STEP * Math.trunc(at / columns),
  }))
    .filter((place) => isFree(place, placed, width, height))
    .sort((one, other) => distance(one) - distance(other))
    .slice(0, MOST_PLACES);
}

/**
 * The boxes of new answers, each beside the one before, the first beside the rightmost of the boxes in `outputs`. Without
 * outputs, the first is at the top, as far right as it is free.
 */
export function answersBeside(
  names: readonly string[],
  outputs: readonly number[],
  placed: readonly PlacedBox[],
  routes: readonly Route[],
  width: number,
  height: number,
): PlacedBox[] {
  const boxes = [...placed];
  let host: number | null = null;
  for (const output of outputs) if (host === null || placed[output].x > placed[host].x) host = output;
  for (const name of names) {
    boxes.push(
      host === null
        ? atTheTop(name, boxes, width, height)
        : boxBeside(name, 1, host, boxes, routes, width, height, [ANSWER_GAP, ANSWER_GAP]),
    );
    host = boxes.length - 1;
  }
  return boxes.slice(placed.length);
}

/** The box with room at its right for what is written there. */
function atTheTop(name: string, placed: readonly PlacedBox[], width: number, height: number): PlacedBox {
  const { w, h } = boxSize(name);
  const rightmost = width - w / 2 - ANSWER_GAP - INJECTED_MARGIN;
  const steps = Math.max(1, Math.trunc((rightmost - w / 2) / ANSWER_STEP));
  const places = Array.from({ length: steps }, (_, step) => ({
    x: rightmost - ANSWER_STEP * step,
    y: h / 2 + ANSWER_TOP,
    w,
    h,
    cards: 0,
  }));
  const withText = (place: PlacedBox) => ({ ...place, x: place.x + ANSWER_GAP / 2, w: w + ANSWER_GAP });
  return places.find((place) => isFree(withText(place), placed, width, height)) ?? places[0];
}

/** Whether a box is inside the circuit and clear of the others. */
function isFree(
  { x, y, w, h, cards }: PlacedBox,
  placed: readonly PlacedBox[],
  width: number,
  height: number,
): boolean {
  const across = x - w / 2 >= INJECTED_MARGIN && x + w / 2 + CARD * cards <= width - INJECTED_MARGIN;
  const down = y - h / 2 - CARD * cards >= INJECTED_MARGIN && y + h / 2 <= height - INJECTED_MARGIN;
  return (
    across &&
    down &&
    placed.every((one) => Math.abs(one.x - x) > (one.w + w) / 2 + 8 || Math.abs(one.y - y) > (one.h + h) / 2 + 6)
  );
}
