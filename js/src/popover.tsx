/** A panel that opens under a button of the header; leaving it, or Escape, closes it. */

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Popover as Name, Store } from "./store";

interface Props {
  readonly store: Store;
  readonly name: Name;
  readonly label: string;
  readonly class: string;
  readonly children: ComponentChildren;
}

export function Popover({ store, name, label, class: look, children }: Props) {
  const panel = useRef<HTMLDialogElement>(null);

  function close(): void {
    if (store.popover.peek() === name) store.popover.value = null;
  }

  function giveBack(): void {
    const button = panel.current?.parentElement?.querySelector<HTMLElement>(`[data-popover="${name}"]`);
    close();
    button?.focus({ preventScroll: true });
  }

  useLayoutEffect(() => {
    const field = panel.current?.querySelector<HTMLElement>("input[type=text]");
    (field ?? panel.current)?.focus({ preventScroll: true });
  }, []);

  return (
    <dialog
      ref={panel}
      open
      tabIndex={-1}
      class={`popover ${look}`}
      aria-label={label}
      data-test={look}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Escape") giveBack();
      }}
      onFocusOut={(event) => {
        const next = event.relatedTarget as Element | null;
        const panelOrButton =
          next !== null && (event.currentTarget.contains(next) || next.matches(`[data-popover="${name}"]`));
        if (!panelOrButton) close();
      }}
    >
      {children}
    </dialog>
  );
}
