/** The messages between frontend and kernel; written by `python -m circuit_widget.widget.wire.frontend_types`. */

export type InterventionJson = AblateJson | ScaleJson | SetJson | AddJson | SwapInJson;

export type Mode = string;

export type NodeId = string;

/** Sets features to zero, takes errors and tokens away. */
export interface AblateJson {
  readonly kind: "ablate";
  readonly nodes: readonly string[];
}

/** Multiplies features, errors or tokens by a factor. */
export interface ScaleJson {
  readonly kind: "scale";
  readonly nodes: readonly string[];
  readonly factor: number;
}

/** Sets features to a value, or to one value each. */
export interface SetJson {
  readonly kind: "set";
  readonly nodes: readonly string[];
  readonly value: number | readonly number[];
}

/** Adds a value to features, or one value each. */
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

/** Gives nodes what they are in another prompt; `alignment` pairs positions of this prompt with positions of that. */
export interface SwapInJson {
  readonly kind: "swap_in";
  readonly nodes: readonly string[];
  readonly prompt: string | readonly number[] | readonly TurnJson[];
  readonly features?: readonly string[] | null;
  readonly alignment?: readonly (readonly [number, number])[] | null;
}

/** Asks what the model does when nodes are changed. */
export interface InterveneBody {
  readonly interventions: readonly (AblateJson | ScaleJson | SetJson | AddJson | SwapInJson)[];
  readonly mode: string;
  readonly name: string;
}

/** Puts an experiment made before back on show, in every view. */
export interface RecallBody {
  readonly id: number;
}

/** Asks for the experiment `id` beside another, the one on show. */
export interface CompareBody {
  readonly id: number;
  readonly beside: number;
}

/** Gives an experiment another name. */
export interface RenameBody {
  readonly id: number;
  readonly name: string;
}

/** Deletes an experiment. */
export interface ForgetBody {
  readonly id: number;
}

/** Asks for an experiment beside the same on random features like those it touched. */
export interface ControlsBody {
  readonly id: number;
  readonly n: number;
}

/** A token's probability and logit at the traced position: before, after, as the graph predicted it; and its rank. */
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

/** The logit that the graph predicted for one of its targets. */
export interface EffectTarget {
  readonly token_id: number;
  readonly predicted_logit: number;
}

/** Activations of features before and after, and as the graph predicted them, one entry each. */
export interface EffectNodes {
  readonly ids: readonly string[];
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly predicted: readonly number[];
}

/** A feature given a value that is not a node of the graph. */
export interface InjectedFeature {
  readonly id: string;
  readonly layer: number;
  readonly position: number;
  readonly feature: number;
  readonly value: number;
  readonly label: string | null;
}

/** A token's probability after the controls: quantiles 0.05, 0.5, 0.95, and how often chance does as much. */
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

/** What the same intervention did on `n` sets of random features; `similarity` says how alike they are. */
export interface ControlsMessage {
  readonly n: number;
  readonly seed: number;
  readonly similarity: string;
  readonly tokens: readonly ControlToken[];
  readonly boxes: readonly ControlBox[];
}

/** What an intervention did, beside what the graph predicted; `code` are Python lines that do the same again. */
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
}

/** A token's probability before, after the experiment on show, and after the one it is compared with. */
export interface ComparedToken {
  readonly token: string;
  readonly token_id: number;
  readonly before: number;
  readonly after: number;
  readonly compared: number;
}

/** An experiment beside the one on show: its activations, and every token that is likely in either. */
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
