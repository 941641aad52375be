/** The map's camera by pointer: pan by dragging the ground or sideways by wheel, zoom by wheel or with two fingers. Zooming in on a band opens it. */

import { KIND } from "../core/constants";
import type { BandRange } from "../core/open-bands";
import type { NodeId } from "../messages/types";
import { type ClientPoint, listenOn, pointOn } from "../page/listen";
import { closeBand, openBand } from "../store/bands";
import type { Store } from "../store/store";
import { bandAt } from "./band-at";
import { look, pan, restOf, reveal, zoomAbout } from "./camera";
import { frameOf } from "./scene";
import { opens } from "./speech";
import type { MapView } from "./view";

/** The scale of the map at which zooming in on a band opens it. */
const OPENS_AT = { layers: 3, positions: 2 };

/** A band that zooming opened closes once the map is this much smaller than then. */
const CLOSES_AT = 0.7;

/** CSS pixels in a step of a wheel that counts lines. */
const LINE = 16;

export interface Zooming {
  /** Zooms in on the selection, else on the strongest node in view; out about the middle of the map. */
  by(factor: number): void;
  reset(): void;
}

/**
 * Listens on the canvas. The wheel zooms once the map has focus, or with Ctrl or Cmd; else it scrolls the page. Turned
 * sideways, or with Shift, it scrolls a map that is wider than its pane.
 */
export function attachZoom(canvas: HTMLCanvasElement, view: MapView, store: Store, signal: AbortSignal): Zooming {
  const listen = listenOn(canvas, signal);
  const down = new Map<number, ClientPoint>();

  /** The bands that zooming opened, each with the scale at which it did. */
  const opened: { readonly band: BandRange; readonly k: number }[] = [];

  const at = (event: MouseEvent) => pointOn(canvas, event);
  const overNode = (event: MouseEvent) => view.nodeAt(at(event).x, at(event).y) !== null;

  const zoom = (point: ClientPoint, factor: number) => {
    if (!zoomAbout(view, point, factor)) return false;
    const { k } = view.camera.peek();
    const band = factor > 1 ? bandAt(view, store, point) : null;
    if (band !== null && !band.open && k >= OPENS_AT[band.of] && opens(store, band)) {
      opened.push({ band, k });
      view.about(point, () => openBand(store, band));
    }
    for (const one of opened.filter(({ k: then }) => k < CLOSES_AT * then)) {
      opened.splice(opened.indexOf(one), 1);
      view.about(point, () => closeBand(store, one.band));
    }
    return true;
  };

  listen("wheel", (event) => {
    const across = acrossOf(event, view.size.peek().width);
    if (across !== 0) {
      if (pan(view, -across, 0)) event.preventDefault();
      return;
    }
    if (!event.ctrlKey && !event.metaKey && !view.focused.value) return;
    if (zoom(at(event), 2 ** wheelStep(event))) event.preventDefault();
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
    if (before.length > 0) zoom(before.middle, after.length / before.length);
    pan(view, after.middle.x - before.middle.x, after.middle.y - before.middle.y);
  });
  for (const end of ["pointerup", "pointercancel"] as const) {
    listen(end, (event) => down.delete(event.pointerId));
  }

  const reset = () => {
    for (const { band } of opened.splice(0)) closeBand(store, band);
    look(view, restOf(view.scene.peek()));
  };
  listen("dblclick", (event) => !overNode(event) && reset());

  return {
    by(factor) {
      const subject = factor > 1 ? subjectOf(view, store) : null;
      if (subject !== null) reveal(view, subject);
      const { width, height } = view.size.value;
      const spot = subject === null ? null : view.positionOf(subject);
      zoom(spot ?? { x: width / 2, y: height / 2 }, factor);
    },
    reset,
  };
}

/** What a closer look is taken at: the node with the keyboard, the selection, else the strongest node in view. */
function subjectOf(view: MapView, { snapshot, selected }: Store): NodeId | null {
  const { ids, index, influence, kind } = snapshot;
  const walked = view.walking.peek() ? [view.cursor.peek()] : [];
  const chosen = [...selected.peek(), ...walked].filter((id) => id !== null && view.indexOf(id) >= 0);
  const last = chosen[chosen.length - 1];
  if (last !== undefined) return last;
  const { width, height } = view.size.peek();
  const seen = view.nodesIn({ x0: frameOf(view.scene.peek()).left, y0: 0, x1: width, y1: height });
  const features = seen.map((id) => index.get(id) as number).filter((node) => kind[node] === KIND.feature);
  const [strongest] = features.sort((a, b) => influence[b] - influence[a]);
  return strongest === undefined ? null : ids[strongest];
}

/** How far a turn of the wheel scrolls sideways, in CSS pixels; 0 where it means something else. */
function acrossOf(event: WheelEvent, page: number): number {
  if (event.ctrlKey || event.metaKey) return 0;
  const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
  const steps = sideways ? event.deltaX : event.shiftKey ? event.deltaY : 0;
  if (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL) return steps;
  return steps * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE : page);
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
