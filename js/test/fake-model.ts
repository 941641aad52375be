/** A widget model in memory that remembers what was sent, and the fixture graph that the kernel's tests wrote. */

/// <reference types="node" />
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { signal } from "@preact/signals";
import { EMPTY_CIRCUIT } from "../src/core/circuit";
import { readSnapshot } from "../src/core/snapshot";
import type { Request, SnapshotMessage } from "../src/messages/types";
import { createStore } from "../src/store/store";
import type { WidgetModel } from "../src/wire/host";
import { Rpc } from "../src/wire/rpc";

/** The snapshot as the host has it on the page: columns are views of buffers, here at an offset that is no multiple of 4. */
export function fixtureSnapshot(): SnapshotMessage {
  const file = readFileSync(join(import.meta.dirname, "../../tests/fixtures/snapshot-message.json"), "utf8");
  const saved = JSON.parse(file);
  for (const column of Object.values<{ data: unknown }>(saved.columns)) {
    const bytes = Buffer.from(column.data as string, "base64");
    const buffer = new Uint8Array(bytes.length + 3);
    buffer.set(bytes, 3);
    column.data = new DataView(buffer.buffer, 3);
  }
  return saved;
}

export class FakeModel implements WidgetModel {
  readonly sent: Request[] = [];
  saves = 0;
  readonly #traits: Record<string, unknown>;
  readonly #listeners = new Map<string, ((...args: unknown[]) => void)[]>();

  constructor(traits: Record<string, unknown> = {}) {
    this.#traits = {
      snapshot: fixtureSnapshot(),
      circuit: EMPTY_CIRCUIT,
      selected: [],
      effect: null,
      study: null,
      experiments: [],
      settings: { theme: "auto", height: 420 },
      capabilities: { intervene: true, why_not: "", figure: true },
      ...traits,
    };
  }

  // biome-ignore lint/suspicious/noExplicitAny: as in the interface.
  get(name: string): any {
    return this.#traits[name];
  }

  set(name: string, value: unknown): void {
    if (this.#traits[name] === value) return;
    this.#traits[name] = value;
    this.emit(`change:${name}`);
  }

  save_changes(): void {
    this.saves += 1;
  }

  on(event: string, listener: (...args: unknown[]) => void): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  off(event: string, listener: (...args: unknown[]) => void): void {
    const others = (this.#listeners.get(event) ?? []).filter((other) => other !== listener);
    this.#listeners.set(event, others);
  }

  send(content: unknown): void {
    this.sent.push(content as Request);
  }

  emit(event: string, ...details: unknown[]): void {
    for (const listener of this.#listeners.get(event) ?? []) listener(...details);
  }

  /** The kernel's answer to the request that was sent last. */
  answer(message: Record<string, unknown>, buffers: DataView[] = []): void {
    const { rid } = this.sent[this.sent.length - 1];
    this.emit("msg:custom", { rid, ...message }, buffers);
  }

  /** How many listeners are left, of all events. */
  get listeners(): number {
    return [...this.#listeners.values()].reduce((sum, list) => sum + list.length, 0);
  }
}

/** A store on the fixture graph, as a view of the widget has it. */
export function storeOn(model: FakeModel, abort = new AbortController()) {
  const rpc = new Rpc(model, abort.signal);
  return createStore(model, readSnapshot(model.get("snapshot")), rpc, signal<"light" | "dark">("light"), abort.signal);
}
