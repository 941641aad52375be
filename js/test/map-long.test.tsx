import { act } from "preact/test-utils";
import { describe, expect, it } from "vitest";
import { EMPTY_CIRCUIT, filter } from "../src/core/circuit";
import { bandAt } from "../src/map/band-at";
import { Minimap } from "../src/map/minimap";
import { placeAt, pointOf } from "../src/map/scene";
import { closedText, openText, showsOnOpening } from "../src/map/speech";
import type { SnapshotMessage } from "../src/messages/types";
import { fixtureSnapshot } from "./fake-model";
import { setUp } from "./map-page";
import { mount } from "./panels";

const APART = 11;

/** The small graph with ten tokens between any two of its own, which have no nodes. */
function longSnapshot(): SnapshotMessage {
  const { columns, tokens, ...rest } = fixtureSnapshot();
  const short = columns.position.data;
  const position = new DataView(new ArrayBuffer(short.byteLength));
  for (let at = 0; at < short.byteLength; at += 2) {
    const before = new DataView(short.buffer, short.byteOffset).getInt16(at, true);
    position.setInt16(at, APART * before, true);
  }
  const count = APART * (tokens.length - 1) + 1;
  return {
    ...rest,
    position: count - 1,
    tokens: Array.from({ length: count }, (_, at) => ({ ...tokens[0], text: ` token${at}` })),
    columns: { ...columns, position: { ...columns.position, data: position } },
  };
}

/** A map of few nodes, or all; the few are features. */
function setUpLong(node = 0) {
  const circuit = node === 0 ? filter(EMPTY_CIRCUIT, { kinds: ["feature"] }) : EMPTY_CIRCUIT;
  const page = setUp({ snapshot: longSnapshot(), circuit });
  page.store.actions.previewThresholds({ node, edge: 0 });
  return page;
}

const textsOf = ({ view }: ReturnType<typeof setUp>) => view.scene.value.layout.columns.map(({ text }) => text);

function bandOf({ view, store }: ReturnType<typeof setUp>) {
  const { columns } = view.scene.value.layout;
  const column = columns.find(
    ({ position, last }) =>
      last > position &&
      store.snapshot.nodePosition.some((one, node) => one > position && one < last && store.snapshot.kind[node] < 2),
  );
  if (column === undefined) throw new Error("no band has nodes");
  const { k, x } = view.camera.value;
  return { column, x: (k * (column.x0 + column.x1)) / 2 + x };
}

describe("a run of positions with nothing to show", () => {
  it("is one band with the number of its tokens", () => {
    const page = setUpLong();
    const { column } = bandOf(page);
    expect(textsOf(page)).toContain(`${column.last - column.position + 1} tokens`);
    expect(page.view.scene.value.layout.columns.map(({ position }) => position)).not.toContain(column.position + 1);
  });

  it("opens by a click where it was clicked, and closes by another", () => {
    const page = setUpLong();
    const { view, store, pointer } = page;
    const { column, x } = bandOf(page);
    const click = (at: number) => {
      pointer("pointerdown", { x: at, y: 200 });
      pointer("pointerup", { x: at, y: 200 });
    };
    const before = textsOf(page);
    const hidden = { of: "positions", first: column.position, last: column.last } as const;
    expect(closedText(store, hidden)).toMatch(
      /^\d+ tokens, positions \d+–\d+, “token\d+.*”: none of (at least )?\d+ nodes is visible$/,
    );
    click(x);
    expect(store.openBands.value).toEqual([hidden]);
    expect(textsOf(page)).not.toEqual(before);
    const { k, x: left, y } = view.camera.value;
    const { position } = placeAt(view.scene.value, (x - left) / k, (200 - y) / k);
    expect(position).toBeGreaterThanOrEqual(column.position);
    expect(position).toBeLessThanOrEqual(column.last + 1);
    expect(openText(store, hidden)).toContain(
      `open, with ${showsOnOpening(store.snapshot, store.circuit.value, hidden)}`,
    );
    const open = view.scene.value.layout.columns.find(
      (one) => one.position > column.position && one.last < column.last,
    );
    expect(open).toBeDefined();
    store.openBands.value = [];
    expect(textsOf(page)).toEqual(before);
  });

  it("opens by zooming in on it, and closes by zooming out again", () => {
    const page = setUpLong();
    const { store, wheel } = page;
    const { x } = bandOf(page);
    const turn = (deltaY: number) => wheel(deltaY, { ctrlKey: true, clientX: x, clientY: 200 });
    turn(-100);
    expect(store.openBands.value).toEqual([]);
    for (let step = 0; step < 20 && store.openBands.value.length === 0; step++) turn(-100);
    expect(store.openBands.value).toHaveLength(1);
    expect(store.openBands.value[0].of).toBe("positions");
    for (let step = 0; step < 20; step++) turn(100);
    expect(store.openBands.value).toEqual([]);
  });
});

