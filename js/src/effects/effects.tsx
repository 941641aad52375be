import type { Store } from "../store";

/** What the last intervention did: output probabilities and activations, before and after. */
export function Effects(_props: { store: Store }) {
  return <div class="effects" />;
}
