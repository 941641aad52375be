/** All state of one view, and the only place that writes the widget's traits. */

import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { boxes as boxesOf, threshold } from "../core/circuit";
import { type Compared, readCompared, type Where } from "../core/compared";
import { type Ghost, ghostsOf } from "../core/ghosts";

import { type InPrompts, inPrompts } from "../core/in-prompts";

import { type BandRange, openedBy } from "../core/open-bands";

import { thresholdsOf } from "../core/snapshot";
import type { Box, Circuit, Drag, Failure, Snapshot, Thresholds, Visible } from "../core/types";
import { visible as visibleOf } from "../core/visible";
import type {
  BoxEdgesMessage,
  Capabilities,
  DoubtfulName,
  EffectMessage,
  ExperimentEntry,
  GraphSteps,
  Kept,
  NodeId,
  OtherGraphMessage,
  PromptStabilityMessage,
  ProposalMessage,
  Settings,
  StudyMessage,
} from "../messages/types";
import type { WidgetModel } from "../wire/host";
import type { Rpc } from "../wire/rpc";
import { traitSignal } from "../wire/traits";
import { nodeName } from "../wording/names";
import { circuitDocument } from "./circuit-sync";
import { type Experiments, experiments } from "./experiments";
import { type FoundPaths, nodesOf } from "./paths";
import { selection } from "./selection";
import { steps, type UndoSteps } from "./undo";

export type SelectMode = "replace" | "toggle" | "add";
export type Popover = "search" | "export" | "help" | "retrace" | "filters" | "words";

const NOT_KEPT: Kept = { file: null, sentence: "", step: null };

/** The panels at the side that have the model run. */
export type Panel = "effect" | "sweep" | "generate" | "validate" | "history";

export interface Actions
  extends Pick<UndoSteps, "edit" | "undo" | "redo" | "replaceWork">,
    Omit<Experiments, "effect" | "study" | "compared" | "job" | "kernel"> {
  /** Selects nodes; a supernode's id selects its members. The last id becomes the inspected one. */
  select(ids: readonly string[], mode: SelectMode): void;
  hover(id: NodeId | null): void;
  /** Shows thresholds without making them part of the document; null goes back to the document's. */
  previewThresholds(thresholds: Thresholds | null): void;
  /** Makes the previewed thresholds part of the document. */
  keepThresholds(): void;
  /** Takes the graph beside off the screen. */
  closeComparison(): void;
  /** Forgets the other prompts. */
  forgetPrompts(): void;
  fail(failure: Failure): void;
  dismiss(): void;
}

