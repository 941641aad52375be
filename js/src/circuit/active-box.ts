/** The active box of the circuit: the one under the pointer, with the focus, or with an open popover. */

import { type Signal, useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";

export type BoxPopover = "members" | "swap" | "reason";

export interface ActiveBox {
  /** The box under the pointer, or that was a moment ago. */
  readonly hovered: Signal<string | null>;
  /** The link under the pointer. */
  readonly link: Signal<string | null>;
  /** The box that Tab comes to: the last that had the focus. */
  readonly focused: Signal<string | null>;
  /** Whether the focus is in the pane. */
  readonly inside: Signal<boolean>;
  /** The popover that is open, and the box it belongs to. */
  readonly opened: Signal<{ readonly box: string; readonly popover: BoxPopover } | null>;
  /** Follows the pointer: it is over a box, or over none. */
  hover(box: string | null): void;
  /** Ignores the pointer until it moves on. */
  forget(): void;
  open(box: string, popover: BoxPopover | null): void;
  /** The boxes that may be active, the first choice first; those that are not there are null. */
  order(): readonly (string | null)[];
}

/** Milliseconds the pointer rests on a box before the toolbar comes, so that passing by shows nothing. */
const ARRIVE = 70;
/** Milliseconds the toolbar stays after the pointer has left, so that it can be reached. */
const LINGER = 280;

export function useActiveBox(): ActiveBox {
  const hovered = useSignal<string | null>(null);
  const link = useSignal<string | null>(null);
  const focused = useSignal<string | null>(null);
  const inside = useSignal(false);
  const opened = useSignal<{ readonly box: string; readonly popover: BoxPopover } | null>(null);
  const pending = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  return {
    hovered,
    link,
    focused,
    inside,
    opened,
    hover(box) {
      clearTimeout(pending.current);
      const patience = box === null ? LINGER : hovered.value === null ? ARRIVE : 0;
      pending.current = setTimeout(() => {
        hovered.value = box;
      }, patience);
    },
    forget() {
      clearTimeout(pending.current);
      hovered.value = null;
    },
    open(box, popover) {
      opened.value = popover === null ? null : { box, popover };
    },
    order: () => [opened.value?.box ?? null, hovered.value, inside.value ? focused.value : null],
  };
}
