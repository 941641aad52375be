import type { Store } from "../store";

/** What the inspected node or supernode is, what feeds it and what it feeds. */
export function Inspector(_props: { store: Store }) {
  return <div class="inspector" />;
}
