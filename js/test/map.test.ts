import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { group, label, pin } from "../src/core/circuit";
import { shareOfInput } from "../src/core/snapshot";
import { labelArea, type MapDot, mapLabels, withLabelOf } from "../src/layout/map-labels";
import { attachGestures } from "../src/map/gestures";
import { attachKeys } from "../src/map/keys";
import { paintFaintEdges } from "../src/map/paint";
import { AT_REST, type Scene, strongestEdges } from "../src/map/scene";
import { MapView } from "../src/map/view";
import { attachZoom } from "../src/map/zoom";
import { PALETTES } from "../src/page/constants";
import { FakeModel, storeOn } from "./fake-model";
import { EFFECT } from "./panels";

interface Stroke {
  readonly what: "stroke" | "fill";
  readonly color: string;
  readonly dash: number;
  readonly width: number;
  readonly opacity: number;
  readonly path: readonly string[];
}

/** A 2d context that remembers what was stroked and filled. */
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

const frame = () => new Promise((resolve) => requestAnimationFrame(() => resolve(undefined)));

let painted: Stroke[] = [];
let abort = new AbortController();

beforeEach(() => {
  painted = [];
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

function setUp(traits: Record<string, unknown> = {}) {
  const model = new FakeModel(traits);
  const store = storeOn(model, abort);
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setPointerCapture = () => {};
  document.body.append(canvas);
  const view = new MapView(canvas, store, () => {}, abort.signal);
  view.size.value = { width: 560, height: 380 };
  attachGestures(canvas, view, store, abort.signal);
  const zooming = attachZoom(canvas, view, abort.signal);
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
  const wheel = (deltaY: number, init: { ctrlKey?: boolean } = {}) => {
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

const GROUND = { x: 60, y: 40 };

describe("the pointer", () => {
  it("selects a node by a click, toggles it with Shift, and clears by a click on the ground", () => {
    const { store, click, pointer } = setUp();
    click("1_4_2");
    expect(store.selected.value).toEqual(["1_4_2"]);
    click("0_3_1", { shiftKey: true });
    expect(store.selected.value).toEqual(["1_4_2", "0_3_1"]);
    click("1_4_2", { ctrlKey: true });
    expect(store.selected.value).toEqual(["0_3_1"]);
    pointer("pointerdown", GROUND);
    pointer("pointerup", GROUND);
    expect(store.selected.value).toEqual([]);
  });

  it("groups two nodes when one is dropped on the other", () => {
    const { store, at, drag } = setUp();
    drag(at("0_3_1"), at("1_4_2"));
    expect(store.circuit.value.supernodes[0].nodes).toEqual(["1_4_2", "0_3_1"]);
    expect(store.drag.value).toBeNull();
  });

  it("carries the whole selection, and tells the other panes of the drop", async () => {
    const { store, at, pointer } = setUp({ selected: ["0_3_1", "0_7_2"] });
    pointer("pointerdown", at("0_3_1"));
    pointer("pointermove", { x: 300, y: 700 }, { buttons: 1 });
    expect(store.drag.value).toEqual({ nodes: ["0_3_1", "0_7_2"], x: 300, y: 700, dropped: false });
    pointer("pointerup", { x: 300, y: 700 });
    expect(store.drag.value?.dropped).toBe(true);
    await frame();
    await frame();
    expect(store.drag.value).toBeNull();
    expect(store.selected.value).toEqual(["0_3_1", "0_7_2"]);
  });

  it("lets go of a drag on Escape", () => {
    const { store, at, pointer, key } = setUp();
    pointer("pointerdown", at("0_3_1"));
    pointer("pointermove", at("1_4_2"), { buttons: 1 });
    key("Escape");
    pointer("pointerup", at("1_4_2"));
    expect(store.circuit.value.supernodes).toEqual([]);
    expect(store.drag.value).toBeNull();
  });

  it("selects what a rectangle drawn with Shift encloses", () => {
    const { store, view, drag } = setUp();
    drag({ x: 38, y: 2 }, { x: 556, y: view.scene.value.layout.rows[3].y + 20 }, { shiftKey: true });
    const expected = store.snapshot.ids.filter((id) => (view.positionOf(id)?.y ?? 999) < 140);
    expect(expected.length).toBeGreaterThan(2);
    expect(new Set(store.selected.value)).toEqual(new Set(expected));
  });
});

describe("the camera", () => {
  it("leaves the wheel to the page until the map has focus, or with Ctrl", () => {
    const { view, canvas, wheel } = setUp();
    expect(wheel(-100)).toBe(false);
    expect(view.camera.value.k).toBe(1);
    expect(wheel(-100, { ctrlKey: true })).toBe(true);
    const zoomed = view.camera.value.k;
    expect(zoomed).toBeGreaterThan(1);
    canvas.dispatchEvent(new FocusEvent("focus"));
    expect(wheel(-100)).toBe(true);
    expect(view.camera.value.k).toBeGreaterThan(zoomed);
  });

  it("keeps the point under the pointer, never looks past the edge, and comes back by a double click", () => {
    const { view, wheel, drag, pointer } = setUp();
    wheel(-400, { ctrlKey: true });
    const { k, x } = view.camera.value;
    expect(k).toBeGreaterThan(1.5);
    expect(k * 200 + x).toBeCloseTo(200, 6);
    drag(GROUND, { x: 900, y: 900 });
    expect([view.camera.value.x, view.camera.value.y]).toEqual([0, 0]);
    pointer("dblclick", { x: 45, y: 5 });
    expect(view.camera.value).toEqual({ k: 1, x: 0, y: 0 });
  });

  it("still finds nodes where they are drawn", () => {
    const { view, at, wheel } = setUp();
    wheel(-400, { ctrlKey: true });
    expect(view.camera.value.k).toBeGreaterThan(1.5);
    const place = at("1_4_2");
    expect(view.nodeAt(place.x, place.y)).toBe("1_4_2");
    expect(view.nodeAt(place.x + place.radius + 8, place.y)).not.toBe("1_4_2");
  });
});

describe("the keys", () => {
  it("walk from the most influential feature to its neighbours, and select", () => {
    const { store, view, key, at } = setUp();
    key("ArrowUp");
    const first = view.cursor.value as string;
    const { influence, index, kind } = store.snapshot;
    const features = store.snapshot.ids.filter((id) => kind[index.get(id) as number] === 0);
    expect(features.every((id) => influence[index.get(id) as number] <= influence[index.get(first) as number])).toBe(
      true,
    );
    key("ArrowUp");
    const second = view.cursor.value as string;
    expect(at(second).y).toBeLessThan(at(first).y);
    key("Enter");
    expect(store.selected.value).toEqual([second]);
    key("ArrowDown");
    key(" ");
    expect(store.selected.value).toHaveLength(2);
    key("Escape");
    expect(store.selected.value).toEqual([]);
  });
});

describe("the labels", () => {
  const texts = ({ view }: ReturnType<typeof setUp>) => view.labels.value.map(({ text }) => text);
  const at = ({ store, view }: ReturnType<typeof setUp>) =>
    view.labels.value.map(({ dot }) => store.snapshot.ids[view.scene.value.visible.nodes[dot]]);

  it("are those of the graph, in the order of influence, and none for nodes without", () => {
    const map = setUp();
    expect(texts(map)).toContain("Texas <b>");
    const { influence, index } = map.store.snapshot;
    const influences = at(map).map((id) => influence[index.get(id) as number]);
    expect(influences).toEqual([...influences].sort((a, b) => b - a));
    expect(texts(map).filter((text) => /^(feature|error) /.test(text))).toEqual([]);
  });

  it("change with the user's labels, which go before the graph's", () => {
    const map = setUp();
    map.store.actions.edit((circuit) => label(circuit, "1_8_4", "Lone Star"), "label");
    expect(texts(map)).toContain("Lone Star");
    expect(texts(map)).not.toContain("Texas <b>");
    map.store.actions.edit((circuit) => label(circuit, "1_8_4", ""), "label");
    expect(texts(map)).toContain("Texas <b>");
  });

  it("begin with selected and pinned nodes", () => {
    const map = setUp();
    for (const id of ["0_3_1", "0_7_2"]) map.store.actions.edit((one) => label(one, id, `about ${id}`), "label");
    map.store.actions.edit((circuit) => pin(circuit, ["0_3_1"]), "pin");
    expect(at(map)[0]).toBe("0_3_1");
    map.store.actions.select(["0_7_2"], "replace");
    expect(new Set(at(map).slice(0, 2))).toEqual(new Set(["0_3_1", "0_7_2"]));
  });

  it("stay where they are while a node with a label is hovered", () => {
    const map = setUp();
    const before = map.view.labels.value;
    map.store.actions.hover("1_8_4");
    expect(map.view.labels.value).toBe(before);
    map.store.actions.hover("1_15_4");
    expect(map.view.labels.value).toBe(before);
  });

  it("have room for more of their text when zoomed in", () => {
    const map = setUp();
    const long = "a very long label for what this feature does";
    map.store.actions.edit((circuit) => label(circuit, "1_8_4", long), "label");
    map.store.actions.select(["1_8_4"], "replace");
    const length = () => texts(map)[0].length;
    const short = length();
    expect(texts(map)[0]).toMatch(/^a very long.*…$/);
    const { x, y } = map.at("1_8_4");
    map.view.camera.value = { k: 2, x: -x, y: -y };
    expect(length()).toBeGreaterThan(short);
  });
});

describe("a label of a hovered node", () => {
  const frame = { x0: 0, y0: 0, x1: 400, y1: 200 };
  const dot = (x: number, y: number, text: string, influence: number): MapDot => ({
    ...{ x, y, radius: 4, text, influence, first: false },
  });

  it("takes the place of those that it covers, and of no others", () => {
    const dots = [dot(100, 100, "most influential", 3), dot(160, 113, "hovered", 1), dot(300, 50, "far away", 2)];
    const placed = mapLabels(dots, frame, [], 1, 10.5);
    const others = placed.filter((label) => label.dot !== 1);
    const room = { x0: 0, y0: 118, x1: 400, y1: 200 };
    const shown = withLabelOf(1, others, dots, frame, [room], 1, 10.5);
    expect(shown.map((label) => label.dot)).toContain(1);
    expect(shown.map((label) => label.dot)).toContain(2);
    const areas = shown.map((label) => labelArea(label, 10.5));
    for (const [at, one] of areas.entries()) {
      for (const other of areas.slice(at + 1)) {
        expect(one.x0 < other.x1 && other.x0 < one.x1 && one.y0 < other.y1 && other.y0 < one.y1).toBe(false);
      }
    }
  });

  it("is left out where dots leave no room", () => {
    const crowd = [90, 100, 110].flatMap((x) => [90, 100, 110].map((y) => dot(x, y, x === y ? `${x}` : "", 1)));
    const frameOfCrowd = { x0: 80, y0: 80, x1: 120, y1: 120 };
    expect(withLabelOf(4, [], crowd, frameOfCrowd, [], 1, 10.5)).toEqual([]);
  });
});

describe("the edges of a moving map", () => {
  const scene = {
    snapshot: { edgeShare: Float32Array.of(0.9, 0.2, 0.6, 0.4) },
    visible: { edges: Uint32Array.of(0, 1, 2, 3) },
  } as unknown as Scene;

  it("are the strongest, whose cumulative shares are smallest", () => {
    expect([...strongestEdges(scene, 2)]).toEqual([1, 3]);
  });

  it("are all where there are no more", () => {
    expect([...strongestEdges(scene, 4)]).toEqual([0, 1, 2, 3]);
  });
});

describe("painting", () => {
  const { excite, inhibit, groups } = PALETTES.light;

  it("shows the selected node's edges with their signs: inhibition dashed with a flat end, excitation with a head", async () => {
    const { store, view } = setUp();
    await frame();
    painted.length = 0;
    store.actions.select(["1_4_2"], "replace");
    await frame();
    const { snapshot } = store;
    const node = snapshot.index.get("1_4_2") as number;
    const shown = [...view.scene.value.visible.edges].filter(
      (edge) => snapshot.edgeSource[edge] === node || snapshot.edgeTarget[edge] === node,
    );
    const inhibiting = shown.filter((edge) => snapshot.edgeWeight[edge] < 0).length;
    expect(inhibiting).toBeGreaterThan(0);
    const curves = painted.filter(({ path }) => path.includes("bezierCurveTo"));
    const of = (color: string) => curves.filter((stroke) => stroke.color === color);
    expect(of(inhibit)).toHaveLength(inhibiting);
    expect(of(excite)).toHaveLength(shown.length - inhibiting);
    expect(of(inhibit).every(({ dash }) => dash > 0)).toBe(true);
    expect(of(excite).every(({ dash }) => dash === 0)).toBe(true);
    const ends = painted.filter(({ path }) => !path.includes("bezierCurveTo"));
    expect(ends.filter(({ what, color }) => what === "stroke" && color === inhibit)).toHaveLength(inhibiting);
    expect(ends.filter(({ what, color }) => what === "fill" && color === excite)).toHaveLength(
      shown.length - inhibiting,
    );
  });

  /** The curves of a node's edges from the weakest to the strongest, and what they show. */
  function curvesOf(id: string, { store, view }: ReturnType<typeof setUp>) {
    const { snapshot } = store;
    const node = snapshot.index.get(id) as number;
    const edges = [...view.scene.value.visible.edges]
      .filter((edge) => snapshot.edgeSource[edge] === node || snapshot.edgeTarget[edge] === node)
      .map((edge) => ({ source: snapshot.edgeSource[edge], share: Math.abs(shareOfInput(snapshot, edge)) }))
      .sort((a, b) => a.share - b.share);
    return { edges, strokes: painted.filter(({ path }) => path.includes("bezierCurveTo")) };
  }

  it("draws an edge the wider the more of its target's input it carries, the strongest last", async () => {
    const map = setUp();
    await frame();
    painted.length = 0;
    map.store.actions.select(["1_4_2"], "replace");
    await frame();
    const { edges, strokes } = curvesOf("1_4_2", map);
    expect(strokes).toHaveLength(edges.length);
    const widths = strokes.map(({ width }) => width);
    expect(widths).toEqual([...widths].sort((a, b) => a - b));
    expect(widths.at(-1)).toBeGreaterThan(2 * widths[0]);
    for (const [row, { share }] of edges.entries()) {
      const expected = Math.max(0.6, 0.55 * Math.min(5, Math.max(0.8, 0.5 + 5 * Math.sqrt(share))));
      expect(widths[row]).toBeCloseTo(expected, 6);
    }
    expect(strokes.every(({ opacity }) => opacity === 1)).toBe(true);
  });

  it("fades edges and nodes with what an intervention left of the node they come from", async () => {
    const ids = ["0_3_1", "0_7_2", "1_4_2"];
    const effect = { ...EFFECT, nodes: { ids, before: [2, 2, 2], after: [1, 0, 4], predicted: [1, 0, 4] } };
    const map = setUp({ effect });
    await frame();
    painted.length = 0;
    map.store.actions.select(["1_4_2"], "replace");
    await frame();
    const { snapshot } = map.store;
    const left = new Map([
      ["0_3_1", 0.5],
      ["0_7_2", Math.fround(0.18)],
    ]);
    const { edges, strokes } = curvesOf("1_4_2", map);
    const faded = edges.map(({ source }) => left.get(snapshot.ids[source]) ?? 1);
    expect(new Set(faded)).toEqual(new Set([1, 0.5, Math.fround(0.18)]));
    expect(strokes.map(({ opacity }) => opacity)).toEqual(faded);
    map.store.actions.hover("2_9_5");
    painted.length = 0;
    await frame();
    const beside = painted.filter(({ path }) => path.includes("bezierCurveTo")).slice(0, edges.length);
    expect(beside.map(({ opacity }) => opacity)).toEqual(faded.map((opacity) => 0.25 * opacity));
  });

  it("draws suppressed nodes fainter, outputs as they are likely, and pinned ones with a thicker rim", async () => {
    const nodes = { ids: ["0_3_1", "1_4_2"], before: [2, 2], after: [0, 1], predicted: [0, 1] };
    const { store } = setUp({ effect: { ...EFFECT, nodes } });
    store.actions.edit((circuit) => pin(circuit, ["0_3_1"]), "pin");
    await frame();
    const { node, nodeEdge, ink, answer } = PALETTES.light;
    const fills = (color: string) => painted.filter((one) => one.what === "fill" && one.color === color);
    const opacities = fills(node).map(({ opacity }) => opacity);
    expect(opacities.filter((opacity) => opacity !== 1).sort()).toEqual([Math.fround(0.18), 0.5]);
    expect(
      fills(answer)
        .map(({ opacity }) => opacity)
        .sort(),
    ).toEqual([Math.sqrt(0.125), Math.sqrt(0.5)].map(Math.fround));
    const rims = (color: string) => painted.filter((one) => one.what === "stroke" && one.color === color);
    expect(
      rims(ink)
        .filter(({ dash }) => dash === 0)
        .map(({ width, opacity }) => [width, opacity]),
    ).toEqual([[1.8, Math.fround(0.18)]]);
    expect(rims(nodeEdge).every(({ width }) => width === 1)).toBe(true);
  });

  it("draws faint edges in three widths, fainter where there are very many", () => {
    const { store, view } = setUp();
    const scene = view.scene.value;
    const faint = (edges: number) => {
      painted.length = 0;
      const context = document.createElement("canvas").getContext("2d") as CanvasRenderingContext2D;
      const brush = { context, palette: PALETTES.light, camera: AT_REST, interfaceFont: "", tokenFont: "" };
      const many = { ...scene, visible: { ...scene.visible, edges: new Uint32Array(edges) } };
      paintFaintEdges(brush, many, scene.visible.edges);
      return painted.map(({ width, opacity, color }) => [width, Math.round(1000 * opacity) / 1000, color]);
    };
    const color = PALETTES.light.faint;
    expect(store.snapshot.edgeShare.length).toBeGreaterThan(0);
    const strokes = (opacity: number) => [0.7, 1.1, 1.7].map((width) => [width, opacity, color]);
    expect(faint(99)).toEqual(strokes(0.5));
    expect(faint(1599)).toEqual(strokes(0.2));
    expect(faint(30_000)).toEqual(strokes(0.16));
  });

  it("draws grouped nodes as rings in their hue", async () => {
    const { store } = setUp();
    store.actions.edit((circuit) => group(circuit, "Texas", ["1_8_4", "1_15_4"]), "group");
    await frame();
    expect(painted.filter(({ what, color }) => what === "stroke" && color === groups[0])).toHaveLength(2);
  });

  it("draws no node again for a hover", async () => {
    const { store } = setUp();
    await frame();
    painted.length = 0;
    store.actions.hover("1_4_2");
    await frame();
    expect(painted.length).toBeGreaterThan(0);
    expect(painted.filter(({ color }) => color === PALETTES.light.node)).toEqual([]);
  });
});
