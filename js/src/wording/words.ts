/** How nodes, numbers and interventions are said, the same in every panel. */

import { KIND, type Snapshot } from "../core/types";
import { printable, tokenLabel } from "../text/width";
import type { InterventionJson, Mode, NodeId, SwapInJson } from "../wire/types";

/** A token's text as one short visible line. */
export function tokenText(text: string): string {
  return tokenLabel(text) || "∅";
}

/** Where a node is: "L2 is", "input", "output". */
export function placeOf(snapshot: Snapshot, node: number): string {
  if (snapshot.kind[node] === KIND.logit) return "output";
  if (snapshot.kind[node] === KIND.token) return "input";
  return `L${snapshot.layer[node]} ${tokenAt(snapshot, snapshot.nodePosition[node])}`;
}

/** The visible text of the prompt's token at a position. */
export function tokenAt(snapshot: Snapshot, position: number): string {
  const token = snapshot.tokens[position];
  return token === undefined ? `position ${position}` : tokenText(token.text);
}

/** What and where a node is, in short phrases: "feature 1453", "layer 2", "at “is”". */
export function identityOf(snapshot: Snapshot, node: number): readonly string[] {
  const position = snapshot.nodePosition[node];
  switch (snapshot.kind[node]) {
    case KIND.token:
      return ["token", `position ${position}`];
    case KIND.logit:
      return ["logit"];
    default: {
      const what = snapshot.kind[node] === KIND.error ? "error" : `feature ${snapshot.feature[node]}`;
      return [what, `layer ${snapshot.layer[node]}`, `at “${tokenAt(snapshot, position)}”`];
    }
  }
}

const minus = (text: string): string => text.replace("-", "−");

/** A share as a percentage: "22%", "0.4%". */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return "–";
  const value = 100 * share;
  const digits = value !== 0 && Math.abs(value) < 0.95 ? 1 : 0;
  return minus(`${value.toFixed(digits)}%`);
}

/** A share with its sign: "+22%", "−4%". */
export function signedPercent(share: number): string {
  return share > 0 ? `+${percent(share)}` : percent(share);
}

/** A probability with two decimals. */
export function probability(value: number): string {
  return value.toFixed(2);
}

/** An activation or an effect on a logit, with as many digits as matter. */
export function decimal(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return "–";
  if (size !== 0 && size < 0.005) return minus(value.toExponential(0));
  return minus(value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0));
}

/** A logit, beside others of its kind. */
export function logit(value: number): string {
  return minus(value.toFixed(1));
}

/** A factor or value as the user would type it: "−1", "0.5". */
export function plainNumber(value: number): string {
  return minus(String(Number(value.toPrecision(6))));
}

/** What is done, as short as a chip: "×0", "×−1", "= 2", "+0.5", "swap". */
export function interventionMark(intervention: InterventionJson): string {
  switch (intervention.kind) {
    case "ablate":
      return "×0";
    case "scale":
      return `×${plainNumber(intervention.factor)}`;
    case "set":
      return typeof intervention.value === "number" ? `= ${plainNumber(intervention.value)}` : "set";
    case "add":
      if (typeof intervention.value !== "number") return "add";
      return intervention.value < 0 ? plainNumber(intervention.value) : `+${plainNumber(intervention.value)}`;
    case "swap_in":
      return "swap";
  }
}

/** The words of another prompt that this one does not have, or else all of it. */
export function differentWords(snapshot: Snapshot, prompt: string): string {
  const known = new Set(snapshot.tokens.map(({ text }) => text.trim().toLowerCase()));
  const words = prompt.split(/\s+/).filter((word) => word !== "" && !known.has(word.toLowerCase()));
  return printable(words.join(" ") || prompt);
}

/** Where a swap takes its values from, in words; token ids and conversations are not spelled out. */
export function otherPrompt(snapshot: Snapshot, prompt: SwapInJson["prompt"]): string {
  return typeof prompt === "string" ? `“${differentWords(snapshot, prompt)}”` : "another prompt";
}

/** What is done to whom, in words: "ablate Texas ×0". */
export function interventionWords(snapshot: Snapshot, intervention: InterventionJson, who: string): string {
  switch (intervention.kind) {
    case "ablate":
      return `ablate ${who} ×0`;
    case "scale":
      return `scale ${who} ${interventionMark(intervention)}`;
    case "set":
      return `set ${who} ${interventionMark(intervention)}`;
    case "add":
      return `add to ${who} ${interventionMark(intervention)}`;
    case "swap_in":
      return `swap ${who} from ${otherPrompt(snapshot, intervention.prompt)}`;
  }
}

export type Tone = "below" | "same" | "above";

/** Which way a number went, where that is visible. */
export function toneOf(before: number, after: number, visibly: number): Tone {
  if (Math.abs(after - before) < visibly) return "same";
  return after > before ? "above" : "below";
}

/** Which way a probability went; less than half of a hundredth does not show. */
export function probabilityTone(before: number, after: number): Tone {
  return toneOf(before, after, 0.005);
}

/** Which way an activation went, as a share of what it was before. */
export function ratioTone(share: number): Tone {
  return toneOf(1, share, 0.05);
}

/** The modes by name of what is frozen. */
export const MODES: readonly { readonly mode: Mode; readonly name: string; readonly frozen: string }[] = [
  { mode: "total", name: "total", frozen: "nothing frozen" },
  { mode: "frozen_attention", name: "frozen attention", frozen: "attention patterns frozen" },
  { mode: "direct", name: "direct", frozen: "attention, norms and all other MLP outputs frozen" },
];

export function modeName(mode: Mode): string {
  return MODES.find((entry) => entry.mode === mode)?.name ?? `constrained, layers ${mode.replace("-", "–")}`;
}

/** How long something took: "38 ms", "1.4 s". */
export function duration(seconds: number): string {
  return seconds < 1 ? `${Math.max(1, Math.round(1000 * seconds))} ms` : `${seconds.toFixed(1)} s`;
}

/** "one feature", "3 features". */
export function count(number: number, noun: string): string {
  return number === 1 ? `one ${noun}` : `${number.toLocaleString("en")} ${noun}s`;
}

/** The name nodes go by when no one has named their group: the commonest of their names. */
export function commonName(nodes: readonly NodeId[], nameOf: (node: NodeId) => string): string {
  const votes = new Map<string, number>();
  for (const node of nodes) votes.set(nameOf(node), (votes.get(nameOf(node)) ?? 0) + 1);
  let best = "";
  for (const [name, number] of votes) if (best === "" || number > (votes.get(best) ?? 0)) best = name;
  return best;
}
