/** Filters of the map: what they may be, and which nodes they hide; the kernel has the same rules in circuit/filters.py and display/filtering.py. */

import { lengthOf } from "../text/characters";
import { checkedNode, checkedText, quoted, refuse } from "./circuit-rules";
import { FILTERED_KINDS, KIND, KIND_NAMES, LARGEST_BOUND, LONGEST_NAME, MOST_ENTRIES, SIGNS } from "./constants";
import type { Circuit, Filters, Snapshot } from "./types";

/** A reason for which a filter hides a node. */
export type NodeFilter = "kinds" | "layers" | "positions" | "label" | "stability" | "error_bands" | "hidden";

export const NO_FILTERS: Filters = {};

/** Filters before their values are checked; undefined is none. */
export type Unchecked = Readonly<Partial<Record<keyof Filters, unknown>>>;

const NAMES = ["kinds", "layers", "positions", "sign", "label", "stability", "error_bands", "hidden"] as const;

/** The filters that a JSON value describes, without those that hide nothing. */
export function checkedFilters(value: unknown): Filters {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    refuse(`Filters are a JSON object; given ${quoted(value)}.`);
  }
  for (const key of Object.keys(value)) {
    if (!(NAMES as readonly string[]).includes(key)) {
      refuse(`Filters have no ${quoted(key)}; they are ${NAMES.join(", ")}.`);
    }
  }
  const given = value as Readonly<Record<string, unknown>>;
  const checked = {
    kinds: kindsOf(given.kinds),
    layers: rangeOf("layers", given.layers),
    positions: rangeOf("positions", given.positions),
    sign: signOf(given.sign),
    label: labelOf(given.label),
    stability: stabilityOf(given.stability),
    error_bands: bandsOf(given.error_bands),
    hidden: hiddenOf(given.hidden),
  };
  return Object.fromEntries(Object.entries(checked).filter(([, one]) => one !== undefined));
}

/** Throws a CircuitError where filters name layers or positions that a graph with so many does not have. */
export function checkBounds({ layers, positions }: Filters, nLayers: number, nPositions: number): void {
  for (const [what, bounds, count] of [
    ["layers", layers, nLayers],
    ["positions", positions, nPositions],
  ] as const) {
    if (bounds === undefined || bounds[1] < count) continue;
    const last = count - 1;
    refuse(
      `The filter leaves ${what} ${bounds[0]} to ${bounds[1]} visible, and the graph has ${what} 0 to ${last}. ` +
        `Give ${what}=(${Math.min(bounds[0], last)}, ${last}), or others up to ${last}.`,
    );
  }
}

function kindsOf(value: unknown): Filters["kinds"] {
  if (isNone(value)) return undefined;
  const expected = `The visible kinds are a list of ${FILTERED_KINDS.join(", ")}`;
  if (!Array.isArray(value)) refuse(`${expected}; given ${quoted(value)}.`);
  for (const one of value) {
    if (!FILTERED_KINDS.includes(one)) refuse(`${expected}; given ${quoted(one)}.`);
  }
  const kinds = FILTERED_KINDS.filter((kind) => value.includes(kind));
  return kinds.length === FILTERED_KINDS.length ? undefined : kinds;
}

function rangeOf(what: string, value: unknown): readonly [number, number] | undefined {
  if (isNone(value)) return undefined;
  const most = LARGEST_BOUND.toLocaleString("en");
  const expected = `The visible ${what} are two whole numbers from 0 to ${most}, the first and the last`;
  if (!Array.isArray(value)) refuse(`${expected}; given ${quoted(value)}.`);
  for (const one of value) {
    if (!Number.isInteger(one) || one < 0 || one > LARGEST_BOUND) refuse(`${expected}; given ${quoted(one)}.`);
  }
  if (value.length !== 2) refuse(`${expected}; given ${value.length} numbers.`);
  const [first, last] = value;
  if (first > last) refuse(`${expected}; given ${first} and ${last}.`);
  return [first, last];
}

