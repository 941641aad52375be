/** Reads the graph that the kernel sends: a JSON header, then little-endian columns. */

import { allRepaired } from "../text/characters";
import type { SnapshotArray, SnapshotHeader } from "../wire/types";
import type { Adjacency, Snapshot } from "./types";

const ARRAY_TYPES = {
  uint8: Uint8Array,
  int16: Int16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  float32: Float32Array,
} as const satisfies Record<DType, unknown>;

/** Our names of the columns, with theirs in the header. */
const NODE_COLUMNS = {
  kind: ["kind", "uint8"],
  layer: ["layer", "int16"],
  nodePosition: ["position", "int16"],
  feature: ["feature", "int32"],
  activation: ["activation", "float32"],
  influence: ["influence", "float32"],
  share: ["share", "float32"],
  inputTotal: ["input_total", "float32"],
} as const;

const EDGE_COLUMNS = {
  edgeSource: ["edge_source", "uint32"],
  edgeTarget: ["edge_target", "uint32"],
  edgeWeight: ["edge_weight", "float32"],
  edgeShare: ["edge_share", "float32"],
} as const;

type DType = SnapshotArray["dtype"];
type Spec = Readonly<Record<string, readonly [name: string, dtype: DType]>>;
type Columns<Wanted extends Spec> = {
  [Name in keyof Wanted]: InstanceType<(typeof ARRAY_TYPES)[Wanted[Name][1]]>;
};

/** Decodes a snapshot; throws an Error that says what is wrong with the bytes. */
export function decodeSnapshot(bytes: DataView): Snapshot {
  const header = readHeader(bytes);
  const nodes = readColumns(bytes, header, NODE_COLUMNS, header.ids.length);
  const edgeCount = header.arrays.edge_source?.length ?? 0;
  const edges = readColumns(bytes, header, EDGE_COLUMNS, edgeCount);
  requireNodes(edges.edgeSource, header.ids.length);
  requireNodes(edges.edgeTarget, header.ids.length);
  const strongestFirst = orderByStrength(edges.edgeWeight);
  return {
    nLayers: header.n_layers,
    position: header.position,
    prompt: header.prompt,
    tokens: header.tokens,
    targets: header.targets,
    model: header.model,
    scores: header.scores,
    totalNodes: header.total_nodes,
    ids: header.ids,
    index: new Map(header.ids.map((id, node) => [id, node])),
    labels: new Map(Object.entries(header.labels).map(([node, label]) => [Number(node), label])),
    ...nodes,
    ...edges,
    inputs: adjacency(edges.edgeTarget, strongestFirst, header.ids.length),
    outputs: adjacency(edges.edgeSource, strongestFirst, header.ids.length),
  };
}

function readHeader(bytes: DataView): SnapshotHeader {
  if (bytes.byteLength < 4) throw new Error("The graph did not arrive: no bytes.");
  const length = bytes.getUint32(0, true);
  if (4 + length > bytes.byteLength) throw new Error("The graph arrived cut short: its header is incomplete.");
  const text = new TextDecoder().decode(new Uint8Array(bytes.buffer, bytes.byteOffset + 4, length));
  const header = allRepaired(JSON.parse(text)) as SnapshotHeader;
  if (header.version !== 1) {
    throw new Error(
      `The graph is in version ${header.version} of the format; this widget reads version 1. Reload the page after an upgrade.`,
    );
  }
  return header;
}

function readColumns<Wanted extends Spec>(
  bytes: DataView,
  header: SnapshotHeader,
  wanted: Wanted,
  length: number,
): Columns<Wanted> {
  const section = Math.ceil((4 + bytes.getUint32(0, true)) / 8) * 8;
  const columns: Record<string, unknown> = {};
  for (const [ours, [name, dtype]] of Object.entries(wanted)) {
    const array = header.arrays[name];
    if (array === undefined || array.dtype !== dtype || array.length !== length) {
      throw new Error(`The graph's column "${name}" is missing or is not ${length} values of ${dtype}.`);
    }
    const type = ARRAY_TYPES[dtype];
    const start = bytes.byteOffset + section + array.offset;
    const end = start + length * type.BYTES_PER_ELEMENT;
    if (end > bytes.byteOffset + bytes.byteLength) {
      throw new Error(`The graph arrived cut short: column "${name}" is incomplete.`);
    }
    columns[ours] = new type(bytes.buffer.slice(start, end) as ArrayBuffer);
  }
  return columns as Columns<Wanted>;
}

function requireNodes(ends: Uint32Array, count: number): void {
  for (const end of ends) {
    if (end >= count) throw new Error(`An edge of the graph ends at node ${end}, but there are only ${count} nodes.`);
  }
}

function orderByStrength(weights: Float32Array): Uint32Array {
  const strength = weights.map(Math.abs);
  return Uint32Array.from(weights.keys()).sort((a, b) => strength[b] - strength[a] || a - b);
}

/** Groups edges by one of their ends, keeping the given order within each group. */
function adjacency(ends: Uint32Array, order: Uint32Array, count: number): Adjacency {
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

/** The share of a target's whole input that an edge carries, signed. */
export function shareOfInput(snapshot: Snapshot, edge: number): number {
  const total = snapshot.inputTotal[snapshot.edgeTarget[edge]];
  return total > 0 ? snapshot.edgeWeight[edge] / total : 0;
}

/** The edges of one node within an adjacency. */
export function edgesOf(adjacency: Adjacency, node: number): Uint32Array {
  return adjacency.edges.subarray(adjacency.start[node], adjacency.start[node + 1]);
}
