/** Messages between page and kernel; written by `python -m circuit_widget.widget.frontend_types`. */

export type InterventionJson = AblateJson | ScaleJson | SetJson | AddJson | SwapInJson;

export type Mode = string;

export type NodeId = string;

/** Set features to zero, remove errors and tokens. */
export interface AblateJson {
  readonly kind: "ablate";
  readonly nodes: readonly string[];
}

/** Multiply features, errors or tokens by a factor. */
export interface ScaleJson {
  readonly kind: "scale";
  readonly nodes: readonly string[];
  readonly factor: number;
}

/** Clamp features to a value, or to one value each. */
export interface SetJson {
  readonly kind: "set";
  readonly nodes: readonly string[];
  readonly value: number | readonly number[];
}

/** Add a value to features, or one value each. */
export interface AddJson {
  readonly kind: "add";
  readonly nodes: readonly string[];
  readonly value: number | readonly number[];
}

/** One turn of a conversation. */
export interface TurnJson {
  readonly role: string;
  readonly content: string;
}

/** Give nodes their values in another prompt; `alignment` pairs positions of this prompt with positions of the other. */
export interface SwapInJson {
  readonly kind: "swap_in";
  readonly nodes: readonly string[];
  readonly prompt: string | readonly number[] | readonly TurnJson[];
  readonly features?: readonly string[] | null;
  readonly alignment?: readonly (readonly [number, number])[] | null;
}

/** Request for the effect of interventions; without a name the kernel names the experiment. */
export interface InterveneBody {
  readonly interventions: readonly (AblateJson | ScaleJson | SetJson | AddJson | SwapInJson)[];
  readonly mode: string;
  readonly name?: string | null;
}

/** Request to display an earlier experiment again, in every view. */
export interface RecallBody {
  readonly id: number;
}

/** Request to run an earlier experiment again, as a new one. */
export interface RepeatBody {
  readonly id: number;
}

/** Request for the experiment `id` beside another, the displayed one. */
export interface CompareBody {
  readonly id: number;
  readonly beside: number;
}

/** Request to give an experiment another name. */
export interface RenameBody {
  readonly id: number;
  readonly name: string;
}

/** Request to delete an experiment. */
export interface ForgetBody {
  readonly id: number;
}

/** Request for controls: the same intervention on random features that resemble those it changed. */
export interface ControlsBody {
  readonly id: number;
  readonly n: number;
}

/** A token's probability and logit at the traced position: before, after, and as the graph predicts them; and its rank. */
export interface EffectToken {
  readonly token: string;
  readonly token_id: number;
  readonly before: number;
  readonly after: number;
  readonly predicted: number;
  readonly logit_before: number;
  readonly logit_after: number;
  readonly logit_predicted: number;
  readonly rank_before: number;
  readonly rank_after: number;
}

/** The logit that the graph predicts for one of its targets. */
export interface EffectTarget {
  readonly token_id: number;
  readonly predicted_logit: number;
}

/** Activations of features before, after, and as the graph predicts them, one entry each. */
export interface EffectNodes {
  readonly ids: readonly string[];
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly predicted: readonly number[];
}

/** A feature that is clamped to a value and is not a node of the graph. */
export interface InjectedFeature {
  readonly id: string;
  readonly layer: number;
  readonly position: number;
  readonly feature: number;
  readonly value: number;
  readonly label: string | null;
}

/** The direct effect of the injected features on the logit of a token that is no target, and that logit's whole input. */
export interface AnswerInputMessage {
  readonly token_id: number;
  readonly weight: number;
  readonly total: number;
}

/** The direct effects of the injected features together on nodes of the graph, one entry each, and on likely tokens. */
export interface InjectedEdgesMessage {
  readonly ids: readonly string[];
  readonly weights: readonly number[];
  readonly answers: readonly AnswerInputMessage[];
}

/** A token's probability after the controls: quantiles 0.05, 0.5, 0.95, and the share of controls that change it as much. */
export interface ControlToken {
  readonly token_id: number;
  readonly low: number;
  readonly median: number;
  readonly high: number;
  readonly p_value: number;
}

/** A box's activation after the controls as a share of before, quantiles 0.05 and 0.95; `size` is its number of nodes then. */
export interface ControlBox {
  readonly id: string;
  readonly size: number;
  readonly low: number;
  readonly high: number;
}

/** The effect of the same intervention on `n` sets of random features; `similarity` describes how alike they are. */
export interface ControlsMessage {
  readonly n: number;
  readonly seed: number;
  readonly similarity: string;
  readonly tokens: readonly ControlToken[];
  readonly boxes: readonly ControlBox[];
}

/** The effect of an intervention, beside what the graph predicts; `code` is Python that repeats it. */
export interface EffectMessage {
  readonly id: number;
  readonly name: string;
  readonly interventions: readonly (AblateJson | ScaleJson | SetJson | AddJson | SwapInJson)[];
  readonly mode: string;
  readonly frozen: string;
  readonly seconds: number;
  readonly device: string;
  readonly dtype: string;
  readonly kl: number;
  readonly tokens: readonly EffectToken[];
  readonly targets: readonly EffectTarget[];
  readonly nodes: EffectNodes;
  readonly injected: readonly InjectedFeature[];
  readonly code: string;
  readonly controls?: ControlsMessage | null;
  readonly injected_edges?: InjectedEdgesMessage | null;
}

/** A token's probability before, after the displayed experiment, and after the one it is compared with. */
export interface ComparedToken {
  readonly token: string;
  readonly token_id: number;
  readonly before: number;
  readonly after: number;
  readonly compared: number;
}

/** An experiment beside the displayed one: its activations, and every token that is likely in either. */
export interface ComparisonMessage {
  readonly id: number;
  readonly beside: number;
  readonly name: string;
  readonly nodes: EffectNodes;
  readonly tokens: readonly ComparedToken[];
}

/** One line of the history: the likeliest token before and its probability after, and the likeliest after. */
export interface ExperimentEntry {
  readonly id: number;
  readonly name: string;
  readonly mode: string;
  readonly token: string;
  readonly before: number;
  readonly after: number;
  readonly likeliest: string;
  readonly likeliest_probability: number;
}