describe("a map that is wider than its pane", () => {
  const setUpWide = () => {
    const page = setUpLong(1);
    page.view.size.value = { width: 150, height: 380 };
    return page;
  };

  it("begins at its end, where the outputs are, and stays there in another size", () => {
    const { view, wheel, key } = setUpWide();
    const { width, contentWidth } = view.scene.value;
    expect(contentWidth).toBeGreaterThan(width);
    expect(view.camera.value).toEqual({ k: 1, x: width - contentWidth, y: 0 });
    view.size.value = { width: 120, height: 380 };
    expect(view.camera.value.x).toBe(120 - view.scene.value.contentWidth);
    wheel(0, { deltaX: -60 });
    expect(view.camera.value.x).toBe(180 - view.scene.value.contentWidth);
    key("0");
    expect(view.camera.value.x).toBe(120 - view.scene.value.contentWidth);
  });

  it("scrolls by a wheel that turns sideways or with Shift, and leaves it to the page at its end", () => {
    const { view, wheel } = setUpWide();
    const before = view.camera.value.x;
    expect(wheel(0, { deltaX: -30 })).toBe(true);
    expect(view.camera.value.x).toBe(before + 30);
    expect(wheel(20, { shiftKey: true })).toBe(true);
    expect(view.camera.value.x).toBe(before + 10);
    expect(wheel(0, { deltaX: 500 })).toBe(true);
    expect(view.camera.value.x).toBe(before);
    expect(wheel(0, { deltaX: 5 })).toBe(false);
  });

  it("brings a node into view that is selected or walked to", () => {
    const { view, store, at } = setUpWide();
    const { ids } = store.snapshot;
    const nodes = Array.from(view.scene.value.visible.nodes, (node) => ids[node]);
    const leftmost = nodes.reduce((one, other) => (at(other).x < at(one).x ? other : one));
    expect(at(leftmost).x).toBeLessThan(0);
    store.actions.select([leftmost], "replace");
    expect(at(leftmost).x).toBeGreaterThan(0);
    const seen = view.camera.value;
    store.actions.hover(leftmost);
    expect(view.camera.value).toBe(seen);
  });

  it("zooms by + to the selection", () => {
    const { view, store, at, key } = setUpWide();
    const [first] = view.scene.value.visible.nodes;
    const id = store.snapshot.ids[first];
    store.actions.select([id], "replace");
    for (let step = 0; step < 4; step++) key("+");
    expect(view.camera.value.k).toBeGreaterThan(3);
    expect(at(id).x).toBeGreaterThan(0);
    expect(at(id).x).toBeLessThan(150);
  });

  it("has a minimap whose window moves by keys and by dragging, within the map", () => {
    const { view, store } = setUpWide();
    const root = mount(<Minimap store={store} view={view} />);
    const window = () => root.querySelector<HTMLElement>("[data-test='minimap-window']") as HTMLElement;
    const press = (key: string) =>
      act(() => void window().dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })));
    const end = view.camera.value.x;
    expect(window().getAttribute("aria-valuenow")).toBe("100");
    expect(window().getAttribute("aria-valuetext")).toMatch(/^tokens \d+ to 55 of 56$/);
    press("ArrowLeft");
    expect(view.camera.value.x).toBeCloseTo(end + 15);
    press("Home");
    expect(view.camera.value.x).toBeCloseTo(0);
    expect(window().getAttribute("aria-valuenow")).toBe("0");
    expect(window().getAttribute("aria-valuetext")).toMatch(/^tokens 0 to \d+ of 56$/);
    press("End");
    expect(view.camera.value.x).toBe(end);
    const strip = root.querySelector<HTMLElement>("[data-test='minimap']") as HTMLElement;
    strip.getBoundingClientRect = () => new DOMRect(0, 0, 100, 12);
    strip.setPointerCapture = () => {};
    const pointer = (type: string, clientX: number) =>
      act(() => void strip.dispatchEvent(new PointerEvent(type, { clientX, button: 0, bubbles: true })));
    pointer("pointerdown", 99);
    expect(view.camera.value.x).toBe(end);
    pointer("pointermove", 89);
    expect(view.camera.value.x).toBeCloseTo(end + 0.1 * view.scene.value.contentWidth);
    pointer("pointerup", 89);
    pointer("pointermove", 20);
    expect(view.camera.value.x).toBeCloseTo(end + 0.1 * view.scene.value.contentWidth);
  });

  it("has no minimap while all of it is in view", () => {
    const { view, store } = setUpLong();
    expect(mount(<Minimap store={store} view={view} />).querySelector("[data-test='minimap']")).toBeNull();
  });
});

it("finds a place again in the same layout, and no nodes behind the names of layers", () => {
  const page = setUpLong(1);
  const { view, store } = page;
  const scene = view.scene.value;
  for (const [x, y] of [
    [100, 100],
    [300, 200],
    [500, 50],
  ]) {
    const point = pointOf(scene, placeAt(scene, x, y));
    expect(point.x).toBeCloseTo(x);
    expect(point.y).toBeCloseTo(y);
  }
  expect(view.nodeAt(10, 200, 400)).toBeNull();
  expect(bandAt(view, store, { x: 10, y: 200 })).toBeNull();
});
