/** Nodes, numbers and interventions in words, the same in every panel. */

import { KIND } from "../core/constants";
import type { Snapshot } from "../core/types";
import type { InterventionJson, Mode, NodeId, SwapInJson } from "../messages/types";
import { shortened } from "../text/characters";
import { apart, printable, tokenLabel } from "../text/width";
import {
  BASIS_WORDS,
  LARGEST_FIXED,
  LIKELY,
  LONGEST_LAYER_NAME,
  MODES,
  NO_NUMBER,
  VISIBLE_CHANGE,
  VISIBLE_SHARE,
} from "./constants";

/** A token's text as one short visible line. */
export function tokenText(text: string): string {
  return tokenLabel(text) || "∅";
}

/** Why a token's text is its number: the file that the graph came from has no texts; null where it has one. */
export function withoutText({ text, token_id }: Snapshot["tokens"][number]): string | null {
  if (text !== `[token ${token_id}]`) return null;
  return "The file of this graph has numbers of tokens and no texts: these come from its model, with graph.show(model).";
}

/** What each layer is called: its number, or, where layers are parts of the model's, which part of which. */
export function layerNames(snapshot: Pick<Snapshot, "nLayers" | "layerNames">): readonly string[] {
  return Array.from({ length: snapshot.nLayers }, (_, layer) => layerName(snapshot, layer));
}

/** What a layer is called, as "5" or "5 attention". */
export function layerName({ layerNames }: Pick<Snapshot, "layerNames">, layer: number): string {
  const name = layerNames[layer];
  return name === undefined ? String(layer) : printable(shortened(name, LONGEST_LAYER_NAME));
}

/** Several layers, from the lowest to the highest: "layer 3", "layers 3–5", "layers 3 MLP – 5 attention". */
export function layersBetween(snapshot: Snapshot, low: number, high: number): string {
  if (low === high) return `layer ${layerName(snapshot, low)}`;
  const dash = snapshot.layerNames.length > 0 ? " – " : "–";
  return `layers ${layerName(snapshot, low)}${dash}${layerName(snapshot, high)}`;
}

/** Where a node is: "L2 is", "input", "output". */
export function placeOf(snapshot: Snapshot, node: number): string {
  if (snapshot.kind[node] === KIND.logit) return "output";
  if (snapshot.kind[node] === KIND.token) return "input";
  return `L${layerName(snapshot, snapshot.layer[node])} ${tokenAt(snapshot, snapshot.nodePosition[node])}`;
}

/** The visible text of the prompt's token at a position. */
export function tokenAt(snapshot: Snapshot, position: number): string {
  const token = snapshot.tokens[position];
  return token === undefined ? `position ${position}` : tokenText(token.text);
}

/** What nodes of a kind are called, one of them: the errors of neurons are those that are not nodes. */
export function kindWord({ basis }: Pick<Snapshot, "basis">, kind: keyof (typeof BASIS_WORDS)["features"]): string {
  return BASIS_WORDS[basis][kind];
}

/** What several nodes of a kind are called. */
export function kindsWord(snapshot: Pick<Snapshot, "basis">, kind: "feature" | "error" | "token"): string {
  const word = kind === "token" ? kind : kindWord(snapshot, kind);
  return word.endsWith("s") ? word : `${word}s`;
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
      const what =
        snapshot.kind[node] === KIND.error
          ? kindWord(snapshot, "error")
          : `${kindWord(snapshot, "feature")} ${snapshot.feature[node]}`;
      return [
        what,
        layersBetween(snapshot, snapshot.layer[node], snapshot.layer[node]),
        `at “${tokenAt(snapshot, position)}”`,
      ];
    }
  }
}

const minus = (text: string): string => text.replaceAll("-", "−");

/** A number with so many decimals, halves away from zero, and never −0. */
function fixed(value: number, digits: number): string {
  const text = Math.abs(value) < LARGEST_FIXED ? value.toFixed(digits) : value.toExponential(0);
  return minus(Number(text) === 0 ? text.replace("-", "") : text);
}

/** A share as a percentage: "22%", "0.4%". */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return NO_NUMBER;
  const value = 100 * share;
  return `${fixed(value, value !== 0 && Math.abs(value) < 0.95 ? 1 : 0)}%`;
}

/** In how many prunings a node has to stay: "all prunings", "at least 90% of prunings". */
export function prunings(share: number): string {
  return share === 1 ? "all prunings" : `at least ${percent(share)} of prunings`;
}

