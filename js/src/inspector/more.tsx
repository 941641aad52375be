import type { Signal } from "@preact/signals";
import { Button } from "../controls/button";

interface Props {
  /** Whether the whole list is shown. */
  readonly whole: Signal<boolean>;
  /** What the button says as long as it is not. */
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
