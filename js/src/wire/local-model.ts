/** A widget model whose traits stay in the page, for a view of what no kernel follows. */

import type { WidgetModel } from "./host";

// biome-ignore lint/suspicious/noExplicitAny: the host's event signatures differ by event.
export type Listener = (...args: any[]) => void;

export class LocalModel implements WidgetModel {
  readonly #traits: Record<string, unknown>;
  readonly #listeners = new Map<string, Set<Listener>>();

  constructor(traits: Readonly<Record<string, unknown>>) {
    this.#traits = { ...traits };
  }

  // biome-ignore lint/suspicious/noExplicitAny: as in the interface.
  get(name: string): any {
    return this.#traits[name];
  }

  set(name: string, value: unknown): void {
    if (this.#traits[name] === value) return;
    this.#traits[name] = value;
    for (const listener of [...(this.#listeners.get(`change:${name}`) ?? [])]) listener();
  }

  save_changes(): void {}

  on(event: string, listener: Listener): void {
    this.#listeners.set(event, (this.#listeners.get(event) ?? new Set()).add(listener));
  }

  off(event: string, listener: Listener): void {
    this.#listeners.get(event)?.delete(listener);
  }

  send(): void {}
}
