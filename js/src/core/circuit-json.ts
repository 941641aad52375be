/** Reads a circuit document of any origin, by the rules of circuit_widget/circuit/document_json.py. */

import type { NodeId } from "../messages/types";
import {
  checkedColor,
  checkedLabel,
  checkedLeastShare,
  checkedName,
  checkedNode,
  checkedNodes,
  checkedPlace,
  checkedRevision,
  checkedSupernodeId,
  checkedSwitch,
  checkedThreshold,
  quoted,
  refuse,
} from "./circuit-rules";
import { keysOf, versioned } from "./circuit-version";
import { MOST_ENTRIES } from "./constants";
import { checkedFilters, NO_FILTERS } from "./filters";
import type { Circuit, Supernode } from "./types";

const SUPERNODE_KEYS = ["id", "name", "color", "nodes"] as const;

/** The circuit a JSON value describes; throws a CircuitError for the first thing that is wrong with it. */
export function parseCircuit(value: unknown): Circuit {
  const whole = object("A circuit", value);
  keys("A circuit", whole, keysOf(whole.version));
  const supernodes = list("supernodes", whole.supernodes).map(parseSupernode);
  const pinned = list("pinned", whole.pinned);
  const labels = Object.entries(object("labels", whole.labels));
  const positions = Object.entries(object("positions", whole.positions)).map(
    ([box, place]) => [box, pair(place)] as const,
  );
  const circuit: Circuit = {
    ...versioned(
      checkedFilters(whole.filters === undefined ? NO_FILTERS : whole.filters),
      checkedLeastShare(whole.least_share ?? null),
      checkedSwitch("Numbers on edges are", whole.edge_numbers === undefined ? false : whole.edge_numbers),
      checkedSwitch("The stability of edges is", whole.edge_stability === undefined ? false : whole.edge_stability),
    ),
    labels: Object.fromEntries(
      labels.map(([node, text]) => [checkedNode(node), checkedLabel(text)] as const).filter(([, text]) => text !== ""),
    ),
    positions: Object.fromEntries(positions.map(([box, [x, y]]) => [box, checkedPlace(x, y)])),
    pinned: [...new Set(pinned.map(checkedNode))],
    supernodes,
    node_threshold: checkedThreshold("node", whole.node_threshold),
    edge_threshold: checkedThreshold("edge", whole.edge_threshold),
    revision: checkedRevision(whole.revision),
  };
  checkSupernodes(circuit);
  return circuit;
}

function parseSupernode(value: unknown): Supernode {
  const entry = object("A supernode", value);
  keys("A supernode", entry, SUPERNODE_KEYS);
  const nodes = list("nodes", entry.nodes);
  return {
    id: checkedSupernodeId(entry.id),
    name: checkedName(entry.name),
    color: checkedColor(entry.color),
    nodes: checkedNodes(nodes),
  };
}

function checkSupernodes({ supernodes, pinned, positions }: Circuit): void {
  for (const what of ["id", "name"] as const) {
    const seen = new Set<string>();
    for (const supernode of supernodes) {
      if (seen.has(supernode[what])) {
        refuse(`Two supernodes have the ${what} ${quoted(supernode[what])}.`);
      }
      seen.add(supernode[what]);
    }
  }
  const grouped = new Set<NodeId>();
  for (const node of supernodes.flatMap(({ nodes }) => nodes)) {
    if (grouped.has(node)) {
      refuse(`Node ${quoted(node)} is in two supernodes; a node belongs to one at most.`);
    }
    grouped.add(node);
  }
  const placed = new Set([...supernodes.map(({ id }) => id), ...pinned]);
  for (const box of Object.keys(positions)) {
    if (!placed.has(box)) {
      refuse(`${quoted(box)} has a position but is neither a supernode nor pinned.`);
    }
  }
}

function object(what: string, value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    refuse(`${what} is a JSON object; given ${quoted(value)}.`);
  }
  atMost(what, Object.keys(value).length);
  return value as Record<string, unknown>;
}

function list(what: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) refuse(`${what} is a list; given ${quoted(value)}.`);
  atMost(what, value.length);
  return value;
}

function atMost(what: string, length: number): void {
  if (length > MOST_ENTRIES) refuse(`${what} has at most ${MOST_ENTRIES} entries; given ${length}.`);
}

function keys(what: string, value: Record<string, unknown>, expected: readonly string[]): void {
  const names = expected.join(", ");
  for (const key of Object.keys(value)) {
    if (!expected.includes(key)) refuse(`${what} has no ${quoted(key)}; its keys are ${names}.`);
  }
  for (const key of expected) {
    if (!Object.hasOwn(value, key)) refuse(`${what} lacks ${quoted(key)}; its keys are ${names}.`);
  }
}

function pair(value: unknown): readonly [unknown, unknown] {
  if (!Array.isArray(value) || value.length !== 2) {
    refuse(`A position is a list of two numbers; given ${quoted(value)}.`);
  }
  return [value[0], value[1]];
}
