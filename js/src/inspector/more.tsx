import type { Signal } from "@preact/signals";
import { Button } from "../controls/button";

interface Props {
  /** Whether the whole list is visible. */
  readonly whole: Signal<boolean>;
  /** The text of the button while it is not. */
  readonly all: string;
  readonly title?: string;
}

/** Shows the whole of a list, or fewer of it again. */
export function More({ whole, all, title }: Props) {
  const text = whole.value ? "fewer" : all;
  return (
    <Button
      class="link-button"
      aria-expanded={whole.value}
      aria-label={title && `${text} ${title}`}
      onClick={() => {
        whole.value = !whole.value;
      }}
    >
      {text}
    </Button>
  );
}
