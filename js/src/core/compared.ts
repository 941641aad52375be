/** Two graphs beside each other: the other one's snapshot, and which nodes are the same. */

import type { NodeId, OtherGraphMessage } from "../messages/types";
import { versioned } from "./circuit-version";
import { NO_FILTERS } from "./filters";
import { readSnapshot, shareOfInput } from "./snapshot";
import type { Circuit, Snapshot } from "./types";

/** In which of the two graphs a node is. */
export type Where = "both" | "only here" | "only there";

/** The comparison as the view of one of the graphs has it. */
export interface Compared {
  /** Which of the graphs the view is of. */
  readonly side: "here" | "there";
  readonly other: Snapshot;
  /** The id in the other graph of each node that is in both. */
  readonly counterpart: ReadonlyMap<NodeId, NodeId>;
  /** How many features are in both, only here, only there. */
  readonly counts: Readonly<Record<Where, number>>;
  readonly overlap: number;
  readonly notes: readonly string[];
}

/** The comparison from its message; throws an Error that states what is wrong with it. */
export function readCompared({ snapshot, here, there, ...rest }: OtherGraphMessage): Compared {
  return {
    side: "here",
    other: readSnapshot(snapshot),
    counterpart: new Map(here.map((id, at) => [id, there[at]])),
    counts: { both: rest.both, "only here": rest.only_here, "only there": rest.only_there },
    overlap: rest.overlap,
    notes: rest.notes,
  };
}

/** The same comparison as the view of the other graph has it. */
export function fromThere(compared: Compared, here: Snapshot): Compared {
  const counterpart = new Map([...compared.counterpart].map(([one, other]) => [other, one]));
  return { ...compared, side: "there", other: here, counterpart };
}

/** Where a node of a view's graph is. */
export function whereIs({ counterpart, side }: Compared, id: NodeId): Where {
  if (counterpart.has(id)) return "both";
  return side === "here" ? "only here" : "only there";
}

/** The counterpart's index in the snapshot of the other graph; null where the node is not in both, or is not in the snapshot. */
export function counterpartOf({ counterpart, other }: Compared, id: NodeId): number | null {
  const there = counterpart.get(id);
  return (there === undefined ? undefined : other.index.get(there)) ?? null;
}

/** The share of input over the same edge of the other graph; null where either node or the edge is not in its snapshot. */
export function shareThere(compared: Compared, source: NodeId, target: NodeId): number | null {
  const [from, to] = [counterpartOf(compared, source), counterpartOf(compared, target)];
  if (from === null || to === null) return null;
  const { inputs, edgeSource } = compared.other;
  const edge = inputs.edges.subarray(inputs.start[to], inputs.start[to + 1]).find((one) => edgeSource[one] === from);
  return edge === undefined ? null : shareOfInput(compared.other, edge);
}

/** What the circuit says of nodes that are in both graphs, on the other one: groups, pins, labels, thresholds and filters. */
export function circuitThere(circuit: Circuit, { counterpart, other }: Compared): Circuit {
  const known = (ids: readonly NodeId[]) =>
    ids.map((id) => counterpart.get(id)).filter((id) => id !== undefined && other.index.has(id)) as NodeId[];
  const labels = Object.entries(circuit.labels).flatMap(([id, text]) => known([id]).map((there) => [there, text]));
  // Positions are those of another prompt.
  const { positions: _, ...filters } = circuit.filters ?? NO_FILTERS;
  return {
    ...versioned(filters, null, false, circuit.edge_stability ?? false),
    revision: circuit.revision,
    pinned: known(circuit.pinned),
    supernodes: circuit.supernodes
      .map((one) => ({ ...one, nodes: known(one.nodes) }))
      .filter(({ nodes }) => nodes.length > 0),
    labels: Object.fromEntries(labels),
    positions: {},
    node_threshold: circuit.node_threshold,
    edge_threshold: circuit.edge_threshold,
  };
}
