/** Pointer gestures on the map: hover, select, drag nodes, draw a rectangle. */

import type { Drag } from "../core/types";
import type { NodeId } from "../messages/types";
import { type ClientPoint, isToggle, listenOn, pointOn } from "../page/listen";
import { closeBand, openBand } from "../store/bands";
import { dropOnNode } from "../store/commands";
import type { Store } from "../store/store";
import { bandAt, bandTextAt } from "./band-at";
import { opens } from "./speech";
import type { MapView } from "./view";

const DRAG_DISTANCE = 4;

/** What the pressed pointer is doing. */
type MapPress =
  | { readonly kind: "node"; readonly node: NodeId; readonly x: number; readonly y: number; dragging: boolean }
  | { readonly kind: "rectangle"; readonly x: number; readonly y: number }
  | { readonly kind: "ground"; readonly x: number; readonly y: number };

export function attachGestures(canvas: HTMLCanvasElement, view: MapView, store: Store, signal: AbortSignal): void {
  const listen = listenOn(canvas, signal);
  let press: MapPress | null = null;

  const at = (event: MouseEvent) => pointOn(canvas, event);

  const release = () => {
    press = null;
    view.rectangle.value = null;
    view.dropTarget.value = null;
    if (store.drag.value?.dropped === false) store.drag.value = null;
  };

  listen("pointerdown", (event) => {
    if (event.button !== 0) return;
    const point = at(event);
    const node = view.nodeAt(point.x, point.y);
    const pressed: MapPress =
      node !== null
        ? { kind: "node", node, ...point, dragging: false }
        : { kind: event.shiftKey ? "rectangle" : "ground", ...point };
    if (pressed.kind !== "ground") canvas.setPointerCapture(event.pointerId);
    press = pressed;
  });

  listen("pointermove", (event) => {
    const point = at(event);
    view.walking.value = false;
    if (press === null || press.kind === "ground") {
      if (event.buttons === 0) {
        store.actions.hover(view.nodeAt(point.x, point.y));
        canvas.title = store.hovered.peek() === null ? bandTextAt(view, store, point) : "";
        canvas.classList.toggle("on-band", canvas.title.includes("click"));
      }
      return;
    }
    if (press.kind === "rectangle") {
      view.rectangle.value = { x0: press.x, y0: press.y, x1: point.x, y1: point.y };
      return;
    }
    if (!press.dragging && Math.hypot(point.x - press.x, point.y - press.y) < DRAG_DISTANCE) return;
    press.dragging = true;
    const nodes = draggedNodes(store, press.node);
    const under = view.nodeAt(point.x, point.y);
    view.dropTarget.value = under !== null && !nodes.includes(under) ? under : null;
    store.actions.hover(null);
    store.drag.value = { nodes, x: event.clientX, y: event.clientY, dropped: false };
  });

  listen("pointerup", (event) => {
    const point = at(event);
    if (press?.kind === "ground") {
      const still = Math.hypot(point.x - press.x, point.y - press.y) < DRAG_DISTANCE;
      if (still && !isToggle(event)) clickGround(store, view, point);
    } else if (press?.kind === "rectangle") {
      const area = view.rectangle.value;
      if (area !== null) store.actions.select(view.nodesIn(area), event.ctrlKey || event.metaKey ? "add" : "replace");
    } else if (press?.kind === "node" && press.dragging) {
      const target = view.dropTarget.value;
      const drag = store.drag.value;
      if (drag !== null && target !== null) dropOnNode(store, drag.nodes, target);
      else if (drag !== null) drop(store, drag);
    } else if (press?.kind === "node") {
      view.cursor.value = press.node;
      store.actions.select([press.node], isToggle(event) ? "toggle" : "replace");
    }
    release();
  });

  listen("pointercancel", release);
  listen("pointerleave", () => press === null && store.actions.hover(null));
  listen("keydown", (event) => {
    if (event.key !== "Escape" || press === null) return;
    event.stopPropagation();
    release();
  });
}

/** Opens the band there, or takes the selection back, or closes the open band there. */
function clickGround(store: Store, view: MapView, point: ClientPoint): void {
  const band = bandAt(view, store, point);
  const selects = store.selected.value.length > 0 || store.paths.value !== null;
  if (band !== null && !band.open && opens(store, band)) view.about(point, () => openBand(store, band));
  else if (selects || band === null) store.actions.select([], "replace");
  else if (band.open) view.about(point, () => closeBand(store, band));
}

/** Announces a drop to the other panes; they see it in the next frame, so it is forgotten only in the one after. */
function drop(store: Store, drag: Drag): void {
  const dropped = { ...drag, dropped: true };
  store.drag.value = dropped;
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      if (store.drag.value === dropped) store.drag.value = null;
    }),
  );
}

/** A node is dragged with the whole selection it belongs to. */
function draggedNodes(store: Store, node: NodeId): readonly NodeId[] {
  const selected = store.selected.value;
  return selected.includes(node) ? selected : [node];
}
