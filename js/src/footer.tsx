import type { Store } from "./store";

/** The last experiment in words: how long it took, where it ran. */
export function Footer(_props: { store: Store }) {
  return <div class="footer" />;
}
