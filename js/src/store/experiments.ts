/** Experiments and studies: the requests that run the model, what they display, feature cards, files. */

import { type ReadonlySignal, signal } from "@preact/signals";
import type { Failure, Job } from "../core/types";
import type {
  Capabilities,
  Card,
  ComparisonMessage,
  EffectMessage,
  InterventionJson,
  Mode,
  NodeId,
  StudyMessage,
} from "../messages/types";
import { download } from "../page/download";
import { type Client, client } from "../wire/client";
import { type Reply, type Rpc, RpcError, type Send, type SendOptions } from "../wire/rpc";
import type { Trait } from "../wire/traits";

/** The requests that end in a study. */
export type StudyName = "sweep" | "generate" | "validate";

/** The requests that end in a file. */
export type FileName = "figure" | "table" | "html";

export interface Experiments {
  readonly effect: ReadonlySignal<EffectMessage | null>;
  /** The study made last, or the one that runs as far as it is. */
  readonly study: ReadonlySignal<StudyMessage | null>;
  /** An experiment beside the displayed one; seen in this view alone. */
  readonly compared: ReadonlySignal<ComparisonMessage | null>;
  readonly job: ReadonlySignal<Job | null>;
  /** The kernel's requests; the latest one is the job until it settles, and a failure is displayed. */
  readonly kernel: Client;
  intervene(interventions: readonly InterventionJson[], mode: Mode): Promise<void>;
  cancel(): void;
  clearEffect(): void;
  /** Shows an experiment beside the displayed one; null takes it away. */
  compare(id: number | null): Promise<void>;
  forget(id: number): Promise<void>;
  /** Runs the displayed experiment on random features like those it changed. */
  control(): Promise<void>;
  /** Runs a study, and shows it while it fills in. */
  runStudy<Name extends StudyName>(
    request: (options: SendOptions<Name>) => Promise<{ readonly body: StudyMessage } | null>,
  ): Promise<void>;
  card(node: NodeId): Promise<Card>;
  /** Hands a file from the kernel to the browser as a download. */
  save(file: Promise<Reply<FileName> | null>): Promise<void>;
}

/** Ends of a request that are no failure: the user's own cancel, a newer click, a closed view. */
const QUIET_CODES: ReadonlySet<string> = new Set(["cancelled", "superseded", "closed"]);

/** As many controls as a band needs. */
const CONTROLS = 20;

export function experiments(
  rpc: Rpc,
  effect: Trait<EffectMessage | null>,
  kept: ReadonlySignal<StudyMessage | null>,
  capabilities: ReadonlySignal<Capabilities>,
  fail: (failure: Failure | null) => void,
): Experiments {
  const job = signal<Job | null>(null);
  const compared = signal<ComparisonMessage | null>(null);
  const study = signal(kept.peek());
  const cards = new Map<NodeId, Promise<Card>>();
  let requested = 0;
  let displayed = 0;
  const running = new Map<string, { job: Job; cancel(): void }>();
  /** What other views of the widget requested, those that are closed included. */
  const elsewhere: typeof running = new Map();

  kept.subscribe((made) => {
    study.value = made;
  });
  // A comparison with one experiment does not apply to the next.
  effect.value.subscribe((made) => {
    if (made?.id !== compared.peek()?.beside) compared.value = null;
  });

  /** Whether the model can be run; a failure of an earlier run goes off the screen. */
  const canRun = (): boolean => {
    const { intervene, why_not } = capabilities.value;
    fail(intervene ? null : { code: "intervention", message: why_not });
    return intervene;
  };

  /** Of all that runs, the latest request: this view's, or else another's. */
  const latest = () => [...running.values()].at(-1) ?? [...elsewhere.values()].at(-1);
  const showJob = () => {
    job.value = latest()?.job ?? null;
  };

  rpc.onOther((rid, status) => {
    if (status === null) elsewhere.delete(rid);
    else elsewhere.set(rid, { job: { ...status, label: status.label ?? "" }, cancel: () => rpc.cancelOther(rid) });
    showJob();
  });

  /** The reply to a request, which is the job until it settles; null where there is none, which is displayed as a failure. */
  const follow: Send = async (name, label, body, options = {}) => {
    const { rid, reply, cancel } = rpc.request(name, body, {
      onStatus: (status) => {
        running.set(status.rid, { job: { ...status, label: status.label ?? label }, cancel });
        showJob();
      },
      onPartial: options.onPartial,
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
  const kernel = client(follow);

  return {
    effect: effect.value,
    study,
    compared,
    job,
    kernel,
    intervene: async (interventions, mode) => {
      if (!canRun()) return;
      requested += 1;
      const number = requested;
      const reply = await kernel.intervene({ interventions, mode });
      // A reply that comes after a newer one's is out of date.
      if (reply === null || number < displayed) return;
      displayed = number;
      effect.write(reply.body);
    },
    cancel: () => latest()?.cancel(),
    clearEffect: () => effect.write(null),
    compare: async (id) => {
      const beside = effect.value.peek()?.id;
      const reply = id !== null && beside !== undefined ? await kernel.compare({ id, beside }) : null;
      compared.value = reply?.body ?? null;
    },
    forget: async (id) => {
      if (compared.value?.id === id) compared.value = null;
      await kernel.forget({ id });
    },
    control: async () => {
      const made = effect.value.peek();
      if (made !== null && canRun()) await kernel.controls({ id: made.id, n: CONTROLS });
    },
    runStudy: async (request) => {
      if (!canRun()) return;
      const before = study.value;
      const reply = await request({
        onPartial: (made) => {
          study.value = made;
        },
      });
      // An unfinished study is dropped, and the last one is displayed again.
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
    save: async (file) => {
      const reply = await file;
      const [bytes] = reply?.buffers ?? [];
      if (reply !== null && bytes !== undefined) download(reply.body.filename, reply.body.mime, bytes);
      else if (reply !== null) fail({ code: "file", message: "The file came without its bytes. Save it again." });
    },
  };
}
