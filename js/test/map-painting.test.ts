import { describe, expect, it } from "vitest";
import { group, label, pin } from "../src/core/circuit";
import { shareOfInput } from "../src/core/snapshot";
import { paintFaintEdges } from "../src/map/paint";
import { AT_REST, edgesOfSelected, restingEdges, type Scene } from "../src/map/scene";
import { PALETTES } from "../src/page/constants";
import { frame, painted, setUp } from "./map-page";
import { EFFECT } from "./panels";

describe("the edges of a map at rest", () => {
  const ofShares = (shares: number[]) =>
    restingEdges({
      snapshot: { edgeShare: Float32Array.from(shares) },
      visible: { edges: Uint32Array.from(shares.keys()) },
    } as unknown as Scene);

  it("have their signs where there are few", () => {
    const { signed, faint } = ofShares([0.9, 0.2, 0.6, 0.4]);
    expect([...signed]).toEqual([1, 3, 2, 0]);
    expect([...faint]).toEqual([]);
  });

  it("have their signs where they are strongest, whose cumulative shares are smallest, and are never a fog", () => {
    const many = Array.from({ length: 4000 }, (_, edge) => 1 - edge / 4000);
    const { signed, faint } = ofShares(many);
    expect([signed[0], signed.length, faint[0], faint.length]).toEqual([3999, 300, 3699, 1200]);
  });
});

describe("the edges of selected nodes", () => {
  const many = Uint32Array.from({ length: 400 }, (_, edge) => edge);
  const snapshot = { edgeShare: Float32Array.from(many, (edge) => 1 - edge / 400) };

  it("are all of a single node, and of several the strongest: all of them are a smear", () => {
    expect(edgesOfSelected(snapshot, many, 1)).toHaveLength(400);
    const drawn = edgesOfSelected(snapshot, many, 2);
    expect(drawn).toHaveLength(100);
    expect([drawn[0], drawn[99]]).toEqual([399, 300]);
  });
});

describe("painting", () => {
  const { excite, inhibit, supernodes } = PALETTES.light;

  it("shows the selected node's edges with their signs: inhibition dashed with a flat end, excitation with a head", async () => {
    const { store, view } = setUp();
    await frame();
    painted.length = 0;
    store.actions.select(["1_4_2"], "replace");
    await frame();
    const { snapshot } = store;
    const node = snapshot.index.get("1_4_2") as number;
    const drawn = [...view.scene.value.visible.edges].filter(
      (edge) => snapshot.edgeSource[edge] === node || snapshot.edgeTarget[edge] === node,
    );
    const inhibiting = drawn.filter((edge) => snapshot.edgeWeight[edge] < 0).length;
    expect(inhibiting).toBeGreaterThan(0);
    const curves = painted.filter(({ path }) => path.includes("bezierCurveTo"));
    const of = (color: string) => curves.filter((stroke) => stroke.color === color);
    expect(of(inhibit)).toHaveLength(inhibiting);
    expect(of(excite)).toHaveLength(drawn.length - inhibiting);
    expect(of(inhibit).every(({ dash }) => dash > 0)).toBe(true);
    expect(of(excite).every(({ dash }) => dash === 0)).toBe(true);
    const ends = painted.filter(({ path }) => !path.includes("bezierCurveTo"));
    expect(ends.filter(({ what, color }) => what === "stroke" && color === inhibit)).toHaveLength(inhibiting);
    expect(ends.filter(({ what, color }) => what === "fill" && color === excite)).toHaveLength(
      drawn.length - inhibiting,
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

  it("fades labels with their nodes, but leaves them legible", async () => {
    const nodes = { ids: ["0_3_1", "1_8_4"], before: [2, 2], after: [1.5, 0], predicted: [1.5, 0] };
    const { store, view } = setUp({ effect: { ...EFFECT, nodes } });
    store.actions.edit((circuit) => label(circuit, "0_3_1", "three quarters"), "label");
    await frame();
    const opacityOf = (text: string) =>
      painted.filter(({ what, path }) => what === "text" && path[0] === text).map(({ opacity }) => opacity);
    const others = view.labels.value
      .map(({ text }) => text)
      .filter((text) => !["three quarters", "Texas <b>"].includes(text));
    expect(others.length).toBeGreaterThan(0);
    expect(opacityOf("three quarters")).toEqual([0.75]);
    expect(opacityOf("Texas <b>")).toEqual([0.6]);
    for (const text of others) expect(opacityOf(text)).toEqual([1]);
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
      paintFaintEdges(brush, scene, new Uint32Array(edges));
      return painted.map(({ width, opacity, color }) => [width, Math.round(1000 * opacity) / 1000, color]);
    };
    const color = PALETTES.light.faint;
    expect(store.snapshot.edgeShare.length).toBeGreaterThan(0);
    const strokes = (opacity: number) => [0.7, 1.1, 1.7].map((width) => [width, opacity, color]);
    expect(faint(3)).toEqual(strokes(0.4));
    expect(faint(399)).toEqual(strokes(0.2));
    expect(faint(3000)).toEqual(strokes(0.1));
  });

  it("draws grouped nodes as rings in their hue", async () => {
    const { store } = setUp();
    store.actions.edit((circuit) => group(circuit, "Texas", ["1_8_4", "1_15_4"]), "group");
    await frame();
    expect(painted.filter(({ what, color }) => what === "stroke" && color === supernodes[0])).toHaveLength(2);
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