/** A share with its sign: "+22%", "−4%". */
export function signedPercent(share: number): string {
  return share > 0 ? `+${percent(share)}` : percent(share);
}

/** A probability with two decimals. */
export function probability(value: number): string {
  return Number.isFinite(value) ? fixed(value, 2) : NO_NUMBER;
}

/** An activation or an effect on a logit, with as many digits as matter. */
export function decimal(value: number): string {
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return NO_NUMBER;
  if (size !== 0 && size < 0.005) return minus(value.toExponential(0));
  return fixed(value, size < 10 ? 2 : size < 100 ? 1 : 0);
}

/** A logit, beside others of its kind. */
export function logit(value: number): string {
  return Number.isFinite(value) ? fixed(value, 1) : NO_NUMBER;
}

/** A factor or value as a user types it, with up to six digits: "−1", "0.5", "1000000", "1e−7". */
export function plainNumber(value: number): string {
  if (!Number.isFinite(value)) return NO_NUMBER;
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
  const whom = apart(who);
  switch (intervention.kind) {
    case "ablate":
      return `ablate ${whom} ×0`;
    case "scale":
      return `scale ${whom} ${interventionMark(intervention)}`;
    case "set":
      return `set ${whom} ${interventionMark(intervention)}`;
    case "add":
      return `add to ${whom} ${interventionMark(intervention)}`;
    case "swap_in":
      return `swap ${whom} from ${apart(otherPrompt(snapshot, intervention.prompt))}`;
  }
}

export type Tone = "below" | "same" | "above";

/** Which way a probability went; "same" where one is not a number. */
export function probabilityTone(before: number, after: number): Tone {
  if (after - before >= VISIBLE_CHANGE) return "above";
  return before - after >= VISIBLE_CHANGE ? "below" : "same";
}

/** Which way an activation went, as a share of what it was before. */
export function ratioTone(share: number): Tone {
  if (share < 1 - VISIBLE_SHARE) return "below";
  return share > 1 + VISIBLE_SHARE ? "above" : "same";
}

/** What a mode is called: "frozen attention", "constrained, layers 0–2". */
export function modeName(mode: Mode): string {
  return MODES.find((entry) => entry.mode === mode)?.name ?? `constrained, layers ${mode.replace("-", "–")}`;
}

/** What a mode freezes, as the kernel words it. */
export function frozenBy(mode: Mode): string {
  const named = MODES.find((entry) => entry.mode === mode);
  if (named !== undefined) return named.frozen;
  const [first, last] = mode.split("-");
  return `MLP ${first === last ? `output of layer ${first}` : `outputs of layers ${first} to ${last}`} frozen`;
}

/** How long something took: "38 ms", "1.4 s". */
export function duration(seconds: number): string {
  return seconds < 1 ? `${Math.max(1, Math.round(1000 * seconds))} ms` : `${seconds.toFixed(1)} s`;
}

/** "one feature", "3 features". */
export function count(number: number, noun: string): string {
  return number === 1 ? `one ${noun}` : `${number.toLocaleString("en")} ${noun}s`;
}

/** The name of a new supernode: the commonest of the names of its nodes. */
export function commonName(nodes: readonly NodeId[], nameOf: (node: NodeId) => string): string {
  const votes = new Map<string, number>();
  for (const node of nodes) votes.set(nameOf(node), (votes.get(nameOf(node)) ?? 0) + 1);
  let best = "";
  for (const [name, number] of votes) if (best === "" || number > (votes.get(best) ?? 0)) best = name;
  return best;
}

/**
 * How many of some next tokens have a row of their own, and what is written for the others. They are given by their
 * probabilities before and after, those that are likely at either time first. At most `most` have a row, those that can be
 * read as a number; at least one has.
 */
export function displayedTokens(
  tokens: readonly (readonly [before: number, after: number])[],
  most: number,
): readonly [count: number, more: string] {
  const readable = tokens.filter(([before, after]) => Math.max(before, after) >= LIKELY).length;
  const count = Math.max(1, Math.min(readable, most));
  const others = tokens.slice(count);
  if (others.length === 0) return [tokens.length, ""];
  const [before, after] = ([0, 1] as const).map((side) => percent(others.reduce((sum, one) => sum + one[side], 0)));
  return [count, `${others.length} more, together ${before === after ? before : `${before} → ${after}`}`];
}
