/** Requests to the kernel over the notebook's widget messages: ids, progress, replies, errors, cancelling. */

import type { KernelMessage, Notice, Request, RequestName, Requests } from "../messages/envelopes";
import { allRepaired } from "../text/characters";

/** The part of the notebook's widget model that sends and receives messages. */
export interface Transport {
  send(content: unknown): void;
  // biome-ignore lint/suspicious/noExplicitAny: the host's event signatures differ by event.
  on(event: string, listener: (...args: any[]) => void): void;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  off(event: string, listener: (...args: any[]) => void): void;
}

/** How far a request is. */
export interface RequestStatus {
  readonly rid: string;
  /** From 0 to 1. */
  readonly fraction: number;
  readonly text: string;
  /** True from when the kernel has been silent for noticeably long until it accepts the request. */
  readonly waiting: boolean;
  /** The name that the kernel gives the request, from when it accepts it. */
  readonly label?: string;
}

/** What is called while a request is under way. */
export interface Listeners<Name extends RequestName> {
  onStatus?(status: RequestStatus): void;
  /** With the reply as far as it is; each replaces the last. */
  onPartial?(body: Requests[Name]["reply"]): void;
}

export interface Reply<Name extends RequestName> {
  readonly body: Requests[Name]["reply"];
  readonly buffers: readonly DataView[];
}

/** How a request is sent and followed: a method of the client for each passes its name and label here. */
export type Send = <Name extends RequestName>(
  name: Name,
  label: string,
  body: Requests[Name]["body"],
  options?: SendOptions<Name>,
) => Promise<Reply<Name> | null>;

export interface SendOptions<Name extends RequestName> {
  /** With the reply as far as it is; each replaces the last. */
  onPartial?(body: Requests[Name]["reply"]): void;
}

/** A request under way. */
export interface Pending<Name extends RequestName> {
  readonly rid: string;
  /** Rejects with an RpcError, whose message is a sentence for the user. */
  readonly reply: Promise<Reply<Name>>;
  /** Requests the kernel to stop; the reply then rejects with code "cancelled", at the latest after `CANCEL_PATIENCE`. */
  cancel(): void;
}

/** Why a request has no reply: the kernel's code and sentence, or "cancelled", "closed" and "unreachable" from the page. */
export class RpcError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = "RpcError";
  }
}

/** Milliseconds of silence after which a request counts as waiting for a running cell. */
export const ACCEPT_PATIENCE = 500;
/** Milliseconds of silence after which the kernel counts as not answering; a late reply is still taken. */
export const KERNEL_PATIENCE = 5_000;
/** Milliseconds after which a cancelled request no longer waits for the kernel. */
export const CANCEL_PATIENCE = 2_000;

export const WAITING = "Waiting for the running cell.";
export const SILENT =
  "The kernel does not answer. A long cell may be running; if the kernel was restarted, run the notebook's cells again.";
export const NO_KERNEL =
  "No kernel is connected. Run the notebook's cells to bring the model back; looking and grouping work without it.";
const STOPPED = "The kernel stopped before it answered. Run the notebook's cells again and repeat.";

interface PendingRequest {
  status: RequestStatus;
  readonly name: RequestName;
  readonly resolve: (reply: Reply<RequestName>) => void;
  readonly reject: (error: RpcError) => void;
  readonly listeners: Listeners<RequestName>;
  /** Run while the kernel has not accepted the request. */
  readonly silence: Timer[];
  /** Runs once a cancel was sent. */
  giveUp: Timer | undefined;
}

type Timer = ReturnType<typeof setTimeout>;

/** Called with how far a request of another view is, and with null once it has settled. */
type OtherListener = (rid: string, status: RequestStatus | null) => void;

/**
 * One view's requests. Ids start with a part drawn at random for each instance: the views of one widget all receive every
 * message, and each settles only its own requests.
 */
export class Rpc {
  readonly #transport: Transport;
  readonly #signal: AbortSignal;
  readonly #prefix = randomText();
  readonly #pending = new Map<string, PendingRequest>();
  readonly #noticed = new Set<(notice: Notice) => void>();
  readonly #others = new Set<string>();
  #onOther: OtherListener = () => {};
  #count = 0;

  /**
   * `signal` is the view's: when it aborts, requests under way are left to the kernel and later messages ignored. `kernelGone` is
   * called before each request, and again while the kernel is silent. `graph` is the number of the displayed graph.
   */
  constructor(
    transport: Transport,
    signal: AbortSignal,
    readonly kernelGone: () => boolean = () => false,
    readonly graph?: number,
  ) {
    this.#transport = transport;
    this.#signal = signal;
    if (signal.aborted) return;
    const receive = (content: unknown, buffers?: readonly DataView[]) => this.#receive(content, buffers ?? []);
    const lose = () => this.#lose();
    transport.on("msg:custom", receive);
    transport.on("comm_live_update", lose);
    signal.addEventListener(
      "abort",
      () => {
        transport.off("msg:custom", receive);
        transport.off("comm_live_update", lose);
        this.#close();
      },
      { once: true },
    );
  }

