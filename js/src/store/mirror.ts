/** Keeps two values in step, each as the other one's counterpart. */

import { effect, type ReadonlySignal } from "@preact/signals";

interface Mirrored<T> {
  readonly value: ReadonlySignal<T>;
  set(value: T): void;
  /** What the other end gets for a value of this one. */
  counterpart(value: T): T;
}

/**
 * Sets each end where the other one changes, beginning with the first one's value; a value that was set here is not sent
 * back, so that what has no counterpart stays. Ends with the returned function.
 */
export function mirror<T>(first: Mirrored<T>, second: Mirrored<T>, same: (one: T, other: T) => boolean): () => void {
  const known: [T | undefined, T | undefined] = [undefined, second.value.peek()];
  const follow = (from: Mirrored<T>, to: Mirrored<T>, here: 0 | 1, there: 0 | 1) =>
    effect(() => {
      const value = from.value.value;
      const before = known[here];
      if (before !== undefined && same(before, value)) return;
      known[here] = value;
      const next = from.counterpart(value);
      known[there] = next;
      to.set(next);
    });
  const stops = [follow(first, second, 0, 1), follow(second, first, 1, 0)];
  return () => {
    for (const stop of stops) stop();
  };
}
