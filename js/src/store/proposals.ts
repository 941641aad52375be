/** Proposals: requested of the kernel, displayed as ghosts of boxes, and accepted or refused by the user. */

import { group, pin } from "../core/circuit";
import type { Ghost } from "../core/ghosts";
import { freshName } from "./commands";
import type { Store } from "./store";

/** Has the kernel propose a circuit of what is in none of the groups; a reader of an HTML file has no kernel. */
export async function propose(store: Store): Promise<void> {
  if (store.capabilities.value.recorded) return;
  const reply = await store.kernel.propose({});
  if (reply !== null) store.proposals.value = reply.body.proposals;
}

/** Puts ghosts into the circuit as one step; what is accepted is a ghost no longer, until that is undone. */
export function accept(store: Store, ghosts: readonly Ghost[], what: string): void {
  store.actions.edit(
    (circuit) =>
      ghosts.reduce(
        (made, { name, nodes }) => (name === null ? pin(made, nodes) : group(made, freshName(made, name), nodes)),
        circuit,
      ),
    `accept ${what}`,
  );
}

/** Takes a proposal away; the circuit stays as it is. */
export function refuse({ proposals }: Store, { nodes }: Ghost): void {
  proposals.value = proposals.value.filter((proposal) => proposal.nodes !== nodes);
}