function signOf(value: unknown): Filters["sign"] {
  if (isNone(value)) return undefined;
  const sign = SIGNS.find((one) => one === value);
  return sign ?? refuse(`The sign of visible edges is ${SIGNS.join(" or ")}; given ${quoted(value)}.`);
}

function labelOf(value: unknown): string | undefined {
  if (isNone(value)) return undefined;
  const text = checkedText("part of a label", value);
  const length = lengthOf(text);
  if (length > LONGEST_NAME) refuse(`A part of a label has at most ${LONGEST_NAME} characters; given ${length}.`);
  return text || undefined;
}

function stabilityOf(value: unknown): number | undefined {
  if (isNone(value)) return undefined;
  if (typeof value !== "number" || !(value >= 0 && value <= 1)) {
    refuse(`The least stability is a share between 0 and 1; given ${quoted(value)}.`);
  }
  return value || undefined;
}

function bandsOf(value: unknown): true | undefined {
  if (value !== undefined && typeof value !== "boolean") {
    refuse(`error_bands is true or false; given ${quoted(value)}.`);
  }
  return value || undefined;
}

function hiddenOf(value: unknown): Filters["hidden"] {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) refuse(`Hidden nodes are a list of node ids; given ${quoted(value)}.`);
  const nodes = [...new Set(value.map(checkedNode))];
  if (nodes.length > MOST_ENTRIES) {
    refuse(
      `At most ${MOST_ENTRIES.toLocaleString("en")} nodes can be hidden by hand; given ${nodes.length.toLocaleString("en")}.`,
    );
  }
  return nodes.length > 0 ? nodes : undefined;
}

function isNone(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

/** Which filter hides a node that is not kept: the first that does; null where none does, as for outputs. */
export function filterOf(snapshot: Snapshot, { filters, labels }: Circuit): (node: number) => NodeFilter | null {
  if (filters === undefined) return () => null;
  const { kinds, layers, positions, label, stability, error_bands } = filters;
  const byHand = new Set(filters.hidden);
  const { kind, layer, nodePosition, ids } = snapshot;
  const words = label === undefined ? [] : label.toLowerCase().split(/\s+/);
  const least = Math.fround(stability ?? 0);
  const labelled = (node: number) => {
    const text = (labels[ids[node]] || snapshot.labels.get(node) || "").toLowerCase();
    return words.every((word) => text.includes(word));
  };
  return (node) => {
    const code = kind[node];
    if (code === KIND.logit) return null;
    if (byHand.has(ids[node])) return "hidden";
    if (kinds !== undefined && !(kinds as readonly string[]).includes(KIND_NAMES[code])) return "kinds";
    if (outside(nodePosition[node], positions)) return "positions";
    if (code === KIND.token) return null;
    if (outside(layer[node], layers)) return "layers";
    if (!labelled(node)) return "label";
    if (snapshot.stability[node] >= 0 && snapshot.stability[node] < least) return "stability";
    return error_bands && code === KIND.error ? "error_bands" : null;
  };
}

function outside(value: number, bounds: readonly [number, number] | undefined): boolean {
  return bounds !== undefined && (value < bounds[0] || value > bounds[1]);
}

/** Whether an edge has the sign that the filters leave visible. */
export function hasSign(snapshot: Snapshot, { filters }: Circuit, edge: number): boolean {
  const sign = filters?.sign;
  return sign === undefined || snapshot.edgeWeight[edge] > 0 === (sign === "excites");
}

/** The visible errors of a layer that are drawn as one band. */
export interface ErrorBand {
  readonly layer: number;
  readonly count: number;
  readonly influence: number;
}

/** The bands of some errors, from the lowest layer up. */
export function errorBands({ layer, influence }: Snapshot, errors: readonly number[]): readonly ErrorBand[] {
  const found = new Map<number, ErrorBand>();
  for (const node of errors) {
    const before = found.get(layer[node]) ?? { layer: layer[node], count: 0, influence: 0 };
    found.set(layer[node], { ...before, count: before.count + 1, influence: before.influence + influence[node] });
  }
  return [...found.values()].sort((a, b) => a.layer - b.layer);
}