export interface Store
  extends Pick<Experiments, "effect" | "study" | "compared" | "job" | "kernel">,
    Pick<UndoSteps, "undoName" | "redoName"> {
  readonly snapshot: Snapshot;
  readonly circuit: ReadonlySignal<Circuit>;
  readonly selected: ReadonlySignal<readonly NodeId[]>;
  readonly hovered: ReadonlySignal<NodeId | null>;
  /** The experiments made so far, the first one first. */
  readonly made: ReadonlySignal<readonly ExperimentEntry[]>;
  readonly visible: ReadonlySignal<Visible>;
  /** The thresholds on screen: the document's, or those of a slider that moves. */
  readonly thresholds: ReadonlySignal<Thresholds>;
  readonly boxes: ReadonlySignal<readonly Box[]>;
  /** The edges between boxes that the kernel counted last, on this graph; null where there are none. */
  readonly boxEdges: ReadonlySignal<BoxEdgesMessage | null>;
  /** What the kernel proposed last; seen in this view alone. */
  readonly proposals: Signal<readonly ProposalMessage[]>;
  /** Why the names of supernodes that came along from another graph may not fit, by their ids. */
  readonly doubts: ReadonlySignal<ReadonlyMap<string, string>>;
  /** The boxes of the proposals that are not accepted yet. */
  readonly ghosts: ReadonlySignal<readonly Ghost[]>;
  /** The ghost under the pointer, with the focus, or whose reason is open. */
  readonly pointed: Signal<string | null>;
  /** The supernode of each grouped node. */
  readonly supernodeOf: ReadonlySignal<ReadonlyMap<NodeId, Box>>;
  readonly failure: ReadonlySignal<Failure | null>;
  readonly capabilities: ReadonlySignal<Capabilities>;
  readonly settings: ReadonlySignal<Settings>;
  /** Where circuit and history are kept. */
  readonly kept: ReadonlySignal<Kept>;
  readonly theme: Signal<"light" | "dark">;
  /** The last selected node or supernode. */
  readonly inspected: ReadonlySignal<string | null>;
  /** Nodes dragged from the map, in client coordinates. */
  readonly drag: Signal<Drag | null>;
  /** The comparison with the graph beside; null where there is none. */
  readonly comparison: ReadonlySignal<Compared | null>;
  /** In the graphs of how many prompts that mean the same nodes are; null where no others were traced. */
  readonly prompts: ReadonlySignal<InPrompts | null>;
  /** Whether the map fades features that are not in the graphs of all of them; seen in this view alone. */
  readonly onlyInAll: Signal<boolean>;
  /** The nodes that both maps emphasise by where they are; seen in this view alone. */
  readonly emphasis: Signal<Where | null>;
  /** The view of the graph beside, while it is displayed. */
  readonly there: Signal<Store | null>;
  /** Whether there is a graph before this one, with which it can be compared. */
  readonly hasEarlier: ReadonlySignal<boolean>;
  /** Which of the panels that have the model run is open. */
  readonly panel: Signal<Panel>;
  /** Which of the header's popovers is open. */
  readonly popover: Signal<Popover | null>;
  /** Set to a node or supernode id to open its name for editing wherever it is displayed. */
  readonly renaming: Signal<string | null>;
  /** The paths that the map emphasises; seen in this view alone. */
  readonly paths: Signal<FoundPaths | null>;
  /** The bands of the map that are open; seen in this view alone. */
  readonly openBands: Signal<readonly BandRange[]>;
  readonly actions: Actions;
  /** What a node is called: the user's label, the graph's, or its kind and number. */
  nameOf(node: NodeId): string;
}

