import { describe, expect, it } from "vitest";
import { EMPTY_CIRCUIT, pin } from "../src/core/circuit";
import type { Circuit } from "../src/core/types";
import type { EffectMessage, Request, StudyMessage } from "../src/messages/types";
import { FakeModel, storeOn } from "./fake-model";
import { EFFECT } from "./panels";

/** The same numbers for the same seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Job {
  readonly rid: string;
  readonly name: string;
  readonly body: Record<string, unknown>;
}

/** A kernel by the rules of the wire: one job at a time, the newest of a kind, revisions, the last word on the effect. */
class Kernel {
  circuit: Circuit = EMPTY_CIRCUIT;
  effect: EffectMessage | null = null;
  study: StudyMessage | null = null;
  made = new Map<number, EffectMessage>();
  running: Job | null = null;
  queue: Job[] = [];
  count = 0;
  answered: string[] = [];

  constructor(readonly tell: (message: Record<string, unknown>) => void) {}

  get experiments() {
    return [...this.made.values()].map(({ id, name, mode }) => ({
      ...{ id, name, mode, token: "Austin", before: 1, after: 0, likeliest: "Ohio", likeliest_probability: 1 },
    }));
  }

  state(name: "circuit" | "effect" | "study" | "experiments") {
    this.tell({ state: { [name]: this[name] } });
  }

  hear(message: Record<string, unknown>) {
    if ("request" in message) return this.ask(message.request as Request);
    const { circuit, effect } = message as { circuit?: Circuit; effect?: EffectMessage | null };
    if (circuit !== undefined) {
      if (circuit.revision > this.circuit.revision) this.circuit = circuit;
      else this.state("circuit");
    }
    if (effect === null) this.effect = null;
    if (effect !== undefined && (effect === null || effect.id !== this.effect?.id)) this.state("effect");
  }

  ask({ rid, name, body }: Request) {
    const given = body as Record<string, unknown>;
    const number = Number(given.id);
    if (name === "cancel") {
      const target = String(given.rid);
      if (this.running?.rid === target) this.fail(this.running, "cancelled");
      this.queue.filter((job) => job.rid === target).map((job) => this.fail(job, "cancelled"));
      this.queue = this.queue.filter((job) => job.rid !== target);
      return this.reply({ rid, name, body: given }, {});
    }
    if (name === "recall" || name === "forget" || name === "rename") {
      const effect = this.made.get(number);
      if (effect === undefined) return this.fail({ rid, name, body: given }, "node");
      if (name === "recall") this.effect = effect;
      if (name === "forget") this.made.delete(number);
      if (name === "forget" && this.effect?.id === number) this.effect = null;
      if (name === "rename") this.made.set(number, { ...effect, name: String(given.name) });
      if (name === "rename" && this.effect?.id === number) this.effect = this.made.get(number) as EffectMessage;
      this.state("experiments");
      this.state("effect");
      return this.reply({ rid, name, body: given }, name === "recall" ? { ...effect } : {});
    }
    this.tell({ type: "accepted", rid });
    this.queue.filter((job) => job.name === name).map((job) => this.fail(job, "superseded"));
    this.queue = [...this.queue.filter((job) => job.name !== name), { rid, name, body: given }];
  }

  /** Begins the next job, shows what is there of a running one, or ends it. */
  work(random: () => number) {
    if (this.running === null) {
      this.running = this.queue.shift() ?? null;
      return;
    }
    const job = this.running;
    if (job.name === "sweep" && random() < 0.5) {
      this.tell({ type: "partial", rid: job.rid, body: { kind: "sweep", name: "partial" } });
      return;
    }
    this.running = null;
    if (this.answered.includes(job.rid)) return;
    if (random() < 0.15) return this.fail(job, "internal");
    if (job.name === "sweep") {
      this.count += 1;
      this.study = { kind: "sweep", name: `sweep ${this.count}` } as StudyMessage;
      this.state("study");
      return this.reply(job, { ...this.study });
    }
    this.reply(job, this.experiment("click"));
  }

  experiment(name: string): EffectMessage & Record<string, unknown> {
    this.count += 1;
    this.effect = { ...EFFECT, id: this.count, name };
    this.made.set(this.count, this.effect);
    this.state("experiments");
    this.state("effect");
    return { ...this.effect };
  }

  /** A cell edits the circuit. */
  edit(node: string) {
    this.circuit = { ...pin(this.circuit, [node]), revision: this.circuit.revision + 1 };
    this.state("circuit");
  }

