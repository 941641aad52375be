import type { Store } from "./store";

/** The header's Export button and its menu of formats. */
export function ExportMenu(_props: { store: Store }) {
  return (
    <button type="button" class="button" aria-label="Export a figure">
      Export ▾
    </button>
  );
}
