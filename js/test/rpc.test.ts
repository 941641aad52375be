import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Request } from "../src/messages/types";
import {
  ACCEPT_PATIENCE,
  CANCEL_PATIENCE,
  KERNEL_PATIENCE,
  NO_KERNEL,
  type RequestStatus,
  Rpc,
  RpcError,
  SILENT,
  type Transport,
  WAITING,
} from "../src/wire/rpc";

type Listener = (...args: unknown[]) => void;

/** A widget model with a kernel that answers when the test says so. */
class FakeHost implements Transport {
  readonly sent: Request[] = [];
  readonly listeners = new Map<string, Set<Listener>>();
  broken = false;

  send(content: unknown): void {
    if (this.broken) throw new Error("the connection is gone");
    this.sent.push(JSON.parse(JSON.stringify(content)));
  }

  on(event: string, listener: Listener): void {
    this.listeners.set(event, (this.listeners.get(event) ?? new Set()).add(listener));
  }

  off(event: string, listener: Listener): void {
    this.listeners.get(event)?.delete(listener);
  }

  say(event: string, ...args: unknown[]): void {
    for (const listener of [...(this.listeners.get(event) ?? [])]) listener(...args);
  }

  answer(content: unknown, buffers: DataView[] = []): void {
    this.say("msg:custom", content, buffers);
  }

  get listening(): number {
    return [...this.listeners.values()].reduce((sum, each) => sum + each.size, 0);
  }
}

/** What became of a promise, without waiting for it. */
function outcome(promise: Promise<unknown>): { value?: unknown; error?: RpcError } {
  const seen: { value?: unknown; error?: RpcError } = {};
  promise.then(
    (value) => {
      seen.value = value;
    },
    (error) => {
      seen.error = error;
    },
  );
  return seen;
}

const CARD = { node: "1_8_4" };
const ABLATE = { interventions: [{ kind: "ablate" as const, nodes: ["1_8_4"] }], mode: "total", name: "Texas ×0" };

let host: FakeHost;
let view: AbortController;
let rpc: Rpc;

beforeEach(() => {
  vi.useFakeTimers();
  host = new FakeHost();
  view = new AbortController();
  rpc = new Rpc(host, view.signal);
});

afterEach(() => {
  vi.useRealTimers();
});

const tick = () => vi.advanceTimersByTimeAsync(0);

describe("a request", () => {
  it("goes out at once and resolves with its reply and buffers", async () => {
    const { rid, reply } = rpc.request("figure", { format: "svg", width: 5.5, part: "map", theme: "paper" });
    expect(host.sent).toEqual([
      { type: "request", rid, name: "figure", body: { format: "svg", width: 5.5, part: "map", theme: "paper" } },
    ]);
    const bytes = new DataView(new ArrayBuffer(3));
    host.answer({ type: "accepted", rid });
    host.answer({ type: "reply", rid, body: { filename: "a.svg", mime: "image/svg+xml" } }, [bytes]);
    await expect(reply).resolves.toEqual({ body: { filename: "a.svg", mime: "image/svg+xml" }, buffers: [bytes] });
  });

  it("names the graph that is displayed", () => {
    new Rpc(host, view.signal, () => false, 3).request("ping", {});
    expect(host.sent.at(-1)).toMatchObject({ name: "ping", graph: 3 });
  });

  it("rejects with the kernel's code and sentence", async () => {
    const { rid, reply } = rpc.request("card", CARD);
    host.answer({ type: "error", rid, code: "node", message: "The graph has no node “1_8_4”." });
    await expect(reply).rejects.toMatchObject({ code: "node", message: "The graph has no node “1_8_4”." });
    await expect(reply).rejects.toBeInstanceOf(RpcError);
  });

  it("settles once: whatever comes later is dropped", async () => {
    const states: RequestStatus[] = [];
    const { rid, reply } = rpc.request("card", CARD, { onStatus: (status) => states.push(status) });
    host.answer({ type: "reply", rid, body: { first: true } });
    host.answer({ type: "error", rid, code: "node", message: "late" });
    host.answer({ type: "progress", rid, fraction: 0.5, text: "late" });
    await expect(reply).resolves.toMatchObject({ body: { first: true } });
    await vi.advanceTimersByTimeAsync(KERNEL_PATIENCE);
    expect(states).toEqual([]);
  });

  it("has an id that no other view of the same widget uses", async () => {
    const other = new Rpc(host, new AbortController().signal);
    const mine = rpc.request("card", CARD);
    const theirs = other.request("card", CARD);
    expect(mine.rid).not.toBe(theirs.rid);
    const [first, second] = [outcome(mine.reply), outcome(theirs.reply)];
    host.answer({ type: "reply", rid: theirs.rid, body: { whose: "theirs" } });
    await tick();
    expect(first).toEqual({});
    expect(second.value).toMatchObject({ body: { whose: "theirs" } });
    host.answer({ type: "reply", rid: mine.rid, body: { whose: "mine" } });
    await tick();
    expect(first.value).toMatchObject({ body: { whose: "mine" } });
  });

  it("fits the kernel's limit for ids", () => {
    for (let i = 0; i < 1000; i++) outcome(rpc.request("ping", {}).reply);
    const rids = host.sent.map((request) => request.rid);
    expect(new Set(rids).size).toBe(1000);
    expect(Math.max(...rids.map((rid) => rid.length))).toBeLessThanOrEqual(64);
  });

  it("is answered out of order as well", async () => {
    const requests = [rpc.request("card", CARD), rpc.request("card", CARD), rpc.request("card", CARD)] as const;
    for (const [place, { rid }] of [...requests.entries()].reverse())
      host.answer({ type: "reply", rid, body: { place } });
    const replies = await Promise.all(requests.map(({ reply }) => reply));
    expect(replies.map(({ body }) => body)).toEqual([{ place: 0 }, { place: 1 }, { place: 2 }]);
  });

  it("rejects when the host cannot send", async () => {
    host.broken = true;
    const seen = outcome(rpc.request("card", CARD).reply);
    await tick();
    expect(seen.error).toMatchObject({ code: "unreachable", message: SILENT });
  });
});

