/** Reads the graph that the kernel sends: texts and numbers as JSON, and little-endian columns as binary buffers. */

import type { SnapshotColumn, SnapshotMessage } from "../messages/types";
import { allRepaired } from "../text/characters";
import { EDGE_THRESHOLD, NODE_THRESHOLD } from "./constants";
import type { Adjacency, Circuit, Snapshot, Thresholds } from "./types";

const ARRAY_TYPES = {
  uint8: Uint8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  float32: Float32Array,
} as const satisfies Record<DType, unknown>;

/** Our names of the columns, with theirs in the message. */
const NODE_COLUMNS = {
  kind: ["kind", "uint8"],
  layer: ["layer", "int16"],
  nodePosition: ["position", "int16"],
  feature: ["feature", "int32"],
  activation: ["activation", "float32"],
  influence: ["influence", "float32"],
  share: ["share", "float32"],
  inputTotal: ["input_total", "float32"],
  inputs: ["inputs", "uint32"],
} as const;

const STABILITY = { stability: ["stability", "float32"] } as const;

const EDGE_STABILITY = { edgeKept: ["edge_kept", "uint8"] } as const;

const EDGE_COLUMNS = {
  edgeSource: ["edge_source", "uint16"],
  edgeWeight: ["edge_weight", "float32"],
  edgeShare: ["edge_share", "float32"],
} as const;

type DType = SnapshotColumn["dtype"];
type Spec = Readonly<Record<string, readonly [name: string, dtype: DType]>>;
type SnapshotColumns<Wanted extends Spec> = {
  [Name in keyof Wanted]: InstanceType<(typeof ARRAY_TYPES)[Wanted[Name][1]]>;
};

/** Reads a snapshot; throws an Error that states what is wrong with it. */
export function readSnapshot({ columns, ...rest }: SnapshotMessage): Snapshot {
  if (rest.version !== 3) {
    throw new Error(
      `The graph is in version ${rest.version} of the format; this widget reads version 3. Reload the page after an upgrade.`,
    );
  }
  const header = allRepaired(rest);
  const count = header.ids.length;
  const { inputs, ...nodes } = readColumns(columns, NODE_COLUMNS, count);
  const edges = readColumns(columns, EDGE_COLUMNS, sum(inputs));
  const edgeSource = Uint32Array.from(edges.edgeSource);
  const edgeTarget = repeated(inputs);
  requireNodes("An edge of the graph", edgeSource, count);
  requireNodes(
    "A target",
    header.targets.map(({ node }) => node),
    count,
  );
  const strongestFirst = orderByStrength(edges.edgeWeight);
  return {
    number: header.number,
    maxFeatures: header.max_features ?? null,
    basis: header.basis,
    nLayers: header.n_layers,
    layerNames: header.layer_names,
    position: header.position,
    prompt: header.prompt,
    tokens: header.tokens,
    targets: header.targets,
    model: header.model,
    scores: header.scores,
    // A notebook that was saved by an earlier version has none.
    thresholds: header.thresholds ?? { node: NODE_THRESHOLD, edge: EDGE_THRESHOLD },
    errorInfluence: header.error_influence ?? null,
    totalNodes: header.total_nodes,
    totalEdges: header.total_edges ?? null,
    ids: header.ids,
    index: new Map(header.ids.map((id, node) => [id, node])),
    labels: new Map(Object.entries(header.labels).map(([node, label]) => [Number(node), label])),
    ...nodes,
    // A notebook that was saved by an earlier version has none.
    stability:
      "stability" in columns ? readColumns(columns, STABILITY, count).stability : new Float32Array(count).fill(-1),
    prunings: header.prunings ?? 0,
    ...edges,
    edgeKept: "edge_kept" in columns ? readColumns(columns, EDGE_STABILITY, sum(inputs)).edgeKept : null,
    edgeSource,
    edgeTarget,
    inputs: adjacency(edgeTarget, strongestFirst, count),
    outputs: adjacency(edgeSource, strongestFirst, count),
  };
}

const sum = (numbers: Uint32Array): number => numbers.reduce((total, number) => total + number, 0);

/** Each index as often as its number says, in order. */
function repeated(numbers: Uint32Array): Uint32Array {
  const indices = new Uint32Array(sum(numbers));
  let end = 0;
  for (const [index, number] of numbers.entries()) {
    const start = end;
    end += number;
    indices.fill(index, start, end);
  }
  return indices;
}

function readColumns<Wanted extends Spec>(
  columns: SnapshotMessage["columns"],
  wanted: Wanted,
  length: number,
): SnapshotColumns<Wanted> {
  const read: Record<string, unknown> = {};
  for (const [ours, [name, dtype]] of Object.entries(wanted)) {
    const column = columns?.[name];
    const type = ARRAY_TYPES[dtype];
    const whole = column?.dtype === dtype && column.data?.byteLength === length * type.BYTES_PER_ELEMENT;
    if (!whole) throw new Error(`The graph's column "${name}" is missing or is not ${length} values of ${dtype}.`);
    // Copied, because a message may have it at an offset where no number of its type can begin.
    const { buffer, byteOffset, byteLength } = column.data;
    const values = new type(buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer);
    if (!values.every(Number.isFinite)) throw new Error(`The graph's column "${name}" has values that are not finite.`);
    read[ours] = values;
  }
  return read as SnapshotColumns<Wanted>;
}

function requireNodes(what: string, nodes: Iterable<number>, count: number): void {
  for (const node of nodes) {
    if (!(node >= 0 && node < count)) throw new Error(`${what} is at node ${node}, but there are only ${count} nodes.`);
  }
}

function orderByStrength(weights: Float32Array): Uint32Array {
  const strength = weights.map(Math.abs);
  return Uint32Array.from(weights.keys()).sort((a, b) => strength[b] - strength[a] || a - b);
}

/** Groups edges by one of their ends, keeping the given order within each group. */
export function adjacency(ends: Uint32Array, order: Uint32Array, count: number): Adjacency {
  const start = new Uint32Array(count + 1);
  for (const end of ends) start[end + 1] += 1;
  for (let node = 0; node < count; node++) start[node + 1] += start[node];
  const next = start.slice(0, count);
  const edges = new Uint32Array(ends.length);
  for (const edge of order) {
    const end = ends[edge];
    edges[next[end]++] = edge;
  }
  return { start, edges };
}

/** The share of a target's whole input that comes over an edge, signed. */
export function shareOfInput(snapshot: Snapshot, edge: number): number {
  const total = snapshot.inputTotal[snapshot.edgeTarget[edge]];
  return total > 0 ? snapshot.edgeWeight[edge] / total : 0;
}

/** The thresholds of a circuit on a graph: its own, or else those of the graph. */
export function thresholdsOf(snapshot: Snapshot, circuit: Circuit): Thresholds {
  return {
    node: circuit.node_threshold ?? snapshot.thresholds.node,
    edge: circuit.edge_threshold ?? snapshot.thresholds.edge,
  };
}

/** The edges of one node within an adjacency. */
export function edgesOf(adjacency: Adjacency, node: number): Uint32Array {
  return adjacency.edges.subarray(adjacency.start[node], adjacency.start[node + 1]);
}
