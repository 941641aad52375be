/** A button of the header and the panel that opens under it; leaving the panel, or Escape, closes it. */

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Popover as Name, Store } from "../store/store";
import { Button } from "./button";

interface Props {
  readonly store: Store;
  readonly name: Name;
  readonly label: string;
  /** The key that opens it too. */
  readonly shortcut?: string;
  /** What the button shows. */
  readonly face: ComponentChildren;
  /** The class of the panel. */
  readonly panel: string;
  readonly children: ComponentChildren;
}

export function Popover({ store, name, label, shortcut, face, panel, children }: Props) {
  const button = useRef<HTMLDivElement>(null);
  const open = store.popover.value === name;

  function close(): void {
    if (store.popover.peek() === name) store.popover.value = null;
  }

  return (
    <div class={name} ref={button}>
      <Button
        class={shortcut === undefined ? "button" : "button icon"}
        aria-label={label}
        aria-expanded={open}
        title={shortcut && `${label} (${shortcut})`}
        data-test={name}
        onClick={() => {
          store.popover.value = open ? null : name;
        }}
      >
        {face}
      </Button>
      {open && (
        <Panel
          label={label}
          class={panel}
          onLeave={(next) => !button.current?.firstElementChild?.contains(next) && close()}
          onEscape={(before) => {
            close();
            const back = before?.isConnected ? before : button.current?.querySelector("button");
            back?.focus({ preventScroll: true });
          }}
        >
          {children}
        </Panel>
      )}
    </div>
  );
}

interface PanelProps {
  readonly label: string;
  readonly class: string;
  /** The focus went elsewhere. */
  readonly onLeave: (next: Element | null) => void;
  /** With what had the focus when the panel opened. */
  readonly onEscape: (before: HTMLElement | null) => void;
  readonly children: ComponentChildren;
}

function Panel({ label, class: look, onLeave, onEscape, children }: PanelProps) {
  const panel = useRef<HTMLDialogElement>(null);
  const before = useRef<HTMLElement | null>(null);

  useLayoutEffect(() => {
    // A field inside, where there is one, takes the focus itself.
    if (panel.current?.querySelector(":focus") === null) panel.current.focus({ preventScroll: true });
  }, []);

  return (
    <dialog
      ref={panel}
      open
      tabIndex={-1}
      class={`popover ${look}`}
      aria-label={label}
      data-test={look}
      onFocusIn={({ relatedTarget, currentTarget }) => {
        // Where the focus came from when the panel opened, which may be a field of the map's or the circuit's.
        const from = relatedTarget as HTMLElement | null;
        if (from !== null && !currentTarget.contains(from)) before.current ??= from;
      }}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Escape") onEscape(before.current);
      }}
      onFocusOut={(event) => {
        const next = event.relatedTarget as Element | null;
        if (!event.currentTarget.contains(next)) onLeave(next);
      }}
    >
      {children}
    </dialog>
  );
}
