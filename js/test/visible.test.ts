import { describe, expect, it } from "vitest";
import cases from "../../tests/fixtures/visible.json";
import { EMPTY_CIRCUIT, group, pin } from "../src/core/circuit";
import { KIND } from "../src/core/constants";
import { adjacency, readSnapshot } from "../src/core/snapshot";
import type { Circuit, Snapshot } from "../src/core/types";
import { visible } from "../src/core/visible";
import { fixtureSnapshot } from "./fake-model";

const NODES = [
  { id: "0_1_1", kind: KIND.feature, position: 1, share: 0.3 },
  { id: "1_2_1", kind: KIND.feature, position: 1, share: 0.85 },
  { id: "1_3_2", kind: KIND.feature, position: 2, share: 0.95 },
  { id: "0_-1_1", kind: KIND.error, position: 1, share: 0.8 },
  { id: "1_-1_2", kind: KIND.error, position: 2, share: 0.99 },
  { id: "E_0_0", kind: KIND.token, position: 0, share: 1 },
  { id: "E_5_1", kind: KIND.token, position: 1, share: 0.97 },
  { id: "3_9_2", kind: KIND.logit, position: 2, share: 0 },
];
const EDGES = [
  { source: "E_0_0", target: "1_3_2", share: 0.5 },
  { source: "E_5_1", target: "0_1_1", share: 0.4 },
  { source: "0_1_1", target: "3_9_2", share: 0.98 },
  { source: "0_-1_1", target: "3_9_2", share: 0.99 },
  { source: "1_3_2", target: "3_9_2", share: 0.6 },
  { source: "0_1_1", target: "1_3_2", share: 0.7 },
  { source: "E_5_1", target: "3_9_2", share: 0.995 },
];

function snapshot(nodes = NODES): Snapshot {
  const index = new Map(nodes.map(({ id }, node) => [id, node]));
  const at = (id: string): number => index.get(id) ?? 0;
  return {
    ids: nodes.map(({ id }) => id),
    tokens: Array.from({ length: 1 + Math.max(...nodes.map(({ position }) => position)) }),
    index,
    kind: Uint8Array.from(nodes, ({ kind }) => kind),
    nodePosition: Int16Array.from(nodes, ({ position }) => position),
    share: Float32Array.from(nodes, ({ share }) => share),
    edgeSource: Uint32Array.from(EDGES, ({ source }) => at(source)),
    edgeTarget: Uint32Array.from(EDGES, ({ target }) => at(target)),
    edgeShare: Float32Array.from(EDGES, ({ share }) => share),
    inputs: adjacency(
      Uint32Array.from(EDGES, ({ target }) => at(target)),
      Uint32Array.from(EDGES.keys()),
      nodes.length,
    ),
    edgeWeight: Float32Array.from(EDGES, () => 1),
    thresholds: { node: 0.8, edge: 0.98 },
  } as unknown as Snapshot;
}

const idsOf = (graph: Snapshot, circuit: Circuit, ...rest: [selected?: string[]]): string[] =>
  [...visible(graph, circuit, ...rest).nodes].map((node) => graph.ids[node]);

it("shows nodes within the threshold, and every token and logit but an unused first token", () => {
  expect(idsOf(snapshot(), EMPTY_CIRCUIT)).toEqual(["0_1_1", "0_-1_1", "E_5_1", "3_9_2"]);
});

it("shows the strongest edge of the tokens with the strongest ones alone, though all are beyond the threshold", () => {
  const tokens = Array.from({ length: 50 }, (_, at) => ({
    id: `E_${at}_${at}`,
    kind: KIND.token,
    position: at,
    share: 1,
  }));
  const nodes = [...tokens, { id: "1_9_49", kind: KIND.logit, position: 49, share: 0 }];
  const order = Uint32Array.from(tokens.keys());
  const target = order.map(() => 50);
  const graph = {
    ...snapshot(nodes),
    edgeSource: order,
    edgeTarget: target,
    edgeShare: Float32Array.from(order, (edge) => 1 - edge / 1000),
    edgeWeight: Float32Array.from(order, () => 1),
    inputs: adjacency(target, order, 51),
  };
  const strongest = (edge_threshold: number) => [...visible(graph, { ...EMPTY_CIRCUIT, edge_threshold }).edges];
  expect(strongest(0.5)).toEqual(Array.from({ length: 20 }, (_, at) => 30 + at));
  expect(strongest(0.96)).toEqual(Array.from({ length: 30 }, (_, at) => 20 + at));
});

