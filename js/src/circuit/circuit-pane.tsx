import type { Store } from "../store";

/** The circuit: boxes of grouped and pinned nodes, and the edges between them. */
export function CircuitPane(_props: { store: Store }) {
  return <div class="circuit-pane" />;
}
