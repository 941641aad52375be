import type { Store } from "./store";

/** The header's help button and its table of keys and gestures. */
export function KeyboardHelp(_props: { store: Store }) {
  return (
    <button type="button" class="button" aria-label="Keys and gestures">
      ?
    </button>
  );
}
