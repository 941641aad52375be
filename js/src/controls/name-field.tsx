import { useSignal } from "@preact/signals";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { LONGEST_NAME } from "../core/constants";
import { lengthOf, repaired } from "../text/characters";

interface Props {
  readonly name: string;
  readonly label: string;
  /** The most characters, as the kernel counts them. */
  readonly longest?: number;
  readonly onName: (name: string) => void;
  readonly onClose: () => void;
}

/**
 * A name being edited in place. Enter and leaving the field keep the name and close the field, Escape closes it alone. A name
 * that is too long is neither kept nor cut: the field stays open, with a sentence below it.
 */
export function NameField({ name, label, longest = LONGEST_NAME, onName, onClose }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const closed = useRef(false);
  const length = useSignal(0);
  const fault = useId();

  useLayoutEffect(() => {
    input.current?.focus({ preventScroll: true });
    input.current?.select();
  }, []);

  function close(): void {
    closed.current = true;
    onClose();
  }

  function keep(): void {
    if (closed.current) return;
    const given = nameIn(input.current);
    length.value = lengthOf(given);
    if (length.value > longest) return;
    if (given !== name) onName(given);
    close();
  }

  const tooLong = length.value > longest;
  return (
    <span class="name-editor">
      <input
        ref={input}
        class="name-field"
        type="text"
        spellcheck={false}
        autocomplete="off"
        aria-label={label}
        aria-invalid={tooLong}
        aria-describedby={tooLong ? fault : undefined}
        data-test="rename"
        defaultValue={name}
        onInput={(event) => {
          length.value = lengthOf(nameIn(event.currentTarget));
        }}
        onBlur={keep}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === "Enter") keep();
          if (event.key === "Escape") close();
        }}
        onPointerDown={(event) => event.stopPropagation()}
      />
      {tooLong && (
        <span id={fault} class="name-fault" role="alert" data-test="name-fault">
          A name has at most {longest} characters; given {length.value}.
        </span>
      )}
    </span>
  );
}

/** The name in the field as the kernel reads it: whole characters, without the spaces around it. */
function nameIn(field: HTMLInputElement | null): string {
  return repaired(field?.value ?? "").trim();
}
