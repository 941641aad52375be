/** Messages between page and kernel; written by `python -m circuit_widget.widget.frontend_types`. */

import type { AblateJson, AddJson, ScaleJson, SetJson, SwapInJson } from "./experiment-messages";

export type Axis = "factor" | "last_layer" | "groups" | "pairs";

export type StudyMessage = SweepMessage | GenerationMessage | ValidationMessage;

/** Request for the alignment of this prompt with another: which position corresponds to which. */
export interface AlignBody {
  readonly prompt: string;
}

/** The tokens of this prompt and of another, and pairs of positions that correspond to each other. */
export interface AlignmentMessage {
  readonly tokens: readonly string[];
  readonly others: readonly string[];
  readonly pairs: readonly (readonly [number, number])[];
}

/** Request for a sweep: over strengths, last frozen layers, boxes, or pairs of boxes; without a name the kernel names it. */
export interface SweepBody {
  readonly axis: "factor" | "last_layer" | "groups" | "pairs";
  readonly interventions: readonly (AblateJson | ScaleJson | SetJson | AddJson | SwapInJson)[];
  readonly mode: string;
  readonly name?: string | null;
}

/** A token along a sweep: before it, and after each experiment, measured and predicted. */
export interface SweepToken {
  readonly token: string;
  readonly token_id: number;
  readonly before: number;
  readonly probability: readonly number[];
  readonly predicted_probability: readonly number[];
  readonly logit_before: number;
  readonly logit: readonly number[];
  readonly predicted_logit: readonly number[];
}

/** A box along a sweep: summed activation as a share of before. */
export interface SweepBox {
  readonly id: string;
  readonly name: string;
  readonly measured: readonly number[];
  readonly predicted: readonly number[];
}

/** A sweep as far as it is: `labels` (and `values`, where numbers were varied) of the experiments done of `total`.

    `nodes` are those whose strength is varied, where that is what varies.
     */
export interface SweepMessage {
  readonly kind: "sweep";
  readonly axis: "factor" | "last_layer" | "groups" | "pairs";
  readonly name: string;
  readonly mode: string;
  readonly frozen: string;
  readonly total: number;
  readonly nodes: readonly string[];
  readonly values: readonly number[];
  readonly labels: readonly string[];
  readonly tokens: readonly SweepToken[];
  readonly boxes: readonly SweepBox[];
  readonly code: string;
}

/** Request for generated text: of the model as it is, and under interventions. Without a name the kernel names it. */
export interface GenerateBody {
  readonly interventions: readonly (AblateJson | ScaleJson | SetJson | AddJson | SwapInJson)[];
  readonly new_tokens: boolean;
  readonly max_new_tokens: number;
  readonly temperature: number;
  readonly seed: number | null;
  readonly name?: string | null;
}

/** A sampled token; `differs` marks those that the other text does not have. */
export interface GeneratedToken {
  readonly token: string;
  readonly probability: number;
  readonly differs: boolean;
}

/** The text that the model generates as it is, and under interventions, as far as it is. */
export interface GenerationMessage {
  readonly kind: "generation";
  readonly name: string;
  readonly new_tokens: boolean;
  readonly temperature: number;
  readonly seed: number | null;
  readonly ended: boolean;
  readonly gap: string;
  readonly unsteered: readonly GeneratedToken[];
  readonly steered: readonly GeneratedToken[];
  readonly code: string;
}

/** Request for a validation: whether the graph predicts what ablating each box does to the others. */
export interface ValidateBody {
  readonly mode: string;
}

/** What ablating `source` does to `target`: change predicted and measured; `direct` where no other feature is between. */
export interface ValidationPair {
  readonly source: string;
  readonly target: string;
  readonly of: "feature" | "logit";
  readonly predicted: number;
  readonly measured: number;
  readonly direct: boolean;
}

/** How well prediction and measurement of some pairs agree; None where there are too few. */
export interface ValidationAgreement {
  readonly of: "feature" | "logit";
  readonly part: "all" | "direct" | "knock_on" | "beyond_direct";
  readonly pairs: number;
  readonly spearman: number | null;
  readonly sign_share: number | null;
}

/** Ablations predicted and measured; `sentence` is what they mean, and what the circuit keeps of the target. */
export interface ValidationMessage {
  readonly kind: "validation";
  readonly mode: string;
  readonly frozen: string;
  readonly groups: number;
  readonly pairs: readonly ValidationPair[];
  readonly agreement: readonly ValidationAgreement[];
  readonly sentence: string;
  readonly code: string;
}
