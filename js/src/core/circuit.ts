/**
 * Edits of the circuit document: pure functions that return a new document, its revision one higher, or throw a
 * CircuitError. The kernel edits by the same rules (circuit_widget/circuit/circuit.py); both are tested on one table of cases.
 */

import type { NodeId } from "../messages/types";
import {
  checkedColor,
  checkedLabel,
  checkedLeastShare,
  checkedName,
  checkedNode,
  checkedNodes,
  checkedPlace,
  checkedSwitch,
  checkedThreshold,
  quoted,
  refuse,
} from "./circuit-rules";
import { versioned } from "./circuit-version";
import { COLORS, KIND } from "./constants";
import { checkBounds, checkedFilters, NO_FILTERS, type Unchecked } from "./filters";
import type { Box, Circuit, Snapshot, Supernode } from "./types";

export const EMPTY_CIRCUIT: Circuit = {
  version: 1,
  revision: 0,
  pinned: [],
  supernodes: [],
  labels: {},
  positions: {},
  node_threshold: null,
  edge_threshold: null,
};

/** What the circuit pane shows: supernodes in their order, then pinned nodes outside them. */
export function boxes(circuit: Circuit): Box[] {
  const grouped = new Set(circuit.supernodes.flatMap(({ nodes }) => nodes));
  return [
    ...circuit.supernodes.map(({ id, name, color, nodes }) => ({ id, name, color, nodes })),
    ...circuit.pinned
      .filter((node) => !grouped.has(node))
      .map((node) => ({ id: node, name: null, color: null, nodes: [node] })),
  ];
}

/** The supernode of an id, or else of a name. */
export function supernode(circuit: Circuit, idOrName: string): Supernode {
  const found =
    circuit.supernodes.find(({ id }) => id === idOrName) ?? circuit.supernodes.find(({ name }) => name === idOrName);
  if (found !== undefined) return found;
  const there = circuit.supernodes.slice(0, 5).map(({ name }) => quoted(name));
  refuse(`There is no supernode ${quoted(idOrName)}; the circuit has ${there.join(", ") || "none"}.`);
}

/**
 * Puts nodes into the supernode of a name, made if there is none, taking them out of others. Its color is the hue
 * fewest supernodes have, the lowest of those.
 */
export function group(circuit: Circuit, name: string, nodes: readonly NodeId[]): Circuit {
  const wished = checkedName(name);
  const wanted = checkedNodes(nodes);
  const there = circuit.supernodes.find((other) => other.name === wished);
  if (there !== undefined) return addTo(circuit, there, wanted);
  const others = without(circuit.supernodes, wanted);
  const highest = Math.max(0, ...circuit.supernodes.map(({ id }) => Number(id.slice(1))));
  const made = { id: `s${highest + 1}`, name: wished, color: leastUsed(others), nodes: wanted };
  return edited(circuit, { supernodes: [...others, made] });
}

/** Puts nodes into a supernode that exists, taking them out of others. */
export function add(circuit: Circuit, idOrName: string, nodes: readonly NodeId[]): Circuit {
  return addTo(circuit, supernode(circuit, idOrName), checkedNodes(nodes));
}

/** Takes nodes out of their supernodes; supernodes left empty vanish. Pinned nodes become boxes again. */
export function remove(circuit: Circuit, nodes: readonly NodeId[]): Circuit {
  const wanted = checkedNodes(nodes);
  const grouped = new Set(circuit.supernodes.flatMap((one) => one.nodes));
  for (const node of wanted) {
    if (!grouped.has(node)) {
      refuse(`Node ${quoted(node)} is in no supernode, so it cannot be taken out of one.`);
    }
  }
  return edited(circuit, { supernodes: without(circuit.supernodes, wanted) });
}

/** Dissolves a supernode. Its pinned members become boxes again. */
export function ungroup(circuit: Circuit, idOrName: string): Circuit {
  const gone = supernode(circuit, idOrName);
  return edited(circuit, { supernodes: circuit.supernodes.filter(({ id }) => id !== gone.id) });
}

/** Gives a supernode another name, which no other supernode may have. */
export function rename(circuit: Circuit, idOrName: string, name: string): Circuit {
  const renamed = supernode(circuit, idOrName);
  const wished = checkedName(name);
  if (circuit.supernodes.some((other) => other.name === wished && other.id !== renamed.id)) {
    refuse(`There is a supernode ${quoted(wished)} already. Choose another name, or add the nodes to it.`);
  }
  return edited(circuit, {
    supernodes: circuit.supernodes.map((other) => (other.id === renamed.id ? { ...other, name: wished } : other)),
  });
}

/** Gives a supernode another hue, by its index. */
export function recolor(circuit: Circuit, idOrName: string, color: number): Circuit {
  const changed = supernode(circuit, idOrName);
  const hue = checkedColor(color);
  return edited(circuit, {
    supernodes: circuit.supernodes.map((other) => (other.id === changed.id ? { ...other, color: hue } : other)),
  });
}

/** Labels a node; an empty text removes the label. */
export function label(circuit: Circuit, node: NodeId, text: string): Circuit {
  const wanted = checkedNode(node);
  const given = checkedLabel(text);
  const others = Object.entries(circuit.labels).filter(([other]) => other !== wanted);
  return edited(circuit, { labels: Object.fromEntries(given === "" ? others : [...others, [wanted, given]]) });
}

