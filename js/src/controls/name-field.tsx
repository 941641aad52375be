import { useLayoutEffect, useRef } from "preact/hooks";
import { LONGEST_NAME } from "../core/constants";
import { beginning, repaired } from "../text/characters";

interface Props {
  readonly name: string;
  readonly label: string;
  /** The most characters, as the kernel counts them. */
  readonly longest?: number;
  readonly onName: (name: string) => void;
  readonly onClose: () => void;
}

/** A name being edited in place: Enter and leaving the field keep it, Escape does not. */
export function NameField({ name, label, longest = LONGEST_NAME, onName, onClose }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const closed = useRef(false);

  useLayoutEffect(() => {
    input.current?.focus({ preventScroll: true });
    input.current?.select();
  }, []);

  function close(keep: boolean): void {
    if (closed.current) return;
    closed.current = true;
    const given = beginning(repaired(input.current?.value ?? "").trim(), longest);
    if (keep && given !== name) onName(given);
    onClose();
  }

  return (
    <input
      ref={input}
      class="name-field"
      type="text"
      spellcheck={false}
      autocomplete="off"
      aria-label={label}
      data-test="rename"
      defaultValue={name}
      onInput={(event) => {
        if (!event.isComposing) keepWithin(event.currentTarget, longest);
      }}
      onBlur={() => close(true)}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Enter") close(true);
        if (event.key === "Escape") close(false);
      }}
      onPointerDown={(event) => event.stopPropagation()}
    />
  );
}

/** Takes away what a field has too much; the browser's own limit counts half characters, and may leave one. */
function keepWithin(field: HTMLInputElement, longest: number): void {
  const given = beginning(field.value, longest);
  if (given === field.value) return;
  const caret = field.selectionStart;
  field.value = given;
  field.setSelectionRange(caret, caret);
}
