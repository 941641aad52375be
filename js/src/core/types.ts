/** The plain values of the page: the graph, the circuit, what is visible. */

import type { NodeId, SnapshotMessage } from "../messages/types";
import type { FILTERED_KINDS, KIND, SIGNS } from "./constants";
import type { ErrorBand, NodeFilter } from "./filters";

export type NodeKind = (typeof KIND)[keyof typeof KIND];

/** The graph as the frontend sees it: columns over nodes and columns over edges. */
export interface Snapshot {
  /** Tells the graphs of one widget apart. */
  readonly number: number;
  /** How many features it was traced with at most; null for no limit. */
  readonly maxFeatures: number | null;
  /** What the features are: of transcoders, or neurons of the model, whose errors are the other neurons. */
  readonly basis: SnapshotMessage["basis"];
  readonly nLayers: number;
  /** What the layers are called where they are parts of the model's layers; else empty. */
  readonly layerNames: readonly string[];
  readonly position: number;
  /** The prompt as it was typed; empty where only its tokens are known. */
  readonly prompt: string;
  readonly tokens: SnapshotMessage["tokens"];
  readonly targets: SnapshotMessage["targets"];
  readonly model: SnapshotMessage["model"];
  readonly scores: SnapshotMessage["scores"];
  /** Those of a circuit that has none of its own. */
  readonly thresholds: Thresholds;
  /** Share of the summed influence that errors have; null where an earlier version saved the notebook. */
  readonly errorInfluence: number | null;
  /** Nodes of the whole graph, of which a snapshot has the most influential. */
  readonly totalNodes: number;
  /** Edges of the whole graph, of which a snapshot has the strongest; null where an earlier version saved the notebook. */
  readonly totalEdges: number | null;

  readonly ids: readonly NodeId[];
  readonly index: ReadonlyMap<NodeId, number>;
  /** Labels that came with the graph, by node index; the circuit's labels go before them. */
  readonly labels: ReadonlyMap<number, string>;
  readonly kind: Uint8Array;
  readonly layer: Int16Array;
  readonly nodePosition: Int16Array;
  readonly feature: Int32Array;
  readonly activation: Float32Array;
  readonly influence: Float32Array;
  readonly share: Float32Array;
  /** Summed absolute weight of everything that enters a node, whether in the snapshot or not. */
  readonly inputTotal: Float32Array;
  /** Share of prunings in which a node stays; -1 where it is not known. */
  readonly stability: Float32Array;

  readonly edgeSource: Uint32Array;
  readonly edgeTarget: Uint32Array;
  readonly edgeWeight: Float32Array;
  readonly edgeShare: Float32Array;
  /** In how many of the prunings an edge stays; null where that is not known. */
  readonly edgeKept: Uint8Array | null;
  /** How many prunings the stability of nodes and edges is counted in; 0 where that is not known. */
  readonly prunings: number;
  /** Edge indices that enter each node: `inputs.edges[inputs.start[n] .. inputs.start[n + 1]]`, strongest first. */
  readonly inputs: Adjacency;
  /** Edge indices that leave each node, strongest first. */
  readonly outputs: Adjacency;
}

/** The share of influence that visible nodes have, and the share of edge score that visible edges have. */
export interface Thresholds {
  readonly node: number;
  readonly edge: number;
}

export interface Adjacency {
  readonly start: Uint32Array;
  readonly edges: Uint32Array;
}

export interface Supernode {
  readonly id: string;
  readonly name: string;
  /** Index into the six hues of supernodes. */
  readonly color: number;
  readonly nodes: readonly NodeId[];
}

/** What the map hides beyond the thresholds, exactly as it is saved: only filters that hide something. */
export interface Filters {
  /** The visible kinds of nodes; outputs are always visible. */
  readonly kinds?: readonly (typeof FILTERED_KINDS)[number][];
  /** The first and the last visible layer of features and errors. */
  readonly layers?: readonly [number, number];
  /** The first and the last visible position. */
  readonly positions?: readonly [number, number];
  /** The sign of visible edges. */
  readonly sign?: (typeof SIGNS)[number];
  /** Words in the labels of visible features and errors. */
  readonly label?: string;
  /** The share of prunings in which visible features and errors stay, at least. */
  readonly stability?: number;
  /** Whether errors are one band a layer instead of nodes. */
  readonly error_bands?: true;
  /** Nodes that were hidden by hand. */
  readonly hidden?: readonly NodeId[];
}

/** The user's document on a graph, exactly as it is saved. */
export interface Circuit {
  /** 4 with edges drawn by their stability, else 3 with a least share of drawn edges or numbers on them, else 2 with filters, else 1. */
  readonly version: 1 | 2 | 3 | 4;
  readonly revision: number;
  readonly pinned: readonly NodeId[];
  readonly supernodes: readonly Supernode[];
  readonly labels: Readonly<Record<NodeId, string>>;
  /** Box centres in the circuit pane's unit square, x right and y down. */
  readonly positions: Readonly<Record<string, readonly [number, number]>>;
  /** Thresholds of the display rule; null for those of the graph. */
  readonly node_threshold: number | null;
  readonly edge_threshold: number | null;
  readonly filters?: Filters;
  /** The least share of a box's input with which an edge between boxes is drawn; none, or null, for the default. */
  readonly least_share?: number | null;
  /** Whether drawn edges between boxes have their percentages. */
  readonly edge_numbers?: boolean;
  /** Whether edges of the map are whole only where they stay in all prunings. */
  readonly edge_stability?: boolean;
}

/** A box of the circuit pane: a supernode, or a pinned node by itself. */
export interface Box {
  /** The supernode's id, or the node's. */
  readonly id: string;
  /** The supernode's name; null for a node, which goes by its own name. */
  readonly name: string | null;
  /** Index into the six hues of supernodes; null for a node by itself. */
  readonly color: number | null;
  readonly nodes: readonly NodeId[];
}

/** What the display rule lets through. */
export interface Visible {
  /** Visible node indices, ascending. */
  readonly nodes: Uint32Array;
  /** Visible edge indices, ascending. */
  readonly edges: Uint32Array;
  /** 1 for each visible node, by node index. */
  readonly mask: Uint8Array;
  /** Nodes that are hidden by filters alone, each with the first filter that hides it. */
  readonly filtered: ReadonlyMap<number, NodeFilter>;
  /** How many tokens of a long prompt are hidden because they have nothing to show. */
  readonly idleTokens: number;
  /** The errors that are drawn as one band a layer. */
  readonly errorBands: readonly ErrorBand[];
}

/** Work that the kernel is doing for this view. */
export interface Job {
  readonly rid: string;
  readonly label: string;
  /** From 0 to 1. */
  readonly fraction: number;
  readonly text: string;
  /** True until the kernel has accepted the request, when that takes noticeably long. */
  readonly waiting: boolean;
}

/** Something that went wrong, in a sentence for the user. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** A drag of map nodes, in client coordinates, for whoever may receive the drop. */
export interface Drag {
  readonly nodes: readonly NodeId[];
  readonly x: number;
  readonly y: number;
  /** True once the nodes were dropped; who takes the drop sets the signal to null, else it is forgotten. */
  readonly dropped: boolean;
}