describe("the tokens of a prompt of 25", () => {
  const tokens = Array.from({ length: 25 }, (_, at) => ({
    id: `E_${at}_${at}`,
    kind: KIND.token,
    position: at,
    share: 1,
  }));
  const nodes = [
    ...tokens,
    { id: "0_1_12", kind: KIND.feature, position: 12, share: 0.1 },
    { id: "1_9_24", kind: KIND.logit, position: 24, share: 0 },
  ];
  // Edges from the tokens at 3 and 20 and from the feature to the output.
  const sources = Uint32Array.from([3, 20, 25]);
  const targets = sources.map(() => 26);
  const graph = {
    ...snapshot(nodes),
    edgeSource: sources,
    edgeTarget: targets,
    edgeShare: Float32Array.from([0.5, 0.6, 0.7]),
    edgeWeight: Float32Array.from([1, 1, 1]),
    inputs: adjacency(targets, Uint32Array.from([0, 1, 2]), nodes.length),
  };
  const visibleAt = (circuit: Circuit = EMPTY_CIRCUIT, selected: string[] = []) =>
    idsOf(graph, circuit, selected).filter((id) => id.startsWith("E_"));

  it("are hidden in runs of three and more without an edge and without other nodes", () => {
    expect(visibleAt()).toEqual(["E_3_3", "E_12_12", "E_20_20", "E_24_24"]);
    expect(visible(graph, EMPTY_CIRCUIT).idleTokens).toBe(20);
    // The first token, which has no edge, was hidden before.
  });

  it("stay where they are pinned or selected, and those between them where they are two", () => {
    expect(visibleAt(pin(EMPTY_CIRCUIT, ["E_6_6"]), ["E_15_15"])).toEqual(
      [3, 4, 5, 6, 12, 13, 14, 15, 20, 24].map((at) => `E_${at}_${at}`),
    );
  });

  it("stay in a prompt of 24", () => {
    const short = { ...graph, tokens: graph.tokens.slice(1) };
    expect(idsOf(short, EMPTY_CIRCUIT).filter((id) => id.startsWith("E_"))).toHaveLength(24);
  });
});

it("shows the first token once one of its edges shows", () => {
  expect(idsOf(snapshot(), { ...EMPTY_CIRCUIT, node_threshold: 0.95 })).toContain("E_0_0");
});

it("shows what is pinned, grouped or selected whatever its share", () => {
  const ids = idsOf(snapshot(), group(pin(EMPTY_CIRCUIT, ["1_-1_2"]), "Texas", ["1_2_1"]), ["E_0_0", "gone"]);
  expect(ids).toEqual(["0_1_1", "1_2_1", "0_-1_1", "1_-1_2", "E_0_0", "E_5_1", "3_9_2"]);
});

it("always shows the strongest node", () => {
  const strongest = NODES.filter(({ kind }) => kind !== KIND.token);
  expect(idsOf(snapshot(strongest), { ...EMPTY_CIRCUIT, node_threshold: 0 })).toEqual(["0_1_1", "3_9_2"]);
});

it("shows edges within the threshold between visible nodes, and the strongest of each node onward", () => {
  const edgesAt = (edge: number) => [...visible(snapshot(), EMPTY_CIRCUIT, [], { node: 0.8, edge }).edges];
  expect([...visible(snapshot(), EMPTY_CIRCUIT).edges]).toEqual([1, 2, 3]);
  expect(edgesAt(0)).toEqual([1, 2, 3]);
  expect(edgesAt(1)).toEqual([1, 2, 3, 6]);
  expect([...visible(snapshot(), EMPTY_CIRCUIT).mask]).toEqual([1, 0, 0, 1, 0, 0, 1, 1]);
});

it("keeps the strongest edge onward of what is visible: another once a stronger one's target is", () => {
  const edgesAt = (node: number) => [...visible(snapshot(), EMPTY_CIRCUIT, [], { node, edge: 0 }).edges];
  expect(edgesAt(0.9)).toEqual([1, 2, 3]);
  expect(edgesAt(0.95)).toEqual([0, 1, 3, 4, 5]);
});

it("shows no feature from which no path leads to an output, unless it is in the circuit", () => {
  expect(idsOf(snapshot(), { ...EMPTY_CIRCUIT, node_threshold: 0.9 })).not.toContain("1_2_1");
  expect(idsOf(snapshot(), pin({ ...EMPTY_CIRCUIT, node_threshold: 0.9 }, ["1_2_1"]))).toContain("1_2_1");
});

it("takes the thresholds of the graph where the circuit has none", () => {
  const own = { ...snapshot(), thresholds: { node: 0.95, edge: 0.6 } };
  expect(idsOf(own, EMPTY_CIRCUIT)).toContain("1_3_2");
  expect(idsOf(own, { ...EMPTY_CIRCUIT, node_threshold: 0.8 })).not.toContain("1_3_2");
});

it.each(cases)("shows what the figure shows: $case", ({ circuit, nodes, edges, error_bands }) => {
  const graph = readSnapshot(fixtureSnapshot());
  const found = visible(graph, { ...EMPTY_CIRCUIT, ...(circuit as Partial<Circuit>) });
  expect([...found.nodes].map((node) => graph.ids[node])).toEqual(nodes);
  expect(found.errorBands.map(({ layer, count }) => [layer, count])).toEqual(error_bands);
  const kept = Array.from(found.edges, (edge) => [
    graph.ids[graph.edgeSource[edge]],
    graph.ids[graph.edgeTarget[edge]],
  ]);
  expect(kept.map(String).sort()).toEqual(edges.map(String).sort());
});