  reply(job: Job, body: Record<string, unknown>) {
    if (this.answered.includes(job.rid)) return;
    this.answered.push(job.rid);
    this.tell({ type: "reply", rid: job.rid, body });
  }

  fail(job: Job, code: string) {
    if (this.answered.includes(job.rid)) return;
    this.answered.push(job.rid);
    this.tell({ type: "error", rid: job.rid, code, message: code });
  }
}

/** A page's model whose messages lie in queues until they are let through. */
class Wire extends FakeModel {
  readonly outbox: Record<string, unknown>[] = [];
  readonly inbox: Record<string, unknown>[] = [];
  readonly kernel = new Kernel((message) => this.inbox.push(message));
  #dirty: Record<string, unknown> = {};
  #hearing = false;

  override set(name: string, value: unknown): void {
    if (!this.#hearing) this.#dirty[name] = value;
    super.set(name, value);
  }

  override save_changes(): void {
    this.outbox.push(this.#dirty);
    this.#dirty = {};
  }

  override send(content: unknown): void {
    this.outbox.push({ request: content });
  }

  speak() {
    const message = this.outbox.shift();
    if (message !== undefined) this.kernel.hear(message);
  }

  hear() {
    const message = this.inbox.shift();
    if (message === undefined) return;
    if ("state" in message) {
      this.#hearing = true;
      for (const [name, value] of Object.entries(message.state as object)) super.set(name, value);
      this.#hearing = false;
    } else this.emit("msg:custom", message, []);
  }
}

const NODES = ["0_3_1", "1_8_4", "2_9_5", "0_2_4"];

function stepOf(wire: Wire, store: ReturnType<typeof storeOn>, random: () => number): () => unknown {
  const { actions } = store;
  const node = NODES[Math.floor(random() * NODES.length)];
  const number = 1 + Math.floor(random() * (wire.kernel.count + 1));
  const ablate = { kind: "ablate", nodes: [node] } as const;
  const sweep = { axis: "factor", interventions: [ablate], mode: "total", name: "x" } as const;
  const doings: readonly (readonly [number, () => unknown])[] = [
    [5, () => actions.intervene([ablate], "total")],
    [2, () => actions.runStudy<"sweep">((options) => store.kernel.sweep(sweep, options))],
    [3, () => actions.cancel()],
    [3, () => actions.edit((circuit) => pin(circuit, [node]), "pin")],
    [5, () => actions.undo()],
    [3, () => actions.redo()],
    [2, () => store.kernel.recall({ id: number })],
    [1, () => actions.forget(number)],
    [1, () => store.kernel.rename({ id: number, name: "renamed" })],
    [1, () => actions.clearEffect()],
    [1, () => wire.kernel.edit(node)],
    [1, () => wire.kernel.experiment("a cell")],
    [6, () => wire.kernel.work(random)],
    [9, () => wire.speak()],
    [9, () => wire.hear()],
  ];
  let at = random() * doings.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, doing] of doings) {
    at -= weight;
    if (at < 0) return doing;
  }
  return () => {};
}

const settled = async () => {
  for (let turn = 0; turn < 6; turn++) await Promise.resolve();
};

describe("any order of clicks, cancels, undo, cells and delays", () => {
  it.each(Array.from({ length: 20 }, (_, block) => block))(
    "ends with page and kernel in one state (%i)",
    async (block) => {
      for (let seed = 50 * block; seed < 50 * block + 50; seed++) {
        const random = numbers(seed);
        const wire = new Wire();
        const abort = new AbortController();
        const store = storeOn(wire, abort);
        for (let step = 0; step < 60; step++) {
          stepOf(wire, store, random)();
          await settled();
        }
        const { kernel } = wire;
        while (wire.outbox.length + wire.inbox.length + kernel.queue.length > 0 || kernel.running !== null) {
          wire.speak();
          wire.hear();
          kernel.work(() => 0.9);
          await settled();
        }
        const displayed = store.effect.value;
        expect({ id: displayed?.id, name: displayed?.name }, `seed ${seed}`).toEqual({
          id: kernel.effect?.id,
          name: kernel.effect?.name,
        });
        expect(store.circuit.value, `seed ${seed}`).toEqual(kernel.circuit);
        expect(store.study.value, `seed ${seed}`).toEqual(kernel.study);
        expect(
          store.made.value.map(({ id }) => id),
          `seed ${seed}`,
        ).toEqual([...kernel.made.keys()]);
        expect(store.job.value, `seed ${seed}`).toBeNull();
        abort.abort();
      }
    },
  );
});
