import { expect, it } from "vitest";
import recorded from "../../tests/fixtures/snapshot.json";
import { KIND_NAMES } from "../src/core/constants";
import { decodeSnapshot, edgesOf } from "../src/core/snapshot";
import { fixtureBytes } from "./fake-model";

interface Expected {
  nodes: { id: string; kind: string; layer: number; position: number; feature: number; influence: number }[];
  edges: { source: string; target: string; weight: number; share: number }[];
  labels: Record<string, string>;
  total_nodes: number;
}

const expected: Expected = recorded;

it("reads every node and edge that the kernel packed", () => {
  const graph = decodeSnapshot(fixtureBytes());
  expect(graph.totalNodes).toBe(expected.total_nodes);
  expect([...graph.ids]).toEqual(expected.nodes.map(({ id }) => id));
  for (const [node, { kind, layer, position, feature, influence }] of expected.nodes.entries()) {
    expect(KIND_NAMES[graph.kind[node]]).toBe(kind);
    expect([graph.layer[node], graph.nodePosition[node], graph.feature[node]]).toEqual([layer, position, feature]);
    expect(graph.influence[node]).toBeCloseTo(influence, 7);
  }
  const edges = Array.from(graph.edgeWeight, (weight, edge) => ({
    source: graph.ids[graph.edgeSource[edge]],
    target: graph.ids[graph.edgeTarget[edge]],
    weight,
  }));
  const ordered = (list: { source: string; target: string; weight: number }[]) =>
    list.map(({ source, target, weight }) => `${source} -> ${target}: ${weight}`).sort();
  expect(ordered(edges)).toEqual(ordered(expected.edges));
  for (const [id, label] of Object.entries(expected.labels)) {
    expect(graph.labels.get(graph.index.get(id) as number)).toBe(label);
  }
});

it("lists the inputs and outputs of every node, strongest first", () => {
  const graph = decodeSnapshot(fixtureBytes());
  let count = 0;
  for (const node of graph.ids.keys()) {
    const inputs = [...edgesOf(graph.inputs, node)];
    const outputs = [...edgesOf(graph.outputs, node)];
    expect(inputs.every((edge) => graph.edgeTarget[edge] === node)).toBe(true);
    expect(outputs.every((edge) => graph.edgeSource[edge] === node)).toBe(true);
    for (const list of [inputs, outputs]) {
      const strengths = list.map((edge) => Math.abs(graph.edgeWeight[edge]));
      expect(strengths).toEqual([...strengths].sort((a, b) => b - a));
    }
    count += inputs.length;
  }
  expect(count).toBe(graph.edgeWeight.length);
});

it("reads bytes that do not begin at a multiple of eight", () => {
  const whole = fixtureBytes();
  const moved = new Uint8Array(whole.byteLength + 3);
  moved.set(new Uint8Array(whole.buffer, whole.byteOffset, whole.byteLength), 3);
  const graph = decodeSnapshot(new DataView(moved.buffer, 3));
  expect(graph.ids.length).toBe(expected.nodes.length);
});

it("says that a graph arrived cut short, wherever it was cut", () => {
  const whole = fixtureBytes();
  const cut = (length: number) => () => decodeSnapshot(new DataView(whole.buffer, whole.byteOffset, length));
  expect(cut(2)).toThrow("no bytes");
  expect(cut(100)).toThrow("header is incomplete");
  expect(cut(whole.byteLength - 1)).toThrow(/column "edge_share" is incomplete/);
});

it("refuses another version of the format", () => {
  const text = new TextEncoder().encode(JSON.stringify({ version: 2 }));
  const bytes = new Uint8Array(4 + text.length);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  expect(() => decodeSnapshot(new DataView(bytes.buffer))).toThrow("version 2");
});
