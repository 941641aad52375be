/** How map and circuit share the widget: pure functions of numbers. */

import { clamp } from "../core/numbers";

/** From this width on, map, circuit and inspector stand side by side; below the other one, one above the other. */
export const WIDE = 1180;
export const NARROW = 760;

/** How the panes are arranged: "stacked" has the circuit below the map, and the inspector beside both. */
export type Arrangement = "narrow" | "stacked" | "wide";

export function arrangementOf(width: number): Arrangement {
  if (width >= WIDE) return "wide";
  return width < NARROW ? "narrow" : "stacked";
}

/** The least share of either pane, so that none is moved out of sight. */
const LEAST_SHARE = 0.15;
const LEAST_HEIGHT = 320;
const MOST_HEIGHT = 2400;

/** The map's share as long as nobody moved the edge: that of the style sheet. */
export const FIRST_SHARE: Readonly<Record<Arrangement, number>> = { narrow: 0.5, stacked: 1.15 / 2.15, wide: 0.5 };

/** A height of all panes in percent of the most. */
export function percentOf(height: number): number {
  return (100 * height) / MOST_HEIGHT;
}

/** The map's share of the room of map and circuit, for an edge between them at `at`, in pixels from the map's beginning. */
export function shareAt(at: number, room: number): number {
  return room <= 0 ? 0.5 : clamp(at / room, LEAST_SHARE, 1 - LEAST_SHARE);
}

/** A share moved by a key. */
export function shareMoved(share: number, step: number): number {
  return clamp(share + step, LEAST_SHARE, 1 - LEAST_SHARE);
}

/** A height of all panes, in CSS pixels. */
export function heightOf(height: number): number {
  return Math.round(clamp(height, LEAST_HEIGHT, MOST_HEIGHT));
}
