/** A map on a page whose canvas remembers what was painted; each test gets a new one. */

import { afterEach, beforeEach, vi } from "vitest";
import { attachGestures } from "../src/map/gestures";
import { attachKeys } from "../src/map/keys";
import { MapView } from "../src/map/view";
import { attachZoom } from "../src/map/zoom";
import { FakeModel, storeOn } from "./fake-model";

export interface Stroke {
  readonly what: "stroke" | "fill" | "text";
  readonly color: string;
  readonly dash: number;
  readonly width: number;
  readonly opacity: number;
  readonly path: readonly string[];
}

/** A 2d context that remembers what was stroked and filled, and which texts were written. */
function recorder(painted: Stroke[]) {
  const saved: object[] = [];
  const state = { strokeStyle: "", fillStyle: "", dash: 0, lineWidth: 1, globalAlpha: 1 };
  let path: string[] = [];
  const note = (what: Stroke["what"]) => {
    const { strokeStyle, fillStyle, dash, lineWidth: width, globalAlpha: opacity } = state;
    painted.push({ what, color: what === "stroke" ? strokeStyle : fillStyle, dash, width, opacity, path });
  };
  const known: Record<string, unknown> = {
    beginPath: () => {
      path = [];
    },
    setLineDash: (dash: number[]) => {
      state.dash = dash.length;
    },
    save: () => saved.push({ ...state }),
    restore: () => Object.assign(state, saved.pop()),
    stroke: () => note("stroke"),
    fill: () => note("fill"),
    fillText: (text: string) => {
      path = [text];
      note("text");
    },
    measureText: (text: string) => ({ width: 7 * text.length }),
  };
  return new Proxy(state as Record<string, unknown>, {
    get: (_, name: string) => known[name] ?? state[name as keyof typeof state] ?? (() => path.push(name)),
    set: (target, name: string, value) => {
      target[name] = value;
      return true;
    },
  });
}

export const frame = () => new Promise((resolve) => requestAnimationFrame(() => resolve(undefined)));

/** What was painted since the last frame that was waited for. */
export const painted: Stroke[] = [];
let abort = new AbortController();

beforeEach(() => {
  painted.length = 0;
  abort = new AbortController();
  vi.stubGlobal(
    "Path2D",
    class {
      moveTo() {}
      bezierCurveTo() {}
    },
  );
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockImplementation((() => recorder(painted)) as never);
});

afterEach(() => {
  abort.abort();
  document.body.replaceChildren();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** A map of the small graph on a page, with what acts on it. */
export function setUp(traits: Record<string, unknown> = {}) {
  const model = new FakeModel(traits);
  const store = storeOn(model, abort);
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setPointerCapture = () => {};
  document.body.append(canvas);
  const view = new MapView(canvas, store, () => {}, abort.signal);
  view.size.value = { width: 560, height: 380 };
  attachGestures(canvas, view, store, abort.signal);
  const zooming = attachZoom(canvas, view, store, abort.signal);
  attachKeys(canvas, view, zooming, store, abort.signal);
  const at = (id: string) => {
    const place = view.positionOf(id);
    if (place === null) throw new Error(`${id} is not on the map`);
    return place;
  };
  const pointer = (type: string, { x, y }: { x: number; y: number }, init: PointerEventInit = {}) =>
    canvas.dispatchEvent(new PointerEvent(type, { clientX: x, clientY: y, bubbles: true, ...init }));
  const click = (id: string, init: PointerEventInit = {}) => {
    pointer("pointerdown", at(id), init);
    pointer("pointerup", at(id), init);
  };
  const drag = (from: { x: number; y: number }, to: { x: number; y: number }, init: PointerEventInit = {}) => {
    pointer("pointerdown", from, init);
    pointer("pointermove", { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 }, { ...init, buttons: 1 });
    pointer("pointermove", to, { ...init, buttons: 1 });
    pointer("pointerup", to, init);
  };
  const wheel = (
    deltaY: number,
    init: { ctrlKey?: boolean; shiftKey?: boolean; deltaX?: number; clientX?: number; clientY?: number } = {},
  ) => {
    const event = new WheelEvent("wheel", { deltaY, cancelable: true });
    // The test's document makes wheel events that are no mouse events.
    Object.assign(event, { clientX: 200, clientY: 100, ctrlKey: false, metaKey: false, ...init });
    const kept = vi.spyOn(event, "preventDefault");
    canvas.dispatchEvent(event);
    return kept.mock.calls.length > 0;
  };
  const key = (name: string, init: KeyboardEventInit = {}) =>
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, ...init }));
  return { model, store, canvas, view, at, pointer, click, drag, wheel, key };
}
