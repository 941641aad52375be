/**
 * How thick, dark and dashed the lines of map and circuit are, and how large their ends, on the screen and in figures.
 * The port of circuit_widget/figure/layout/strokes.py. Units are pixels.
 */

import { clamp } from "../core/numbers";
import {
  ERROR_BAND,
  FAINT_PART,
  FAINT_WIDTHS,
  LEAST_BAND_PRESENCE,
  LEAST_OUTPUT_PRESENCE,
  LEAST_PRESENCE,
  MOST_BAND_PRESENCE,
  SIGNED_PART,
  THINNEST_SIGNED,
} from "./constants";

/** Width of an edge of a circuit for a share of input, by area-like square root. */
export function edgeWidth(share: number): number {
  return clamp(0.5 + 5 * Math.sqrt(Math.abs(share)), 0.8, 5);
}

/** Width of an edge of the map with its sign. */
export function signedWidth(share: number): number {
  return Math.max(THINNEST_SIGNED, SIGNED_PART * edgeWidth(share));
}

/** Index into FAINT_WIDTHS of an edge of the map without sign. */
export function faintStep(share: number): number {
  const width = FAINT_PART * edgeWidth(share);
  const step = FAINT_WIDTHS.findIndex((limit) => width <= limit);
  return step < 0 ? FAINT_WIDTHS.length - 1 : step;
}

/** Opacity of edges with their sign where there are so many of them and nothing is selected. */
export function signedOpacity(count: number): number {
  return clamp(6 / Math.sqrt(1 + count), 0.3, 0.7);
}

/** Opacity of edges without sign where there are so many of them, so that nodes stay readable. */
export function faintOpacity(count: number): number {
  return clamp(4 / Math.sqrt(1 + count), 0.1, 0.4);
}

/** Length of an arrowhead for a line of this width. */
export function headLength(width: number): number {
  return 4 + 1.1 * width;
}

/** Half the width of an arrowhead. */
export function headHalf(width: number): number {
  return 2.4 + 0.75 * width;
}

/** Half the length of the bar across the end of an inhibiting edge. */
export function barHalf(width: number): number {
  return 3.5 + 0.9 * width;
}

/** Lengths of dash and gap of an inhibiting edge. */
export function dashes(width: number): readonly [number, number] {
  return [2.5 + 1.3 * width, 2 + 0.8 * width];
}

/** Opacity of a feature by its activation before and after an intervention; one that was not active has all of it. */
export function presence(before: number, after: number): number {
  return before !== 0 ? clamp(after / before, LEAST_PRESENCE, 1) : 1;
}

/** Opacity of an output by its probability. */
export function outputPresence(probability: number): number {
  return clamp(Math.sqrt(probability), LEAST_OUTPUT_PRESENCE, 1);
}

/** Width of the ring that a grouped node of the map is. */
export function ringWidth(radius: number): number {
  return Math.min(2.2, 0.5 * radius + 0.6);
}

/** Height of the band of errors in a row of this height. */
export function errorBandHeight(row: number): number {
  return Math.min(ERROR_BAND, 0.8 * row);
}

/** Opacity of a band of errors by its influence and that of the band that has most. */
export function errorBandOpacity(influence: number, most: number): number {
  const part = most > 0 ? influence / most : 0;
  return LEAST_BAND_PRESENCE + (MOST_BAND_PRESENCE - LEAST_BAND_PRESENCE) * part;
}
