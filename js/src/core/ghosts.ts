/** Ghosts: the boxes that a circuit would have if its proposals were accepted. They are in no document. */

import type { ProposalMessage } from "../messages/types";
import type { Box, Circuit } from "./types";

export type Ghost = ProposalMessage & Box;

/** The proposals none of whose nodes was grouped since they were made, and the tokens and outputs that are not pinned. */
export function ghostsOf(proposals: readonly ProposalMessage[], { supernodes, pinned }: Circuit): readonly Ghost[] {
  const grouped = supernodes.flatMap(({ nodes }) => nodes);
  return proposals
    .filter(
      ({ name, nodes }) => !nodes.some((node) => grouped.includes(node) || (name === null && pinned.includes(node))),
    )
    .map((proposal) => ({
      ...proposal,
      id: proposal.name === null ? proposal.nodes[0] : `+${proposal.name}`,
      color: null,
    }));
}
