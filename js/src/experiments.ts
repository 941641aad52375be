/** What is asked of the kernel: interventions, feature cards, figures. */

import { type ReadonlySignal, signal } from "@preact/signals";
import type { Capabilities, Card, EffectMessage, Failure, Job, NodeId } from "./core/types";
import { download } from "./download";
import { type Rpc, RpcError } from "./rpc";
import type { Actions } from "./store";
import type { SharedTrait } from "./traits";

export interface Experiments extends Pick<Actions, "intervene" | "cancel" | "card" | "exportFigure"> {
  readonly effect: ReadonlySignal<EffectMessage | null>;
  readonly job: ReadonlySignal<Job | null>;
  clear(): void;
}

/** Endings that are nobody's fault: the user's own cancel, a newer click, a closed view. */
const QUIET_CODES: ReadonlySet<string> = new Set(["cancelled", "superseded", "closed"]);

export function experiments(
  rpc: Rpc,
  effect: SharedTrait<EffectMessage | null>,
  capabilities: SharedTrait<Capabilities>,
  fail: (failure: Failure) => void,
): Experiments {
  const job = signal<Job | null>(null);
  const cards = new Map<NodeId, Promise<Card>>();
  let asked = 0;
  let shown = 0;
  let running: { rid: string; cancel(): void } | null = null;

  const report = (error: unknown) => {
    if (error instanceof RpcError && QUIET_CODES.has(error.code)) return;
    if (error instanceof RpcError) fail({ code: error.code, message: error.message });
    else throw error;
  };

  /** Shows a request as the job until it settles; a newer job takes the line over. */
  const follow = async <T>(
    label: string,
    start: (onStatus: (status: Omit<Job, "label">) => void) => FollowedRequest<T>,
  ) => {
    const request = start((status) => {
      if (running?.rid === status.rid) job.value = { ...status, label };
    });
    running = request;
    job.value = { rid: request.rid, label, fraction: 0, text: "", waiting: false };
    try {
      return await request.reply;
    } finally {
      if (running === request) {
        running = null;
        job.value = null;
      }
    }
  };

  return {
    effect: effect.value,
    job,
    intervene: async (interventions, mode, name) => {
      const { intervene, why_not } = capabilities.value.value;
      if (!intervene) {
        fail({ code: "intervention", message: why_not });
        return;
      }
      asked += 1;
      const number = asked;
      try {
        const { body } = await follow(name, (onStatus) =>
          rpc.request("intervene", { interventions, mode, name }, onStatus),
        );
        // An answer that comes after a newer one's is out of date.
        if (number < shown) return;
        shown = number;
        effect.write(body);
      } catch (error) {
        report(error);
      }
    },
    cancel: () => running?.cancel(),
    clear: () => effect.write(null),
    card: (node) => {
      const known = cards.get(node);
      if (known !== undefined) return known;
      const card = rpc.request("card", { node }).reply.then(({ body }) => body);
      cards.set(node, card);
      card.catch(() => cards.delete(node));
      return card;
    },
    exportFigure: async (format, width, part) => {
      try {
        const { body, buffers } = await follow(`Figure as ${format.toUpperCase()}`, (onStatus) =>
          rpc.request("figure", { format, width, part }, onStatus),
        );
        const [bytes] = buffers;
        if (bytes === undefined) throw new RpcError("figure", "The figure came without its bytes. Export it again.");
        download(body.filename, body.mime, bytes);
      } catch (error) {
        report(error);
      }
    },
  };
}

type FollowedRequest<T> = { readonly rid: string; readonly reply: Promise<T>; cancel(): void };
