/** Traits of the widget model as signals. */

import { type ReadonlySignal, signal } from "@preact/signals";
import type { WidgetModel } from "./host";

export interface Trait<T> {
  readonly value: ReadonlySignal<T>;
  /** Sets the trait here, in the other views and in the kernel. */
  write(value: T): void;
}

/** Follows a trait of the model until the signal aborts; where the kernel is gone, what is written stays in the page. */
export function traitSignal<T>(
  model: WidgetModel,
  name: string,
  abort: AbortSignal,
  kernelGone: () => boolean = () => false,
): Trait<T> {
  const value = signal<T>(model.get(name) as T);
  const follow = () => {
    value.value = model.get(name) as T;
  };
  model.on(`change:${name}`, follow);
  abort.addEventListener("abort", () => model.off(`change:${name}`, follow));
  return {
    value,
    write: (next) => {
      value.value = next;
      model.set(name, next);
      if (!kernelGone()) model.save_changes();
    },
  };
}