describe("waiting", () => {
  it("is stated after half a second, then in stronger words, and a late reply is still taken", async () => {
    const states: RequestStatus[] = [];
    const { rid, reply } = rpc.request("intervene", ABLATE, { onStatus: (status) => states.push(status) });
    await vi.advanceTimersByTimeAsync(ACCEPT_PATIENCE - 1);
    expect(states).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(states.at(-1)).toEqual({ rid, fraction: 0, text: WAITING, waiting: true });
    await vi.advanceTimersByTimeAsync(KERNEL_PATIENCE - ACCEPT_PATIENCE);
    expect(states.at(-1)).toEqual({ rid, fraction: 0, text: SILENT, waiting: true });
    await vi.advanceTimersByTimeAsync(10 * 60_000);
    host.answer({ type: "accepted", rid });
    expect(states.at(-1)).toEqual({ rid, fraction: 0, text: "", waiting: false });
    host.answer({ type: "reply", rid, body: {} });
    await expect(reply).resolves.toMatchObject({ body: {} });
  });

  it("is not stated once the kernel has accepted, however long the work takes", async () => {
    const states: RequestStatus[] = [];
    const { rid, reply } = rpc.request("intervene", ABLATE, { onStatus: (status) => states.push(status) });
    outcome(reply);
    host.answer({ type: "accepted", rid });
    host.answer({ type: "progress", rid, fraction: 0.25, text: "Layer 1" });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(states).toEqual([
      { rid, fraction: 0, text: "", waiting: false },
      { rid, fraction: 0.25, text: "Layer 1", waiting: false },
    ]);
  });

  it("ends with progress as well, should the acceptance have been lost", async () => {
    const states: RequestStatus[] = [];
    const { rid, reply } = rpc.request("intervene", ABLATE, { onStatus: (status) => states.push(status) });
    outcome(reply);
    host.answer({ type: "progress", rid, fraction: 0.5, text: "Layer 2" });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(states).toEqual([{ rid, fraction: 0.5, text: "Layer 2", waiting: false }]);
  });
});

describe("cancelling", () => {
  it("asks the kernel, and takes its word for how the request ended", async () => {
    const { rid, reply, cancel } = rpc.request("intervene", ABLATE);
    const seen = outcome(reply);
    cancel();
    cancel();
    expect(host.sent.slice(1)).toEqual([{ type: "request", rid: expect.any(String), name: "cancel", body: { rid } }]);
    await tick();
    expect(seen).toEqual({});
    host.answer({ type: "error", rid, code: "cancelled", message: "Cancelled." });
    await tick();
    expect(seen.error).toMatchObject({ code: "cancelled" });
  });

  it("that comes too late leaves the reply as it is", async () => {
    const { rid, reply, cancel } = rpc.request("intervene", ABLATE);
    cancel();
    host.answer({ type: "reply", rid, body: { id: 1 } });
    await expect(reply).resolves.toMatchObject({ body: { id: 1 } });
  });

  it("gives up on a kernel that does not answer", async () => {
    const { reply, cancel } = rpc.request("intervene", ABLATE);
    const seen = outcome(reply);
    await vi.advanceTimersByTimeAsync(KERNEL_PATIENCE);
    cancel();
    await vi.advanceTimersByTimeAsync(CANCEL_PATIENCE - 1);
    expect(seen).toEqual({});
    await vi.advanceTimersByTimeAsync(1);
    expect(seen.error).toMatchObject({ code: "cancelled" });
  });

  it("also gives up when the request was accepted long ago", async () => {
    const { rid, reply, cancel } = rpc.request("intervene", ABLATE);
    const seen = outcome(reply);
    cancel();
    host.answer({ type: "accepted", rid });
    await vi.advanceTimersByTimeAsync(CANCEL_PATIENCE);
    expect(seen.error).toMatchObject({ code: "cancelled" });
  });

  it("of a settled request does nothing", async () => {
    const { rid, reply, cancel } = rpc.request("card", CARD);
    host.answer({ type: "reply", rid, body: {} });
    await reply;
    cancel();
    expect(host.sent).toHaveLength(1);
  });
});

