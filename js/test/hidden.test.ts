import { expect, it } from "vitest";
import { EMPTY_CIRCUIT, filter } from "../src/core/circuit";
import { readSnapshot } from "../src/core/snapshot";
import type { Circuit, Filters, Snapshot } from "../src/core/types";
import { visible } from "../src/core/visible";
import { hidden } from "../src/map/hidden";
import { fixtureSnapshot } from "./fake-model";

const whole = readSnapshot(fixtureSnapshot());

function hiddenAt(node: number, edge: number, graph: Snapshot = whole, circuit: Circuit = EMPTY_CIRCUIT) {
  const thresholds = { node, edge };
  return hidden(graph, circuit, visible(graph, circuit, [], thresholds), thresholds);
}

it.each([
  [0, 0],
  [0.5, 0.9],
  [0.8, 0.98],
  [1, 1],
])("counts each node and edge once, visible or for one reason, at the thresholds %s and %s", (node, edge) => {
  const found = hiddenAt(node, edge);
  for (const { visible: seen, total, why } of [found.nodes, found.edges]) {
    expect(why.every(([, count]) => count >= 0)).toBe(true);
    expect(why.reduce((sum, [, count]) => sum + count, seen)).toBe(total);
  }
  expect(found.nodes.total).toBe(whole.totalNodes);
  expect(found.edges.total).toBe(whole.totalEdges);
});

it("says what the page lacks: it is below the threshold as long as weaker nodes of the page are", () => {
  const cut = { ...whole, totalNodes: whole.totalNodes + 100, totalEdges: (whole.totalEdges ?? 0) + 1000 };
  const reasons = (node: number) => Object.fromEntries(hiddenAt(node, 0.98, cut).nodes.why);
  const before = Object.fromEntries(hiddenAt(0.5, 0.98).nodes.why);
  expect(reasons(0.5)).toMatchObject({
    "below the threshold": before["below the threshold"] + 100,
    "not sent to the page": 0,
  });
  expect(reasons(1)).toMatchObject({
    "below the threshold": 0,
    "not sent to the page": cut.totalNodes - cut.ids.length,
  });
  expect(hiddenAt(1, 1, cut).edges.why[0][1]).toBeGreaterThanOrEqual(1000);
});

it("counts the edges that are visible and not drawn, since they would be a fog", () => {
  const many = Uint32Array.from({ length: 2000 }, () => 0);
  const found = visible(whole, EMPTY_CIRCUIT);
  const graph = { ...whole, totalEdges: null, edgeShare: new Float32Array(2000), edgeSource: many, edgeTarget: many };
  const { edges } = hidden(
    graph,
    EMPTY_CIRCUIT,
    { ...found, mask: found.mask.map(() => 1), edges: many },
    { node: 1, edge: 1 },
  );
  expect([edges.visible, edges.total, edges.why[1]]).toEqual([1500, 2000, ["weaker than those drawn", 500]]);
});

const FILTERED: readonly [Filters, reason: string][] = [
  [{ kinds: ["feature"] }, "of kinds that a filter hides"],
  [{ layers: [1, 2] }, "in layers that a filter hides"],
  [{ positions: [2, 4] }, "at positions that a filter hides"],
  [{ label: "texas" }, "without the filter's words in their labels"],
  [{ stability: 1 }, "less stable than the filter asks"],
  [{ error_bands: true }, "drawn as bands"],
  [{ sign: "inhibits" }, "of the other sign"],
];

it.each(FILTERED)("counts what the filter %o hides, and nothing twice", (filters, reason) => {
  const found = hiddenAt(0.97, 0.98, whole, filter(EMPTY_CIRCUIT, filters));
  const reasons = Object.fromEntries([...found.nodes.why, ...found.edges.why]);
  expect(reasons[reason]).toBeGreaterThan(0);
  for (const { visible: seen, total, why } of [found.nodes, found.edges]) {
    expect(why.every(([, count]) => count >= 0)).toBe(true);
    expect(why.reduce((sum, [, count]) => sum + count, seen)).toBe(total);
  }
});

it("counts a node that two filters hide for the first of them", () => {
  const both = hiddenAt(0.97, 0.98, whole, filter(EMPTY_CIRCUIT, { kinds: ["feature", "token"], layers: [0, 0] }));
  const reasons = Object.fromEntries(both.nodes.why);
  const errors = Object.fromEntries(
    hiddenAt(0.97, 0.98, whole, filter(EMPTY_CIRCUIT, { kinds: ["feature", "token"] })).nodes.why,
  );
  expect(reasons["of kinds that a filter hides"]).toBe(errors["of kinds that a filter hides"]);
  expect(reasons["in layers that a filter hides"]).toBeGreaterThan(0);
});
