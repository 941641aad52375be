/**
 * Undo and redo over the circuit and the displayed experiment: every change of either is a step, whoever made it. Beyond
 * the steps on this graph are those to the graph before and after it.
 */

import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { Circuit } from "../core/types";
import { History } from "../core/undo-stack";
import type { EffectMessage, GraphSteps } from "../messages/types";
import type { CircuitDocument } from "./circuit-sync";
import type { Experiments } from "./experiments";

export interface UndoSteps {
  /** What undo would take back and redo bring back, in words; null for nothing. */
  readonly undoName: ReadonlySignal<string | null>;
  readonly redoName: ReadonlySignal<string | null>;
  /** Applies one change to the circuit document and shares it with the kernel. */
  edit(change: (circuit: Circuit) => Circuit, what: string): void;
  undo(): void;
  redo(): void;
  /** Has the kernel take away the work of the last run, or bring it back, as one step. */
  replaceWork(step: WorkStep): Promise<void>;
}

/** What the footer offers where a widget began with the work of the last run. */
export type WorkStep = "start_afresh" | "bring_back";

const WORK_STEPS: Record<WorkStep, string> = { start_afresh: "starting afresh", bring_back: "bringing it back" };

interface Present {
  readonly circuit: Circuit;
  /** The number of the displayed experiment. */
  readonly experiment: number | null;
  /** Whether the work of the last run was taken away. */
  readonly afresh: boolean;
}

export function steps(
  document: CircuitDocument,
  experiments: Pick<Experiments, "effect" | "kernel" | "clearEffect">,
  graphs: ReadonlySignal<GraphSteps | undefined>,
): UndoSteps {
  const history = new History<Present>();
  const changed = signal(0);
  const numberOf = (effect: EffectMessage | null) => effect?.id ?? null;
  let present: Present = {
    circuit: document.circuit.peek(),
    experiment: numberOf(experiments.effect.peek()),
    afresh: false,
  };
  /** While the kernel replaces circuit, effect and history, which come one after another. */
  let replacing = false;

  const take = (next: Partial<Present>, what: string | null) => {
    if (what !== null && !replacing) history.push(present, what);
    present = { ...present, ...next };
    changed.value += 1;
  };

  document.onElsewhere((circuit) => take({ circuit }, "a change made elsewhere"));

  experiments.effect.subscribe((effect) => {
    const experiment = numberOf(effect);
    if (experiment !== present.experiment) take({ experiment }, effect?.name ?? "taking the effect away");
  });

  /** Has the kernel replace the work; whether it did. */
  const replace = async (step: WorkStep): Promise<boolean> => {
    replacing = true;
    try {
      const { kernel } = experiments;
      return (await (step === "start_afresh" ? kernel.start_afresh({}) : kernel.bring_back({}))) !== null;
    } finally {
      replacing = false;
    }
  };

  /** Brings a version back: the circuit under a new revision, the experiment from the kernel's history. */
  const bringBack = (version: Present) => {
    if (version.afresh !== present.afresh) {
      take({ afresh: version.afresh }, null);
      void replace(version.afresh ? "start_afresh" : "bring_back");
      return;
    }
    const { circuit, experiment } = version;
    const restored = sameContent(circuit, present.circuit) ? present.circuit : document.put(circuit);
    const displayed = present.experiment;
    take({ circuit: restored, experiment }, null);
    if (experiment === displayed) return;
    if (experiment === null) experiments.clearEffect();
    else {
      void experiments.kernel.recall({ id: experiment }).then((reply) => {
        // It was deleted meanwhile, or the kernel has gone: what is displayed stays.
        if (reply === null && present.experiment === experiment) {
          take({ experiment: numberOf(experiments.effect.peek()) }, null);
        }
      });
    }
  };

  const named = (which: "undoName" | "redoName", to: keyof GraphSteps) =>
    computed(() => {
      changed.value;
      return history[which] ?? graphs.value?.[to] ?? null;
    });
  const go = (version: Present | null, to: keyof GraphSteps) => {
    if (version !== null) bringBack(version);
    else if (graphs.value?.[to]) void experiments.kernel.display_graph({ to });
  };

  return {
    undoName: named("undoName", "earlier"),
    redoName: named("redoName", "later"),
    edit: (change, what) => {
      const circuit = document.edit(change);
      if (circuit !== null) take({ circuit }, what);
    },
    replaceWork: async (step) => {
      const before = present;
      if (!(await replace(step))) return;
      history.push(before, WORK_STEPS[step]);
      take({ afresh: step === "start_afresh" }, null);
    },
    undo: () => go(history.undo(present), "earlier"),
    redo: () => go(history.redo(present), "later"),
  };
}

function sameContent(one: Circuit, other: Circuit): boolean {
  return one === other || JSON.stringify({ ...one, revision: 0 }) === JSON.stringify({ ...other, revision: 0 });
}
