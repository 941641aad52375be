import { useLayoutEffect, useRef } from "preact/hooks";

interface Props {
  readonly name: string;
  readonly label: string;
  readonly onName: (name: string) => void;
  readonly onClose: () => void;
}

/** A name being edited in place: Enter and leaving the field keep it, Escape does not. */
export function NameField({ name, label, onName, onClose }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const closed = useRef(false);

  useLayoutEffect(() => {
    input.current?.focus({ preventScroll: true });
    input.current?.select();
  }, []);

  function close(keep: boolean): void {
    if (closed.current) return;
    closed.current = true;
    const given = input.current?.value.trim() ?? "";
    if (keep && given !== name) onName(given);
    onClose();
  }

  return (
    <input
      ref={input}
      class="name-field"
      type="text"
      maxLength={80}
      spellcheck={false}
      autocomplete="off"
      aria-label={label}
      data-test="rename"
      defaultValue={name}
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
