/** All state of one view, and the only place that writes the widget's traits. */

import { computed, effect, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { boxes as boxesOf } from "./core/circuit";
import { History } from "./core/history";
import type {
  Box,
  Capabilities,
  Card,
  Circuit,
  Drag,
  EffectMessage,
  Failure,
  InterventionJson,
  Job,
  Mode,
  NodeId,
  Settings,
  Snapshot,
  Visible,
  WidgetModel,
} from "./core/types";
import { visible as visibleOf } from "./core/visible";
import type { Rpc } from "./rpc";

export type SelectMode = "replace" | "toggle" | "add";
export type FigureFormat = "svg" | "pdf" | "png";
export type FigureWidth = 3.25 | 5.5 | 6.75;
export type FigurePart = "map" | "circuit" | "both";

/** Thresholds while a slider moves, before they become part of the document. */
export interface Thresholds {
  readonly node: number;
  readonly edge: number;
}

export interface Actions {
  /** Selects nodes; a supernode's id stands for its members. The last id becomes the inspected one. */
  select(ids: readonly string[], mode: SelectMode): void;
  hover(id: NodeId | null): void;
  /** Applies one undoable change to the circuit document and shares it with the kernel. */
  edit(change: (circuit: Circuit) => Circuit, what: string): void;
  undo(): void;
  redo(): void;
  /** Shows thresholds without making them part of the document; null goes back to the document's. */
  previewThresholds(thresholds: Thresholds | null): void;
  intervene(interventions: readonly InterventionJson[], mode: Mode, name: string): Promise<void>;
  cancel(): void;
  clearEffect(): void;
  card(node: NodeId): Promise<Card>;
  /** Asks the kernel for a figure and hands it to the browser as a download. */
  exportFigure(format: FigureFormat, width: FigureWidth, part: FigurePart): Promise<void>;
  fail(failure: Failure): void;
  dismiss(): void;
}

export interface Store {
  readonly snapshot: Snapshot;
  readonly circuit: ReadonlySignal<Circuit>;
  readonly selected: ReadonlySignal<readonly NodeId[]>;
  readonly hovered: ReadonlySignal<NodeId | null>;
  readonly effect: ReadonlySignal<EffectMessage | null>;
  readonly visible: ReadonlySignal<Visible>;
  /** The thresholds on screen: the document's, or those of a slider that moves. */
  readonly thresholds: ReadonlySignal<Thresholds>;
  readonly boxes: ReadonlySignal<readonly Box[]>;
  /** The supernode of each grouped node. */
  readonly groupOf: ReadonlySignal<ReadonlyMap<NodeId, Box>>;
  readonly job: ReadonlySignal<Job | null>;
  readonly failure: ReadonlySignal<Failure | null>;
  readonly capabilities: ReadonlySignal<Capabilities>;
  readonly settings: ReadonlySignal<Settings>;
  readonly theme: Signal<"light" | "dark">;
  /** The last selected node or supernode. */
  readonly inspected: ReadonlySignal<string | null>;
  readonly canUndo: ReadonlySignal<boolean>;
  readonly canRedo: ReadonlySignal<boolean>;
  /** What undo and redo would take back or bring back, in words; empty when there is nothing. */
  readonly undoName: ReadonlySignal<string>;
  readonly redoName: ReadonlySignal<string>;
  /** Nodes dragged from the map, in client coordinates. */
  readonly drag: Signal<Drag | null>;
  /** Set to a node or supernode id to open its name for editing wherever it is shown. */
  readonly renaming: Signal<string | null>;
  readonly actions: Actions;
  /** What a node is called: the user's label, the graph's, or its kind and number. */
  nameOf(node: NodeId): string;
}
