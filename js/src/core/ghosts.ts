/** Ghosts: the boxes that a circuit would have if its proposals were accepted. They are in no document. */

import type { ProposalMessage } from "../wire/types";
import { group, pin } from "./circuit";
import type { Box, Circuit } from "./types";

export interface Ghost extends Box {
  readonly proposal: ProposalMessage;
}

/** What of the proposals the circuit has not: nodes that are in no group yet, tokens and outputs that are not pinned. */
export function ghostsOf(proposals: readonly ProposalMessage[], circuit: Circuit): readonly Ghost[] {
  const grouped = circuit.supernodes.flatMap(({ nodes }) => nodes);
  return proposals
    .map((proposal) => {
      const { name, nodes } = proposal;
      const there = new Set(name === null ? [...grouped, ...circuit.pinned] : grouped);
      const others = nodes.filter((node) => !there.has(node));
      return { id: name === null ? nodes[0] : `proposed ${name}`, name, color: null, nodes: others, proposal };
    })
    .filter(({ nodes }) => nodes.length > 0);
}

/** Puts ghosts into the circuit, each group under its name or, where that is taken, under what `fresh` makes of it. */
export function accepted(
  circuit: Circuit,
  ghosts: readonly Ghost[],
  fresh: (circuit: Circuit, name: string) => string,
): Circuit {
  return ghosts.reduce(
    (made, { name, nodes }) => (name === null ? pin(made, nodes) : group(made, fresh(made, name), nodes)),
    circuit,
  );
}
