/** What the values of a circuit may be; the kernel keeps the same rules in circuit_widget/circuit/rules.py. */

import { beginning, lengthOf } from "../text/characters";
import { COLORS, LONGEST_NAME, LONGEST_NODE } from "./constants";

// Controls, lone surrogates, line separators and directional overrides would act on the page that shows the text.
const FORBIDDEN = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;
const EVERY_FORBIDDEN = new RegExp(FORBIDDEN.source, "gu");
const SPACE = " \\t\\n\\v\\f\\r\\u00a0\\u1680\\u2000-\\u200a\\u202f\\u205f\\u3000";
const SPACE_AROUND = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, "gu");
export const SUPERNODE_ID = /^s([1-9][0-9]{0,8})$/;

/** A circuit document that breaks its rules; the message is for the user. */
export class CircuitError extends Error {
  readonly code = "circuit";
}

export function refuse(message: string): never {
  throw new CircuitError(message);
}

/** A given value as errors show it: short, on one line, harmless. */
export function quoted(value: unknown): string {
  if (typeof value === "string") {
    const text = beginning(value, LONGEST_NAME / 2).replace(EVERY_FORBIDDEN, "\ufffd");
    return lengthOf(value) > LONGEST_NAME / 2 ? `“${text}…”` : `“${text}”`;
  }
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value);
}

/** The name of a supernode: 1 to 80 characters once spaces around it are gone. */
export function checkedName(name: unknown): string {
  const text = checkedText("name", name);
  const length = lengthOf(text);
  if (length < 1 || length > LONGEST_NAME) {
    refuse(`A name has 1 to ${LONGEST_NAME} characters; given ${length || "none"}.`);
  }
  return text;
}

/** The label of a node: up to 80 characters once spaces around it are gone. */
export function checkedLabel(label: unknown): string {
  const text = checkedText("label", label);
  const length = lengthOf(text);
  if (length > LONGEST_NAME) {
    refuse(`A label has at most ${LONGEST_NAME} characters; given ${length}.`);
  }
  return text;
}

/** A text of one line without control characters, without the spaces around it. */
export function checkedText(what: string, text: unknown): string {
  if (typeof text !== "string") refuse(`A ${what} is a text; given ${quoted(text)}.`);
  const stripped = text.replace(SPACE_AROUND, "");
  if (FORBIDDEN.test(stripped)) {
    refuse(`A ${what} is one line without control characters; given ${quoted(stripped)}.`);
  }
  return stripped;
}

/** The id of a node. */
export function checkedNode(node: unknown): string {
  if (typeof node !== "string" || node === "" || lengthOf(node) > LONGEST_NODE || FORBIDDEN.test(node)) {
    refuse(`A node is given by its id, a text of 1 to ${LONGEST_NODE} characters; given ${quoted(node)}.`);
  }
  if (SUPERNODE_ID.test(node)) {
    refuse(`${quoted(node)} is the id of a supernode, where a node is expected.`);
  }
  return node;
}

/** The ids of one or more nodes, each once, in the order given. */
export function checkedNodes(nodes: readonly unknown[]): readonly string[] {
  const unique = [...new Set(nodes.map(checkedNode))];
  if (unique.length === 0) refuse("Give at least one node; given none.");
  return unique;
}

/** A place in the unit square of the circuit pane. */
export function checkedPlace(x: unknown, y: unknown): readonly [number, number] {
  if (!isShare(x) || !isShare(y)) {
    refuse(
      `A position is two numbers between 0 and 1, from the left and from the top; given ${quoted(x)} and ${quoted(y)}.`,
    );
  }
  return [x, y];
}

/** A threshold of the display rule; null where the graph decides. */
export function checkedThreshold(kind: "node" | "edge", share: unknown): number | null {
  if (share !== null && !isShare(share)) {
    refuse(`The ${kind} threshold is a share between 0 and 1; given ${quoted(share)}.`);
  }
  return share;
}

/** The least share of a box's input with which an edge is drawn; null for the default. */
export function checkedLeastShare(share: unknown): number | null {
  if (share !== null && !isShare(share)) {
    refuse(`The least share of a drawn edge is a share between 0 and 1; given ${quoted(share)}.`);
  }
  return share;
}

/** Whether edges have their numbers. */
/** Whether something is on; `what` names it in the error, with its verb. */
export function checkedSwitch(what: string, on: unknown): boolean {
  if (typeof on !== "boolean") refuse(`${what} on or off, true or false; given ${quoted(on)}.`);
  return on;
}

function isShare(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 1;
}

/** The number of edits a circuit has seen. */
export function checkedRevision(revision: unknown): number {
  if (typeof revision !== "number" || !Number.isSafeInteger(revision) || revision < 0) {
    refuse(`A revision is a whole number from 0 up; given ${quoted(revision)}.`);
  }
  return revision;
}

export function checkedSupernodeId(id: unknown): string {
  if (typeof id !== "string" || !SUPERNODE_ID.test(id)) {
    refuse(`The id of a supernode is s1, s2 and so on; given ${quoted(id)}.`);
  }
  return id;
}

export function checkedColor(color: unknown): number {
  if (typeof color !== "number" || !Number.isInteger(color) || color < 0 || color >= COLORS) {
    refuse(`A color is a number from 0 to ${COLORS - 1}; given ${quoted(color)}.`);
  }
  return color;
}
