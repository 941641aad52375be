import { expect, it } from "vitest";
import recorded from "../../tests/fixtures/snapshot.json";
import { KIND_NAMES } from "../src/core/constants";
import { edgesOf, readSnapshot } from "../src/core/snapshot";
import type { SnapshotColumn } from "../src/messages/types";
import { fixtureSnapshot } from "./fake-model";

interface Expected {
  nodes: { id: string; kind: string; layer: number; position: number; feature: number; influence: number }[];
  edges: { source: string; target: string; weight: number; share: number; kept: number }[];
  labels: Record<string, string>;
  total_nodes: number;
}

const expected: Expected = recorded;

it("reads every node and edge that the kernel sent", () => {
  const graph = readSnapshot(fixtureSnapshot());
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
  expect(graph.prunings).toBe(20);
  const kept = edges.map(({ source, target }, edge) => `${source} -> ${target}: ${graph.edgeKept?.[edge]}`);
  expect(kept.sort()).toEqual(expected.edges.map((one) => `${one.source} -> ${one.target}: ${one.kept}`).sort());
  for (const [id, label] of Object.entries(expected.labels)) {
    expect(graph.labels.get(graph.index.get(id) as number)).toBe(label);
  }
});

it("lists the inputs and outputs of every node, strongest first", () => {
  const graph = readSnapshot(fixtureSnapshot());
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

const changed = (name: string, change: (column: SnapshotColumn) => Partial<SnapshotColumn> | null) => () => {
  const { columns, ...rest } = fixtureSnapshot();
  const next = change(columns[name]);
  const { [name]: _, ...others } = columns;
  return readSnapshot({
    ...rest,
    columns: next === null ? others : { ...others, [name]: { ...columns[name], ...next } },
  });
};

const cut = ({ data }: SnapshotColumn) => ({ data: new DataView(data.buffer, data.byteOffset, data.byteLength - 4) });

it.each(Object.keys(fixtureSnapshot().columns))(
  "refuses a column %s that is missing, cut short or of another type",
  (name) => {
    const words = /column "[a-z_]+" is missing or is not \d+ values of/;
    // A notebook that was saved by an earlier version has no stability, nor has a pruned graph that of its edges.
    if (name === "stability") expect(changed(name, () => null)().stability.every((share) => share === -1)).toBe(true);
    else if (name === "edge_kept") expect(changed(name, () => null)().edgeKept).toBeNull();
    else expect(changed(name, () => null)).toThrow(words);
    expect(changed(name, cut)).toThrow(words);
    expect(changed(name, ({ dtype }) => ({ dtype: dtype === "float32" ? "int32" : "float32" }))).toThrow(words);
    expect(changed(name, () => ({ data: undefined as unknown as DataView }))).toThrow(words);
  },
);

const withFirst =
  (set: (data: DataView) => void) =>
  ({ data }: SnapshotColumn) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
    set(new DataView(bytes.buffer));
    return { data: new DataView(bytes.buffer) };
  };

it("refuses edges and targets that end at no node, and numbers that are not finite", () => {
  const far = withFirst((data) => data.setUint16(0, 60_000, true));
  expect(changed("edge_source", far)).toThrow("An edge of the graph is at node 60000, but there are only");
  const nan = withFirst((data) => data.setFloat32(0, Number.NaN, true));
  expect(changed("influence", nan)).toThrow('column "influence" has values that are not finite');
  const snapshot = fixtureSnapshot();
  const targets = [{ ...snapshot.targets[0], node: -1 }];
  expect(() => readSnapshot({ ...snapshot, targets })).toThrow("A target is at node -1");
});

it("refuses numbers of inputs that are not those of its edges", () => {
  const many = withFirst((data) => data.setUint32(0, 4_000_000_000, true));
  expect(changed("inputs", many)).toThrow('column "edge_source" is missing or is not');
});

it("refuses another version of the format", () => {
  expect(() => readSnapshot({ ...fixtureSnapshot(), version: 1 })).toThrow("version 1");
});