describe("the end of a view", () => {
  it("rejects what is under way, leaves it to the kernel, and stops listening", async () => {
    const { reply } = rpc.request("intervene", ABLATE);
    const seen = outcome(reply);
    const heard: string[] = [];
    rpc.onNotice(({ message }) => heard.push(message));
    view.abort();
    await tick();
    expect(seen.error).toMatchObject({ code: "closed" });
    expect(host.sent.at(-1)).toMatchObject({ name: "intervene" });
    expect(host.listening).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    host.answer({ type: "notice", message: "late" });
    expect(heard).toEqual([]);
  });

  it("leaves nothing to request", async () => {
    view.abort();
    const seen = outcome(rpc.request("card", CARD).reply);
    await tick();
    expect(seen.error).toMatchObject({ code: "closed" });
    expect(host.sent).toEqual([]);
  });

  it("is followed by the next view of the widget, which can cancel what goes on", () => {
    const { rid, reply } = rpc.request("intervene", ABLATE);
    outcome(reply);
    view.abort();
    const next = new Rpc(host, new AbortController().signal);
    const heard: unknown[] = [];
    next.onOther((other, status) => heard.push(status === null ? other : [status.fraction, status.label]));
    host.answer({ type: "progress", rid, fraction: 0.5, text: "", label: "Texas ×0" });
    next.cancelOther(rid);
    expect(host.sent.at(-1)).toMatchObject({ name: "cancel", body: { rid } });
    host.answer({ type: "error", rid, code: "cancelled", message: "Cancelled." });
    host.answer({ type: "reply", rid, body: {} });
    expect(heard).toEqual([[0.5, "Texas ×0"], rid]);
  });

  it("is followed by nothing late about its own requests", () => {
    const heard: string[] = [];
    rpc.onOther((other) => heard.push(other));
    const { rid, reply } = rpc.request("intervene", ABLATE);
    outcome(reply);
    host.answer({ type: "error", rid, code: "cancelled", message: "Cancelled." });
    host.answer({ type: "progress", rid, fraction: 0.5, text: "" });
    expect(heard).toEqual([]);
  });

  it("is survived by the other views of the widget", async () => {
    const other = new Rpc(host, new AbortController().signal);
    const { rid, reply } = other.request("card", CARD);
    view.abort();
    host.answer({ type: "reply", rid, body: {} });
    await expect(reply).resolves.toMatchObject({ body: {} });
  });

  it("may have come before the beginning", () => {
    const closed = new Rpc(host, AbortSignal.abort());
    const before = host.listening;
    outcome(closed.request("ping", {}).reply);
    expect(host.listening).toBe(before);
    expect(host.sent).toEqual([]);
  });

  it("comes without complaint when the host is gone already", () => {
    outcome(rpc.request("card", CARD).reply);
    host.broken = true;
    expect(() => view.abort()).not.toThrow();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("the kernel's end", () => {
  it("is reported at once, without waiting for an answer that cannot come", async () => {
    const alone = new Rpc(host, view.signal, () => true);
    await expect(alone.request("intervene", ABLATE).reply).rejects.toMatchObject({
      code: "unreachable",
      message: NO_KERNEL,
    });
    expect(host.sent).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is noticed while a request waits, also by hosts that do not announce it", async () => {
    let gone = false;
    const left = new Rpc(host, view.signal, () => gone);
    const seen = outcome(left.request("intervene", ABLATE).reply);
    gone = true;
    await vi.advanceTimersByTimeAsync(ACCEPT_PATIENCE);
    expect(seen.error).toMatchObject({ code: "unreachable" });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("rejects what is under way, and a new kernel gets its own requests", async () => {
    const seen = outcome(rpc.request("intervene", ABLATE).reply);
    host.say("comm_live_update");
    await tick();
    expect(seen.error).toMatchObject({ code: "unreachable" });
    expect(seen.error?.message).toContain("Run the notebook's cells again");
    expect(vi.getTimerCount()).toBe(0);
    const { rid, reply } = rpc.request("card", CARD);
    host.answer({ type: "reply", rid, body: {} });
    await expect(reply).resolves.toMatchObject({ body: {} });
  });
});

describe("what else is heard", () => {
  it("are notices, by everyone who listens", () => {
    const heard: string[] = [];
    rpc.onNotice(({ message }) => heard.push(`one: ${message}`));
    rpc.onNotice(({ message }) => heard.push(`two: ${message}`));
    host.answer({ type: "notice", message: "The circuit was not taken over." });
    expect(heard).toEqual(["one: The circuit was not taken over.", "two: The circuit was not taken over."]);
  });

  it("is ignored when it is no answer", async () => {
    const seen = outcome(rpc.request("card", CARD).reply);
    for (const content of [null, undefined, "hello", 7, [], {}, { rid: "x" }, { type: "reply" }, { type: "launch" }]) {
      expect(() => host.answer(content)).not.toThrow();
    }
    await tick();
    expect(seen).toEqual({});
  });
});
