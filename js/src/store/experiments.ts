/** What is asked of the kernel: experiments and studies, what was made before, feature cards, figures. */

import { type ReadonlySignal, signal } from "@preact/signals";
import type {
  AlignmentMessage,
  Capabilities,
  Card,
  ComparisonMessage,
  EffectMessage,
  Failure,
  InterventionJson,
  Job,
  Mode,
  NodeId,
  StudyMessage,
} from "../core/types";
import { download } from "../page/download";
import type { RequestName, Requests } from "../wire/messages";
import { type Rpc, RpcError } from "../wire/rpc";
import type { SharedTrait } from "../wire/traits";
import type { FigureFormat, FigurePart, FigureWidth } from "./store";

/** The requests that end in a study. */
export type StudyName = "sweep" | "generate" | "validate";

export interface Experiments {
  readonly effect: ReadonlySignal<EffectMessage | null>;
  /** The study made last, or the one that runs as far as it is. */
  readonly study: ReadonlySignal<StudyMessage | null>;
  /** An experiment beside the one on show; seen in this view alone. */
  readonly compared: ReadonlySignal<ComparisonMessage | null>;
  readonly job: ReadonlySignal<Job | null>;
  intervene(interventions: readonly InterventionJson[], mode: Mode, name: string): Promise<void>;
  cancel(): void;
  clearEffect(): void;
  /** Puts an experiment made before back on show. */
  recall(id: number): Promise<boolean>;
  /** Shows an experiment beside the one on show; null takes it away. */
  compare(id: number | null): Promise<void>;
  renameExperiment(id: number, name: string): Promise<void>;
  forget(id: number): Promise<void>;
  /** Runs the experiment on show on random features like those it touched. */
  control(): Promise<void>;
  align(prompt: string): Promise<AlignmentMessage | null>;
  run<Name extends StudyName>(name: Name, body: Requests[Name]["body"], label: string): Promise<void>;
  card(node: NodeId): Promise<Card>;
  /** Asks the kernel for a figure and hands it to the browser as a download. */
  exportFigure(format: FigureFormat, width: FigureWidth, part: FigurePart): Promise<void>;
  /** The same for the list of experiments as a table. */
  exportTable(): Promise<void>;
}

/** Endings that are nobody's fault: the user's own cancel, a newer click, a closed view. */
const QUIET_CODES: ReadonlySet<string> = new Set(["cancelled", "superseded", "closed"]);

/** As many controls as a band needs. */
const CONTROLS = 20;

export function experiments(
  rpc: Rpc,
  effect: SharedTrait<EffectMessage | null>,
  kept: ReadonlySignal<StudyMessage | null>,
  capabilities: ReadonlySignal<Capabilities>,
  fail: (failure: Failure | null) => void,
): Experiments {
  const job = signal<Job | null>(null);
  const compared = signal<ComparisonMessage | null>(null);
  const study = signal(kept.peek());
  const cards = new Map<NodeId, Promise<Card>>();
  let asked = 0;
  let shown = 0;
  const running = new Map<string, { job: Job; cancel(): void }>();

  kept.subscribe((made) => {
    study.value = made;
  });
  // What was compared with one experiment says nothing of the next.
  effect.value.subscribe((made) => {
    if (made?.id !== compared.peek()?.beside) compared.value = null;
  });

  /** Whether the model can be run; what went wrong before says nothing of what is run now. */
  const able = (): boolean => {
    const { intervene, why_not } = capabilities.value;
    fail(intervene ? null : { code: "intervention", message: why_not });
    return intervene;
  };

  /** Of all that runs, what was asked last. */
  const latest = () => [...running.values()].at(-1);
  const showJob = () => {
    job.value = latest()?.job ?? null;
  };

  /** The reply to a request, which is shown as the job until it settles; null where there is none, which is said. */
  const follow = async <Name extends RequestName>(
    label: string,
    name: Name,
    body: Requests[Name]["body"],
    onPartial?: (body: Requests[Name]["reply"]) => void,
  ) => {
    const { rid, reply, cancel } = rpc.request(name, body, {
      onStatus: (status) => {
        running.set(status.rid, { job: { ...status, label }, cancel });
        showJob();
      },
      onPartial,
    });
    running.set(rid, { job: { rid, label, fraction: 0, text: "", waiting: false }, cancel });
    showJob();
    try {
      return await reply;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      if (!QUIET_CODES.has(error.code)) fail({ code: error.code, message: error.message });
      return null;
    } finally {
      running.delete(rid);
      showJob();
    }
  };

  const save = async (label: string, name: "figure" | "table", body: Requests[typeof name]["body"]) => {
    const reply = await follow(label, name, body);
    const [bytes] = reply?.buffers ?? [];
    if (reply !== null && bytes !== undefined) download(reply.body.filename, reply.body.mime, bytes);
    else if (reply !== null) fail({ code: name, message: "The file came without its bytes. Export it again." });
  };

  return {
    effect: effect.value,
    study,
    compared,
    job,
    intervene: async (interventions, mode, name) => {
      if (!able()) return;
      asked += 1;
      const number = asked;
      const reply = await follow(name, "intervene", { interventions, mode, name });
      // An answer that comes after a newer one's is out of date.
      if (reply === null || number < shown) return;
      shown = number;
      effect.write(reply.body);
    },
    cancel: () => latest()?.cancel(),
    clearEffect: () => effect.write(null),
    recall: async (id) => (await follow("Experiment", "recall", { id })) !== null,
    compare: async (id) => {
      const beside = effect.value.peek()?.id;
      const asks = id !== null && beside !== undefined;
      const reply = asks ? await follow("Comparison", "compare", { id, beside }) : null;
      compared.value = reply?.body ?? null;
    },
    renameExperiment: async (id, name) => void (await follow("Rename", "rename", { id, name })),
    forget: async (id) => {
      if (compared.value?.id === id) compared.value = null;
      await follow("Delete", "forget", { id });
    },
    control: async () => {
      const made = effect.value.peek();
      if (made !== null && able()) await follow(`Controls of ${made.name}`, "controls", { id: made.id, n: CONTROLS });
    },
    align: async (prompt) => (await follow("Alignment", "align", { prompt }))?.body ?? null,
    run: async (name, body, label) => {
      if (!able()) return;
      const before = study.value;
      const reply = await follow(label, name, body, (made) => {
        study.value = made;
      });
      // What was not finished goes, and the last one is shown again.
      study.value = reply?.body ?? kept.peek() ?? before;
    },
    card: (node) => {
      const known = cards.get(node);
      if (known !== undefined) return known;
      const card = rpc.request("card", { node }).reply.then(({ body }) => body);
      cards.set(node, card);
      card.catch(() => cards.delete(node));
      return card;
    },
    exportFigure: (format, width, part) => save(`Figure as ${format.toUpperCase()}`, "figure", { format, width, part }),
    exportTable: () => save("Table of experiments", "table", {}),
  };
}