/** The state of one view of one graph, from the model's traits; it follows them until the signal aborts. */
export function createStore(
  model: WidgetModel,
  snapshot: Snapshot,
  rpc: Rpc,
  theme: Signal<"light" | "dark">,
  abort: AbortSignal,
): Store {
  const failure = signal<Failure | null>(null);
  const fail = (problem: Failure | null) => {
    failure.value = problem;
  };
  const trait = <T>(name: string) => traitSignal<T>(model, name, abort, rpc.kernelGone);
  const document = circuitDocument(trait<unknown>("circuit"), snapshot, fail);
  const { circuit } = document;
  const boxes = computed(() => boxesOf(circuit.value));
  const supernodes = computed(() => new Map(circuit.value.supernodes.map(({ id, nodes }) => [id, nodes])));
  const chosen = selection(trait<readonly NodeId[]>("selected"), supernodes);
  const capabilities = trait<Capabilities>("capabilities");
  const { effect, study, compared, job, kernel, ...running } = experiments(
    rpc,
    trait<EffectMessage | null>("effect"),
    trait<StudyMessage | null>("study").value,
    capabilities.value,
    fail,
  );
  const graphs = trait<GraphSteps | undefined>("graphs").value;
  const doing = { effect, kernel, clearEffect: running.clearEffect };
  const { undoName, redoName, ...stepping } = steps(document, doing, graphs);
  const settings = trait<Settings>("settings");
  const beside = trait<OtherGraphMessage | null | undefined>("comparison");
  const words = trait<PromptStabilityMessage | null | undefined>("prompt_stability");
  const onlyInAll = signal(false);
  const emphasis = signal<Where | null>(null);
  // A notebook that was saved by an earlier version has none.
  const kept = trait<Partial<Kept> | undefined>("kept");
  const doubtful = trait<readonly DoubtfulName[] | undefined>("_doubtful_names").value;
  const counted = trait<Partial<BoxEdgesMessage> | undefined>("_box_edges").value;
  const hovered = signal<NodeId | null>(null);
  const proposals = signal<readonly ProposalMessage[]>([]);
  const preview = signal<Thresholds | null>(null);
  const thresholds = computed(() => preview.value ?? thresholdsOf(snapshot, circuit.value));
  const paths = signal<FoundPaths | null>(null);
  const openBands = signal<readonly BandRange[]>([]);
  const opened = computed(() => openBands.value.flatMap((band) => openedBy(snapshot, circuit.value, band)));
  let latest: Visible | null = null;
  const visible = computed(() => {
    const kept = [...chosen.selected.value, ...nodesOf(paths.value), ...opened.value];
    const next = visibleOf(snapshot, circuit.value, kept, thresholds.value);
    // The same object while the same is visible, so that a selection alone lays nothing out anew.
    if (latest === null || !sameVisible(latest, next)) latest = next;
    return latest;
  });
  const supernodeOf = computed(() => {
    const supernodes = boxes.value.filter((box) => box.name !== null);
    return new Map(supernodes.flatMap((box) => box.nodes.map((node) => [node, box] as const)));
  });
  rpc.onNotice(({ message }) => fail({ code: "notice", message }));

  return {
    snapshot,
    circuit,
    selected: chosen.selected,
    inspected: chosen.inspected,
    hovered,
    effect,
    study,
    compared,
    job,
    kernel,
    made: trait<readonly ExperimentEntry[]>("experiments").value,
    visible,
    thresholds,
    boxes,
    boxEdges: computed(() => {
      const { boxes: known, number } = counted.value ?? {};
      // While another graph comes, the edges may be those of the one before.
      return known !== undefined && number === snapshot.number ? (counted.value as BoxEdgesMessage) : null;
    }),
    proposals,
    doubts: computed(() => {
      const names = new Map(circuit.value.supernodes.map(({ id, name }) => [id, name]));
      const still = (doubtful.value ?? []).filter(({ supernode, name }) => names.get(supernode) === name);
      return new Map(still.map(({ supernode, reason }) => [supernode, reason]));
    }),
    ghosts: computed(() => ghostsOf(proposals.value, circuit.value)),
    pointed: signal(null),
    supernodeOf,
    failure,
    capabilities: capabilities.value,
    settings: settings.value,
    kept: computed(() => ({ ...NOT_KEPT, ...kept.value.value })),
    theme,
    undoName,
    redoName,
    comparison: computed(() => comparedIn(beside.value.value, fail)),
    prompts: computed(() => inPrompts(words.value.value)),
    onlyInAll,
    emphasis,
    there: signal<Store | null>(null),
    hasEarlier: computed(() => typeof graphs.value?.earlier === "string"),
    panel: signal<Panel>("effect"),
    drag: signal(null),
    popover: signal(null),
    renaming: signal(null),
    paths,
    openBands,
    nameOf: (node) => nodeName(snapshot, circuit.value, node),
    actions: {
      ...running,
      ...stepping,
      select: (ids, mode) => {
        // Going back to nothing goes back from the paths first.
        if (ids.length === 0 && mode === "replace" && paths.peek() !== null) paths.value = null;
        else chosen.select(ids, mode);
      },
      hover: (node) => {
        hovered.value = node;
      },
      previewThresholds: (moved) => {
        preview.value = moved;
      },
      keepThresholds: () => {
        const moved = preview.value;
        if (moved === null) return;
        stepping.edit((before) => threshold(before, moved), "threshold");
        preview.value = null;
      },
      closeComparison: () => {
        emphasis.value = null;
        beside.write(null);
      },
      forgetPrompts: () => {
        onlyInAll.value = false;
        words.write(null);
      },
      fail,
      dismiss: () => {
        failure.value = null;
      },
    },
  };
}

/** The comparison in a message; none, and why, where it cannot be read. */
function comparedIn(message: OtherGraphMessage | null | undefined, fail: (failure: Failure) => void): Compared | null {
  if (message === null || message === undefined) return null;
  try {
    return readCompared(message);
  } catch (error) {
    const why = `The graph beside cannot be displayed. ${(error as Error).message}`;
    queueMicrotask(() => fail({ code: "page", message: why }));
    return null;
  }
}

function sameVisible(one: Visible, other: Visible): boolean {
  return (
    sameNumbers(one.nodes, other.nodes) &&
    sameNumbers(one.edges, other.edges) &&
    one.filtered.size === other.filtered.size &&
    [...one.filtered].every(([node, reason]) => other.filtered.get(node) === reason)
  );
}

function sameNumbers(one: Uint32Array, other: Uint32Array): boolean {
  return one.length === other.length && one.every((value, index) => value === other[index]);
}
