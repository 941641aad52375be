/** What the keys do on a box of the circuit. */

import { clamp } from "../core/numbers";
import type { Box } from "../core/types";
import { ARROWS, type ArrowDirection, step } from "../layout/hit";
import { ablate, groupNodes, ungroupNodes } from "../store/commands";
import type { Store } from "../store/store";
import { moveBox, removeBox } from "./edits";
import type { Placed } from "./scene";

/** How far Alt and an arrow key move a box, in the pane's unit square. */
const NUDGE = 0.025;

interface Surroundings {
  readonly store: Store;
  readonly placed: readonly Placed[];
  readonly width: number;
  readonly height: number;
  readonly focus: (box: Box) => void;
  /** Gives the focus, once the boxes are drawn anew, to the first of these that is there. */
  readonly focusSoon: (ids: readonly string[]) => void;
  readonly openToolbar: () => void;
  readonly openMembers: () => void;
}

/** Does what a key means for the focused box; true if it means anything. */
export function pressKey(event: KeyboardEvent, at: number, around: Surroundings): boolean {
  const { store, placed } = around;
  const { box, x, y } = placed[at];
  if (event.ctrlKey || event.metaKey) return false;
  const arrow = ARROWS[event.key];
  if (arrow !== undefined) {
    const [dx, dy] = arrow;
    const inside = (value: number): number => clamp(value, 0, 1);
    if (event.altKey) {
      moveBox(store, box.id, [inside(x / around.width + NUDGE * dx), inside(y / around.height + NUDGE * dy)]);
    } else walk(around, at, arrow);
    return true;
  }
  switch (event.key) {
    case "Enter":
      store.actions.select([box.id], event.shiftKey ? "add" : "replace");
      return true;
    case " ":
      store.actions.select([box.id], "toggle");
      return true;
    case "F2":
      store.renaming.value = box.id;
      return true;
    case "a":
      ablate(store, box.nodes);
      return true;
    case "d":
      around.openToolbar();
      return true;
    case "m":
      if (box.name !== null) around.openMembers();
      return true;
    case "g":
      groupNodes(store, store.selected.value.length > 0 ? store.selected.value : box.nodes);
      return true;
    case "u":
      ungroupNodes(store, box.nodes);
      around.focusSoon(box.nodes);
      return true;
    case "Delete":
    case "Backspace":
      removeBox(store, box);
      around.focusSoon(nearest(placed, at));
      return true;
    default:
      return false;
  }
}

/** The other boxes, the nearest first. */
function nearest(placed: readonly Placed[], at: number): readonly string[] {
  const { x, y } = placed[at];
  const distance = (other: Placed): number => Math.hypot(other.x - x, other.y - y);
  return placed
    .filter((_, index) => index !== at)
    .sort((a, b) => distance(a) - distance(b))
    .map(({ box }) => box.id);
}

function walk({ placed, focus }: Surroundings, at: number, direction: ArrowDirection): void {
  const x = placed.map((one) => one.x);
  const y = placed.map((one) => one.y);
  const next = step(x, y, at, direction);
  if (next !== null) focus(placed[next].box);
}
