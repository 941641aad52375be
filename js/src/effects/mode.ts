import { type Signal, signal } from "@preact/signals";
import type { Mode } from "../core/types";
import type { Store } from "../store";

const modes = new WeakMap<Store, Signal<Mode>>();

/** The mode in which this view's next intervention runs. */
export function modeOf(store: Store): Signal<Mode> {
  const mode = modes.get(store) ?? signal<Mode>(store.effect.peek()?.mode ?? "total");
  modes.set(store, mode);
  return mode;
}
