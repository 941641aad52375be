import { type Signal, signal } from "@preact/signals";
import type { Mode } from "../messages/types";
import type { Store } from "./store";

const modes = new WeakMap<Store, Signal<Mode>>();

/** The mode in which this view's next intervention runs: the one chosen, or that of the effect which came last. */
export function modeOf(store: Store): Signal<Mode> {
  const known = modes.get(store);
  if (known !== undefined) return known;
  const mode = signal<Mode>("total");
  modes.set(store, mode);
  store.effect.subscribe((effect) => {
    if (effect !== null) mode.value = effect.mode;
  });
  return mode;
}
