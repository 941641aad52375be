/** The map by keyboard: arrows walk the nodes, the rest acts on the node or the selection. */

import { KIND } from "../core/constants";
import { ARROWS, type ArrowDirection, step } from "../layout/hit";
import type { NodeId } from "../messages/types";
import { listenOn } from "../page/listen";
import type { Store } from "../store/store";
import { reveal } from "./camera";
import type { MapView } from "./view";
import type { Zooming } from "./zoom";

export function attachKeys(
  canvas: HTMLCanvasElement,
  view: MapView,
  zooming: Zooming,
  store: Store,
  signal: AbortSignal,
): void {
  const listen = listenOn(canvas, signal);
  listen("focus", () => {
    view.focused.value = true;
  });
  listen("blur", () => {
    view.focused.value = false;
    view.walking.value = false;
  });
  listen("keydown", (event) => onKey(event, view, zooming, store));
}

function onKey(event: KeyboardEvent, view: MapView, zooming: Zooming, store: Store): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const direction = ARROWS[event.key];
  const cursor = view.cursor.value;
  if (direction !== undefined) walk(view, store, direction, event.shiftKey);
  else if (event.key === "Enter" && !event.shiftKey && cursor !== null) store.actions.select([cursor], "replace");
  else if (event.key === " " && cursor !== null) store.actions.select([cursor], "toggle");
  else if (event.key === "Escape") store.actions.select([], "replace");
  else if (event.key === "+" || event.key === "=") zooming.by(1.4);
  else if (event.key === "-") zooming.by(1 / 1.4);
  else if (event.key === "0") zooming.reset();
  else {
    // What acts on the selection acts on the cursor's node when nothing is selected.
    const acts = ["p", "u", "a", "F2"].includes(event.key);
    if (acts && cursor !== null && store.selected.value.length === 0) store.actions.select([cursor], "replace");
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

/** Moves the cursor to the next visible node; with Shift the nodes passed are added to the selection. */
function walk(view: MapView, store: Store, direction: ArrowDirection, extend: boolean): void {
  const { layout, visible } = view.scene.value;
  const { ids } = store.snapshot;
  const from = view.cursor.value === null ? -1 : view.indexOf(view.cursor.value);
  const index = from < 0 ? view.indexOf(firstNode(view, store)) : step(layout.x, layout.y, from, direction);
  if (index === null || index < 0) return;
  const node = ids[visible.nodes[index]];
  if (extend && view.cursor.value !== null) store.actions.select([view.cursor.value, node], "add");
  view.cursor.value = node;
  view.walking.value = true;
  reveal(view, node);
  store.actions.hover(null);
}

/** Where walking begins: the last selected node, else the most influential feature. */
function firstNode(view: MapView, store: Store): NodeId {
  const selected = store.selected.value.filter((id) => view.indexOf(id) >= 0);
  const last = selected[selected.length - 1];
  if (last !== undefined) return last;
  const { ids, influence, kind } = store.snapshot;
  const { nodes } = view.scene.value.visible;
  const weight = (node: number) => (kind[node] === KIND.feature ? influence[node] : 0);
  return ids[nodes.reduce((best, node) => (weight(node) > weight(best) ? node : best))];
}