  /** Sends a request; the listeners are called with its status until the reply settles. */
  request<Name extends RequestName>(
    name: Name,
    body: Requests[Name]["body"],
    listeners: Listeners<Name> = {},
  ): Pending<Name> {
    const rid = `${this.#prefix}-${++this.#count}`;
    const reply = new Promise<Reply<Name>>((resolve, reject) => {
      if (this.#signal.aborted) {
        reject(new RpcError("closed", "This view was closed."));
        return;
      }
      if (this.kernelGone()) {
        reject(new RpcError("unreachable", NO_KERNEL));
        return;
      }
      const entry: PendingRequest = {
        status: { rid, fraction: 0, text: "", waiting: false },
        name,
        resolve: resolve as PendingRequest["resolve"],
        reject,
        listeners: listeners as PendingRequest["listeners"],
        silence: [],
        giveUp: undefined,
      };
      this.#pending.set(rid, entry);
      const silent = (text: string) => {
        if (this.kernelGone()) this.#settle(rid)?.reject(new RpcError("unreachable", STOPPED));
        else update(entry, { waiting: true, text });
      };
      entry.silence.push(
        setTimeout(() => silent(WAITING), ACCEPT_PATIENCE),
        setTimeout(() => silent(SILENT), KERNEL_PATIENCE),
      );
      this.#send({ type: "request", rid, name, body: allRepaired(body) as Request["body"], graph: this.graph });
    });
    return { rid, reply, cancel: () => this.#cancel(rid) };
  }

  /** Calls `listener` for each notice, until the view closes. */
  onNotice(listener: (notice: Notice) => void): void {
    this.#noticed.add(listener);
  }

  /** Calls `listener` about requests of other views of the widget, those that are closed included. */
  onOther(listener: OtherListener): void {
    this.#onOther = listener;
  }

  /** Requests the kernel to stop a request of another view. */
  cancelOther(rid: string): void {
    this.#sendCancel(rid);
  }

  #send(request: Request): void {
    try {
      this.#transport.send(request);
    } catch {
      this.#settle(request.rid)?.reject(new RpcError("unreachable", SILENT));
    }
  }

  #cancel(rid: string): void {
    const entry = this.#pending.get(rid);
    if (entry === undefined || entry.giveUp !== undefined) return;
    entry.giveUp = setTimeout(
      () => this.#settle(rid)?.reject(new RpcError("cancelled", "Cancelled.")),
      CANCEL_PATIENCE,
    );
    this.#sendCancel(rid);
  }

  #sendCancel(target: string): void {
    const rid = `${this.#prefix}-${++this.#count}`;
    this.#send({ type: "request", rid, name: "cancel", body: { rid: target } });
  }

  #settle(rid: string): PendingRequest | undefined {
    const entry = this.#pending.get(rid);
    if (entry === undefined) return undefined;
    quiet(entry);
    clearTimeout(entry.giveUp);
    this.#pending.delete(rid);
    return entry;
  }

  #receive(content: unknown, buffers: readonly DataView[]): void {
    if (typeof content !== "object" || content === null || !("type" in content)) return;
    const message = content as KernelMessage;
    if (message.type === "notice") {
      for (const listener of this.#noticed) listener(message);
      return;
    }
    const entry = this.#pending.get(message.rid);
    if (entry === undefined) {
      this.#hearOther(message);
      return;
    }
    switch (message.type) {
      case "accepted":
        quiet(entry);
        update(entry, { waiting: false, text: "", label: message.label ?? entry.status.label });
        break;
      case "progress":
        quiet(entry);
        update(entry, { waiting: false, fraction: message.fraction, text: message.text });
        break;
      case "partial":
        entry.listeners.onPartial?.(message.body as unknown as Requests[RequestName]["reply"]);
        break;
      case "reply":
        this.#settle(message.rid)?.resolve({
          body: message.body as unknown as Requests[RequestName]["reply"],
          buffers,
        });
        break;
      case "error":
        this.#settle(message.rid)?.reject(new RpcError(message.code, message.message));
        break;
    }
  }

  /** Follows a request of another view; what comes late about one of this view's is ignored. */
  #hearOther(message: Exclude<KernelMessage, Notice>): void {
    const { rid } = message;
    if (message.type === "progress" && !rid.startsWith(`${this.#prefix}-`)) {
      this.#others.add(rid);
      const { fraction, text, label } = message;
      this.#onOther(rid, { rid, fraction, text, waiting: false, label: label ?? undefined });
    } else if ((message.type === "reply" || message.type === "error") && this.#others.delete(rid)) {
      this.#onOther(rid, null);
    }
  }

  /** The host announces that the kernel has gone, or is back with a state of its own: either way nothing under way will be answered. */
  #lose(): void {
    for (const rid of [...this.#pending.keys()]) this.#settle(rid)?.reject(new RpcError("unreachable", STOPPED));
    for (const rid of this.#others) this.#onOther(rid, null);
    this.#others.clear();
  }

  /** What is under way goes on: a cleared output is no cancel, and the next view of the widget says how far it is. */
  #close(): void {
    for (const rid of [...this.#pending.keys()]) {
      this.#settle(rid)?.reject(new RpcError("closed", "This view was closed."));
    }
    this.#noticed.clear();
    this.#onOther = () => {};
  }
}

function quiet(entry: PendingRequest): void {
  for (const timer of entry.silence) clearTimeout(timer);
}

function update(entry: PendingRequest, change: Partial<RequestStatus>): void {
  entry.status = { ...entry.status, ...change };
  entry.listeners.onStatus?.(entry.status);
}

/** Twelve characters at random; `crypto.randomUUID` is missing on pages that are not served over https. */
function randomText(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