/** Keeps nodes in the circuit. */
export function pin(circuit: Circuit, nodes: readonly NodeId[]): Circuit {
  return edited(circuit, { pinned: [...new Set([...circuit.pinned, ...checkedNodes(nodes)])] });
}

/** Keeps nodes no longer; those that were not pinned stay as they are. */
export function unpin(circuit: Circuit, nodes: readonly NodeId[]): Circuit {
  const gone = new Set(checkedNodes(nodes));
  return edited(circuit, { pinned: circuit.pinned.filter((node) => !gone.has(node)) });
}

/** Places the centre of a box, given by its supernode's id or name or by its node, in the unit square. */
export function move(circuit: Circuit, box: string, x: number, y: number): Circuit {
  const place = checkedPlace(x, y);
  const found = boxes(circuit).find(({ id, name }) => id === box || name === box);
  if (found === undefined) {
    refuse(`${quoted(box)} is no box of the circuit: neither a supernode nor a pinned node by itself.`);
  }
  return edited(circuit, { positions: { ...circuit.positions, [found.id]: place } });
}

/** Sets the share of influence of the visible nodes, the share of edge score of the visible edges, or both. */
export function threshold(circuit: Circuit, shares: { readonly node?: number; readonly edge?: number }): Circuit {
  return edited(circuit, {
    node_threshold: checkedThreshold("node", shares.node ?? circuit.node_threshold),
    edge_threshold: checkedThreshold("edge", shares.edge ?? circuit.edge_threshold),
  });
}

/** Has the map hide what filters say, in place of any before; null removes them all. */
export function filter(circuit: Circuit, filters: Unchecked | null): Circuit {
  return versionedEdit(circuit, { filters: checkedFilters(filters ?? NO_FILTERS) });
}

/** Has edges between boxes drawn from a share of a box's input on; null for the default. */
export function cutEdges(circuit: Circuit, leastShare: number | null): Circuit {
  return versionedEdit(circuit, { least_share: checkedLeastShare(leastShare) });
}

/** Has drawn edges between boxes have their percentages, or no longer. */
export function numberEdges(circuit: Circuit, numbers = true): Circuit {
  return versionedEdit(circuit, { edge_numbers: checkedSwitch("Numbers on edges are", numbers) });
}

/** Has edges of the map whole only where they stay in all prunings, or all of them again. */
export function markStability(circuit: Circuit, stability = true): Circuit {
  return versionedEdit(circuit, { edge_stability: checkedSwitch("The stability of edges is", stability) });
}

/** An edit of what only later versions of the document have. */
function versionedEdit(
  circuit: Circuit,
  changes: Pick<Circuit, "filters" | "least_share" | "edge_numbers" | "edge_stability">,
): Circuit {
  const { version: _, filters, least_share, edge_numbers, edge_stability, ...rest } = edited(circuit, changes);
  const later = versioned(filters ?? NO_FILTERS, least_share ?? null, edge_numbers ?? false, edge_stability ?? false);
  return { ...later, ...rest };
}

/** Throws a CircuitError where a circuit does not fit a graph: a logit in a supernode, a filter by layers that it has not. */
export function checkKinds(circuit: Circuit, snapshot: Snapshot): Circuit {
  for (const { name, nodes } of circuit.supernodes) {
    if (nodes.some((node) => snapshot.kind[snapshot.index.get(node) ?? -1] === KIND.logit)) {
      refuse(`Supernode ${quoted(name)} contains a logit, but logits stay by themselves. Pin it instead.`);
    }
  }
  checkBounds(circuit.filters ?? NO_FILTERS, snapshot.nLayers, snapshot.tokens.length);
  return circuit;
}

function addTo(circuit: Circuit, target: Supernode, nodes: readonly NodeId[]): Circuit {
  const moved = new Set(nodes);
  const supernodes = circuit.supernodes.map((other) =>
    other.id === target.id
      ? { ...other, nodes: [...new Set([...other.nodes, ...nodes])] }
      : { ...other, nodes: other.nodes.filter((node) => !moved.has(node)) },
  );
  return edited(circuit, { supernodes: supernodes.filter((other) => other.nodes.length > 0) });
}

function without(supernodes: readonly Supernode[], nodes: readonly NodeId[]): readonly Supernode[] {
  const gone = new Set(nodes);
  return supernodes
    .map((one) => ({ ...one, nodes: one.nodes.filter((node) => !gone.has(node)) }))
    .filter((one) => one.nodes.length > 0);
}

function leastUsed(supernodes: readonly Supernode[]): number {
  const uses = new Array<number>(COLORS).fill(0);
  for (const { color } of supernodes) uses[color]++;
  return uses.indexOf(Math.min(...uses));
}

/** The document after an edit; positions of boxes that no longer exist are removed. */
function edited(circuit: Circuit, changes: Partial<Circuit>): Circuit {
  const next = { ...circuit, ...changes, revision: circuit.revision + 1 };
  const placed = new Set([...next.supernodes.map(({ id }) => id), ...next.pinned]);
  const kept = Object.entries(next.positions).filter(([box]) => placed.has(box));
  return { ...next, positions: Object.fromEntries(kept) };
}
