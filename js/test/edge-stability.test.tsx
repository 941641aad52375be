import { describe, expect, it } from "vitest";
import { markStability } from "../src/core/circuit";
import { readSnapshot } from "../src/core/snapshot";
import { factsOf } from "../src/inspector/node-inspector";
import { Legend } from "../src/map/legend";
import { drawnEdges } from "../src/map/paint";
import { FakeModel, fixtureSnapshot, storeOn } from "./fake-model";
import { frame, painted, setUp } from "./map-page";
import { all, eventually, get, mount } from "./panels";

const snapshot = readSnapshot(fixtureSnapshot());
const kept = (edge: number) => snapshot.edgeKept?.[edge] ?? Number.NaN;

/** The snapshot of a graph that was pruned, whose stability nobody knows. */
function unknown() {
  const { edge_kept: _, ...columns } = fixtureSnapshot().columns;
  return { ...fixtureSnapshot(), columns, prunings: 0 };
}

describe("edges by their stability", () => {
  it("have the share of prunings that keep them, and are whole unless that is wanted and known", () => {
    const every = Uint32Array.from(snapshot.edgeWeight.keys());
    const shares = (edges: readonly { stability: number }[]) => edges.map(({ stability }) => stability);
    expect(shares(drawnEdges(snapshot, every, true))).toEqual(Array.from(every, (edge) => kept(edge) / 20));
    expect(new Set(shares(drawnEdges(snapshot, every, true))).size).toBeGreaterThan(3);
    expect(new Set(shares(drawnEdges(snapshot, every)))).toEqual(new Set([1]));
    expect(new Set(shares(drawnEdges(readSnapshot(unknown()), every, true)))).toEqual(new Set([1]));
  });

  it("are open in the middle: a thin line without dashes, in the colour of their sign", async () => {
    const { store } = setUp();
    store.actions.edit((circuit) => markStability(circuit), "stability of edges");
    await frame();
    painted.length = 0;
    store.actions.select(["1_4_2"], "replace");
    await frame();
    const curves = painted.filter(({ path }) => path.includes("bezierCurveTo"));
    const two = curves.filter(({ path }) => path.filter((step) => step === "bezierCurveTo").length === 2);
    expect(two.length).toBeGreaterThan(3);
    for (const ends of two) {
      const middle = curves[curves.indexOf(ends) + 1];
      expect(middle).toMatchObject({ width: 0.6, dash: 0, color: ends.color });
      expect(middle.opacity).toBeCloseTo(0.45 * ends.opacity);
    }
  });

  it("are switched in the legend, which says what they look like; saved with the circuit, and undone", async () => {
    const model = new FakeModel();
    const store = storeOn(model);
    const root = mount(<Legend store={store} />);
    expect(root.textContent).not.toContain("prunings");
    get(root, "edge-stability").click();
    await eventually(() => expect(root.textContent).toContain("stays in half of 20 prunings"));
    expect(get(root, "edge-stability").getAttribute("aria-pressed")).toBe("true");
    expect(model.get("circuit")).toMatchObject({ version: 4, edge_stability: true });
    expect(store.undoName.value).toBe("stability of edges");
    store.actions.undo();
    await eventually(() => expect(root.textContent).not.toContain("prunings"));
  });

  it("cannot be switched on where it is not known", () => {
    const root = mount(<Legend store={storeOn(new FakeModel({ snapshot: unknown() }))} />);
    expect(all(root, "edge-stability")).toEqual([]);
  });
});

describe("the inspector", () => {
  it("says in how many prunings a feature stays, of an output nothing", () => {
    const node = snapshot.index.get("1_4_2") as number;
    expect(factsOf(snapshot, node, null)).toContain(
      `stays in ${Math.round(20 * snapshot.stability[node])} of 20 prunings`,
    );
    expect(factsOf(snapshot, snapshot.targets[0].node, null).join()).not.toContain("prunings");
    expect(factsOf(readSnapshot(unknown()), node, null).join()).not.toContain("prunings");
  });
});
