/** What an effect did to each box, and the text beside the box for it. */

import { KIND } from "../core/constants";
import { ratio } from "../core/effect";
import type { Box, Snapshot } from "../core/types";
import type { EffectMessage, InterventionJson } from "../messages/types";
import { featuresOf } from "../store/interventions";
import {
  FADED_BELOW,
  MADE_ACTIVE,
  MOST_NEW_ANSWERS,
  NEW_ANSWER_SHARE,
  OUTPUT_LEAST,
  SWAPPED_IN,
} from "../wording/constants";
import {
  commonName,
  differentWords,
  interventionMark,
  kindWord,
  layersBetween,
  percent,
  probability,
  probabilityTone,
  ratioTone,
  type Tone,
  tokenText,
} from "../wording/words";

export interface Outcome {
  /** Summed activation after, as a share of before; null where nothing is to be compared. */
  readonly measured: number | null;
  /** What is written beside the box; empty for none. */
  readonly text: string;
  readonly tone: Tone;
  /** So little is left that the box steps back. */
  readonly faded: boolean;
  /** What the interventions did to it: "×0"; null for nothing. */
  readonly mark: string | null;
}

const NOTHING: Outcome = { measured: null, text: "", tone: "same", faded: false, mark: null };

/** The outcome of an effect on one box; of none, an output still shows its probability. */
export function outcomeOf(snapshot: Snapshot, box: Box, effect: EffectMessage | null): Outcome {
  const node = snapshot.index.get(box.id);
  if (node !== undefined && snapshot.kind[node] === KIND.logit) return logitOutcome(snapshot, node, effect);
  if (effect === null) return NOTHING;
  const features = featuresOf(snapshot, box.nodes);
  const changing = effect.interventions.filter((one) => one.nodes.some((id) => box.nodes.includes(id)));
  const changed = new Set(changing.flatMap((one) => one.nodes));
  const clamped = features.every((id) => changed.has(id));
  const mark = changing.length === 0 ? null : changing.map(interventionMark).join(" ");
  const measured = features.length > 0 ? ratio(effect, features)?.measured : leftBy(changing.at(-1));
  if (measured === undefined) return { ...NOTHING, mark };
  // The mark already shows what became of a box that the intervention clamps.
  const text = clamped && mark !== "swap" ? "" : percent(measured);
  if (!Number.isFinite(measured)) return { ...NOTHING, text, mark };
  return {
    measured,
    text,
    tone: ratioTone(measured),
    faded: measured < FADED_BELOW,
    mark,
  };
}

/** Errors and tokens have no activation: the share of one that an intervention on it leaves. */
function leftBy(intervention: InterventionJson | undefined): number | undefined {
  if (intervention?.kind === "ablate") return 0;
  return intervention?.kind === "scale" ? intervention.factor : undefined;
}

function logitOutcome(snapshot: Snapshot, node: number, effect: EffectMessage | null): Outcome {
  const target = snapshot.targets.find((other) => other.node === node);
  if (effect === null) return { ...NOTHING, text: target === undefined ? "" : probability(target.probability) };
  const token = effect.tokens.find((other) => other.token_id === target?.token_id);
  if (token === undefined) return NOTHING;
  return {
    measured: null,
    text: `${probability(token.before)} → ${probability(token.after)}`,
    tone: probabilityTone(token.before, token.after),
    faded: token.after < FADED_BELOW * token.before,
    mark: null,
  };
}

/** A next token that an intervention made likely and that has no box in the circuit. */
export interface NewAnswer {
  readonly name: string;
  /** What is written beside it: its probability before and after. */
  readonly text: string;
  readonly tokenId: number;
}

/**
 * The likeliest next tokens after an intervention that rose and have no box, the likeliest first. Each is at least half as
 * likely as the likeliest one.
 */
export function newAnswers(
  snapshot: Snapshot,
  boxes: readonly Box[],
  effect: EffectMessage | null,
): readonly NewAnswer[] {
  if (effect === null) return [];
  const nodes = new Set(boxes.filter((box) => box.name === null).map((box) => snapshot.index.get(box.id)));
  const boxed = new Set(snapshot.targets.filter(({ node }) => nodes.has(node)).map(({ token_id }) => token_id));
  const most = Math.max(0, ...effect.tokens.map(({ after }) => after));
  const least = Math.max(OUTPUT_LEAST, NEW_ANSWER_SHARE * most);
  return [...effect.tokens]
    .sort((one, other) => other.after - one.after)
    .filter(({ token_id, before, after }) => {
      return after >= least && probabilityTone(before, after) === "above" && !boxed.has(token_id);
    })
    .slice(0, MOST_NEW_ANSWERS)
    .map(({ token, token_id, before, after }) => ({
      name: tokenText(token),
      text: `${probability(before)} → ${probability(after)}`,
      tokenId: token_id,
    }));
}

/** What the edges of that box are. */
export const ONWARD_WORDS =
  "edges: direct effects on this prompt, at the values of the intervention, as shares of the input before it";

/** The features that an effect injected: one box for all. */
export interface Injected {
  readonly name: string;
  /** How they came: swapped in from another prompt, or made active by a value that was set or added. */
  readonly how: string;
  readonly title: string;
  readonly features: number;
  /** The boxes it came in for. */
  readonly beside: readonly string[];
}

/** The features an effect injected, named by their commonest label, else by the words in which the prompts differ. */
export function injectedBy(snapshot: Snapshot, boxes: readonly Box[], effect: EffectMessage | null): Injected | null {
  if (effect === null || effect.injected.length === 0) return null;
  const labels = effect.injected.flatMap(({ label }) => (label ? [label] : []));
  const prompts = effect.interventions.flatMap((one) => (one.kind === "swap_in" ? [one.prompt] : []));
  const text = prompts.find((prompt) => typeof prompt === "string");
  const named = labels.length * 2 >= effect.injected.length ? commonName(labels, (label) => label) : "";
  const changed = new Set(effect.interventions.flatMap((one) => one.nodes));
  const how = effect.interventions.some(({ kind }) => kind === "swap_in") ? SWAPPED_IN : MADE_ACTIVE;
  return {
    name: named || differentWords(snapshot, text ?? "") || how,
    how,
    title: [
      // A file that an earlier version wrote has none.
      effect.injected_edges ? ONWARD_WORDS : "its edges were not kept: run the experiment again for them",
      ...effect.injected.map(
        (one) =>
          one.label ??
          `${kindWord(snapshot, "feature")} ${one.feature}, ${layersBetween(snapshot, one.layer, one.layer)}`,
      ),
    ].join("\n"),
    features: effect.injected.length,
    beside: boxes.filter((box) => box.nodes.some((id) => changed.has(id))).map((box) => box.id),
  };
}
