/** The map's camera by pointer: pan by dragging the ground, zoom by wheel or with two fingers; the map fills its frame. */

import { clamp } from "../core/scales";
import { type ClientPoint, listenOn, pointOn } from "../page/listen";
import { AT_REST } from "./scene";
import type { MapView } from "./view";

const MOST_ZOOM = 12;

export interface Zooming {
  /** Zooms about what is selected, else about the strongest node in sight. */
  by(factor: number): void;
  reset(): void;
}

/** Listens on the canvas. The wheel zooms once the map has focus, or with Ctrl or Cmd; else it scrolls the page. */
export function attachZoom(canvas: HTMLCanvasElement, view: MapView, signal: AbortSignal): Zooming {
  const listen = listenOn(canvas, signal);
  const down = new Map<number, ClientPoint>();

  const at = (event: MouseEvent) => pointOn(canvas, event);
  const overNode = (event: MouseEvent) => view.nodeAt(at(event).x, at(event).y) !== null;

  listen("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && !view.focused.value) return;
    if (zoomAbout(view, at(event), 2 ** wheelStep(event))) event.preventDefault();
  });
  listen("pointerdown", (event) => {
    if (event.button !== 0 || event.shiftKey || overNode(event)) return;
    down.set(event.pointerId, at(event));
    canvas.setPointerCapture(event.pointerId);
  });
  listen("pointermove", (event) => {
    if (!down.has(event.pointerId)) return;
    const before = spanOf(down);
    down.set(event.pointerId, at(event));
    const after = spanOf(down);
    if (before.length > 0) zoomAbout(view, before.middle, after.length / before.length);
    pan(view, after.middle.x - before.middle.x, after.middle.y - before.middle.y);
  });
  for (const end of ["pointerup", "pointercancel"] as const) {
    listen(end, (event) => down.delete(event.pointerId));
  }

  const reset = () => {
    view.camera.value = AT_REST;
  };
  listen("dblclick", (event) => !overNode(event) && reset());
  // A smaller frame may have left the camera looking past its edge.
  const stop = view.size.subscribe(() => pan(view, 0, 0));
  signal.addEventListener("abort", stop);

  return {
    by(factor) {
      zoomAbout(view, view.middle(), factor);
    },
    reset,
  };
}

/** Steps of a doubling that a turn of the wheel means. */
function wheelStep(event: WheelEvent): number {
  // A pinch arrives as a wheel event with Ctrl and small steps; a real wheel's steps are large.
  const pinch = event.ctrlKey && Math.abs(event.deltaY) < 50;
  const unit =
    event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 0.002 : event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 0.05 : 1;
  return -event.deltaY * unit * (pinch ? 10 : 1);
}

/** The middle of the first two pressed pointers and the distance between them; of one pointer, where it is and 0. */
function spanOf(down: ReadonlyMap<number, ClientPoint>): { readonly middle: ClientPoint; readonly length: number } {
  const [a, b = a] = down.values();
  return { middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }, length: Math.hypot(a.x - b.x, a.y - b.y) };
}

/** Scales the map while a point of it stays in place; false at the end of the range. */
function zoomAbout(view: MapView, point: ClientPoint, factor: number): boolean {
  const { k: from, x, y } = view.camera.peek();
  const k = clamp(from * factor, 1, MOST_ZOOM);
  if (k === from) return false;
  look(view, k, point.x - ((point.x - x) * k) / from, point.y - ((point.y - y) * k) / from);
  return true;
}

function pan(view: MapView, dx: number, dy: number): void {
  const { k, x, y } = view.camera.peek();
  look(view, k, x + dx, y + dy);
}

function look(view: MapView, k: number, x: number, y: number): void {
  const { width, height } = view.size.peek();
  const camera = { k, x: clamp(x, width * (1 - k), 0), y: clamp(y, height * (1 - k), 0) };
  const before = view.camera.peek();
  if (camera.k !== before.k || camera.x !== before.x || camera.y !== before.y) view.camera.value = camera;
}
