/** The active box of the circuit: the one under the pointer, with the focus, or with an open sheet. */

import { type Signal, useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";

export type Sheet = "members" | "swap";

export interface ActiveBox {
  /** The box under the pointer, or that was a moment ago. */
  readonly looked: Signal<string | null>;
  /** The link under the pointer. */
  readonly link: Signal<string | null>;
  /** The box that Tab comes to: the last that had the focus. */
  readonly focused: Signal<string | null>;
  /** Whether the focus is in the pane. */
  readonly inside: Signal<boolean>;
  /** The sheet that is open, and the box it belongs to. */
  readonly opened: Signal<{ readonly box: string; readonly sheet: Sheet } | null>;
  /** The pointer came to a box, or left it. */
  look(box: string | null): void;
  /** Ignores the pointer until it moves on. */
  forget(): void;
  open(box: string, sheet: Sheet | null): void;
  /** Boxes in the order in which they have the active. */
  order(): readonly (string | null)[];
}

/** Milliseconds the pointer rests on a box before the dial comes, so that passing by shows nothing. */
const ARRIVE = 70;
/** Milliseconds the dial stays after the pointer has left, so that it can be reached. */
const LINGER = 280;

export function useActiveBox(): ActiveBox {
  const looked = useSignal<string | null>(null);
  const link = useSignal<string | null>(null);
  const focused = useSignal<string | null>(null);
  const inside = useSignal(false);
  const opened = useSignal<{ readonly box: string; readonly sheet: Sheet } | null>(null);
  const pending = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  return {
    looked,
    link,
    focused,
    inside,
    opened,
    look(box) {
      clearTimeout(pending.current);
      const patience = box === null ? LINGER : looked.value === null ? ARRIVE : 0;
      pending.current = setTimeout(() => {
        looked.value = box;
      }, patience);
    },
    forget() {
      clearTimeout(pending.current);
      looked.value = null;
    },
    open(box, sheet) {
      opened.value = sheet === null ? null : { box, sheet };
    },
    order: () => [opened.value?.box ?? null, looked.value, inside.value ? focused.value : null],
  };
}
