/** The messages between frontend and kernel; written by `python -m circuit_widget.widget.messages`. */

export type InterventionJson = AblateJson | ScaleJson | SetJson | AddJson | SwapInJson;

export type StudyMessage = SweepMessage | GenerationMessage | ValidationMessage;

export type Axis = "factor" | "last_layer" | "groups" | "pairs";

export type Mode = string;

export type NodeId = string;

/** Nothing. */
export type Empty = Record<string, never>;

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

/** Gives nodes what they are in another prompt; `alignment` pairs positions of this prompt with positions of that. */
export interface SwapInJson {
  readonly kind: "swap_in";
  readonly nodes: readonly string[];
  readonly prompt: string;
  readonly features?: readonly string[] | null;
  readonly alignment?: readonly (readonly [number, number])[] | null;
}

/** Asks what the model does when nodes are changed. */
export interface InterveneBody {
  readonly interventions: readonly (AblateJson | ScaleJson | SetJson | AddJson | SwapInJson)[];
  readonly mode: string;
  readonly name: string;
}

/** Asks for an experiment made before; `show` puts it on the screen of every view. */
export interface RecallBody {
  readonly id: number;
  readonly show: boolean;
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

/** Asks which position of this prompt stands for which of another. */
export interface AlignBody {
  readonly prompt: string;
}

/** Asks for the same over a range: factors of a strength, last frozen layers, each box of the circuit, pairs of them. */
export interface SweepBody {
  readonly axis: "factor" | "last_layer" | "groups" | "pairs";
  readonly interventions: readonly (AblateJson | ScaleJson | SetJson | AddJson | SwapInJson)[];
  readonly mode: string;
  readonly name: string;
}

/** Asks what the model goes on to say, as it is and under interventions. */
export interface GenerateBody {
  readonly interventions: readonly (AblateJson | ScaleJson | SetJson | AddJson | SwapInJson)[];
  readonly new_tokens: boolean;
  readonly max_new_tokens: number;
  readonly temperature: number;
  readonly seed: number | null;
  readonly name: string;
}

/** Asks whether the graph predicts what ablating each box does to the others. */
export interface ValidateBody {
  readonly mode: string;
}

/** Asks what is known about a feature beyond this prompt. */
export interface CardBody {
  readonly node: string;
}

/** Asks for a picture of what the widget shows; the width is in inches. */
export interface FigureBody {
  readonly format: "svg" | "pdf" | "png";
  readonly width: 3.25 | 5.5 | 6.75;
  readonly part: "map" | "circuit" | "both";
}

/** Stops a request that is queued or running. */
export interface CancelBody {
  readonly rid: string;
}

/** A token's probability and logit at the traced position: before, after, and as the graph predicted it. */
export interface EffectToken {
  readonly token: string;
  readonly token_id: number;
  readonly before: number;
  readonly after: number;
  readonly predicted: number;
  readonly logit_before: number;
  readonly logit_after: number;
  readonly logit_predicted: number;
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

/** A box's activation after the controls as a share of before; `size` is its number of nodes then. */
export interface ControlBox {
  readonly id: string;
  readonly size: number;
  readonly low: number;
  readonly median: number;
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

/** The tokens of this prompt and of another, and pairs of positions that stand for each other. */
export interface AlignmentMessage {
  readonly tokens: readonly string[];
  readonly others: readonly string[];
  readonly pairs: readonly (readonly [number, number])[];
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

/** A sweep as far as it is: `labels` (and `values`, where numbers were varied) of the experiments done of `total`. */
export interface SweepMessage {
  readonly kind: "sweep";
  readonly axis: "factor" | "last_layer" | "groups" | "pairs";
  readonly name: string;
  readonly mode: string;
  readonly frozen: string;
  readonly total: number;
  readonly values: readonly number[];
  readonly labels: readonly string[];
  readonly tokens: readonly SweepToken[];
  readonly boxes: readonly SweepBox[];
  readonly code: string;
}

/** A sampled token; `differs` marks what the other text does not say. */
export interface SaidToken {
  readonly token: string;
  readonly probability: number;
  readonly differs: boolean;
}

/** The text the model says as it is, and under interventions, as far as it is. */
export interface GenerationMessage {
  readonly kind: "generation";
  readonly name: string;
  readonly new_tokens: boolean;
  readonly temperature: number;
  readonly seed: number | null;
  readonly ended: boolean;
  readonly gap: string;
  readonly unsteered: readonly SaidToken[];
  readonly steered: readonly SaidToken[];
  readonly code: string;
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

/** Ablations predicted and measured; what is left of the target's probability without the circuit, and with it alone. */
export interface ValidationMessage {
  readonly kind: "validation";
  readonly mode: string;
  readonly frozen: string;
  readonly groups: number;
  readonly pairs: readonly ValidationPair[];
  readonly agreement: readonly ValidationAgreement[];
  readonly token: string;
  readonly necessity: number | null;
  readonly sufficiency: number | null;
  readonly code: string;
}

/** A piece of text and the feature's activation at each of its tokens. */
export interface CardExample {
  readonly tokens: readonly string[];
  readonly activations: readonly number[];
}

/** A token that a feature promotes or suppresses, with its direct effect on the token's logit. */
export interface CardToken {
  readonly token: string;
  readonly logit: number;
}

/** What is known about a feature beyond this prompt. */
export interface Card {
  readonly node: string;
  readonly layer: number;
  readonly feature: number;
  readonly label: string | null;
  readonly frequency: number | null;
  readonly maximum: number | null;
  readonly examples: readonly CardExample[];
  readonly promoted: readonly CardToken[];
  readonly suppressed: readonly CardToken[];
}

/** A file's name and media type; its bytes are the reply's one buffer. */
export interface FileReply {
  readonly filename: string;
  readonly mime: string;
}

/** What the kernel can do for this graph; `why_not` says why interventions are not possible. */
export interface Capabilities {
  readonly intervene: boolean;
  readonly why_not: string;
  readonly figure: boolean;
}

/** How the widget looks; the height of the map is in CSS pixels. */
export interface Settings {
  readonly theme: "auto" | "light" | "dark";
  readonly height: number;
}

/** A token of the prompt. */
export interface SnapshotToken {
  readonly text: string;
  readonly token_id: number;
}

/** An explained token; `node` is the index of its logit. */
export interface SnapshotTarget {
  readonly node: number;
  readonly token: string;
  readonly token_id: number;
  readonly probability: number;
  readonly logit: number;
}

/** What the graph was traced with, by name; empty where it is not known. */
export interface SnapshotModel {
  readonly name: string;
  readonly transcoders: string;
  readonly device: string;
  readonly dtype: string;
}

/** The scores of the whole graph. */
export interface SnapshotScores {
  readonly replacement: number;
  readonly completeness: number;
}

/** Where a column is: its number of items, and the offset in bytes from the beginning of the array section. */
export interface SnapshotArray {
  readonly dtype: "uint8" | "int16" | "int32" | "uint32" | "float32";
  readonly length: number;
  readonly offset: number;
}

/** The header: labels are by node index; the prompt is its text as it was typed, or empty where that is not known. */
export interface SnapshotHeader {
  readonly version: number;
  readonly n_layers: number;
  readonly position: number;
  readonly prompt: string;
  readonly tokens: readonly SnapshotToken[];
  readonly targets: readonly SnapshotTarget[];
  readonly model: SnapshotModel;
  readonly scores: SnapshotScores;
  readonly total_nodes: number;
  readonly ids: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly arrays: Readonly<Record<string, SnapshotArray>>;
}

/** Each request's body and the body of its reply. */
export interface Requests {
  readonly ping: { readonly body: Empty; readonly reply: Empty };
  readonly intervene: { readonly body: InterveneBody; readonly reply: EffectMessage };
  readonly recall: { readonly body: RecallBody; readonly reply: EffectMessage };
  readonly rename: { readonly body: RenameBody; readonly reply: Empty };
  readonly forget: { readonly body: ForgetBody; readonly reply: Empty };
  readonly table: { readonly body: Empty; readonly reply: FileReply };
  readonly controls: { readonly body: ControlsBody; readonly reply: EffectMessage };
  readonly align: { readonly body: AlignBody; readonly reply: AlignmentMessage };
  readonly sweep: { readonly body: SweepBody; readonly reply: SweepMessage };
  readonly generate: { readonly body: GenerateBody; readonly reply: GenerationMessage };
  readonly validate: { readonly body: ValidateBody; readonly reply: ValidationMessage };
  readonly card: { readonly body: CardBody; readonly reply: Card };
  readonly figure: { readonly body: FigureBody; readonly reply: FileReply };
  readonly cancel: { readonly body: CancelBody; readonly reply: Empty };
}

export type RequestName = keyof Requests;

/** A question of the frontend; `rid` is chosen by it and comes back with every answer. */
export interface Request {
  readonly type: "request";
  readonly rid: string;
  readonly name: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** The request is well formed and queued. */
export interface Accepted {
  readonly rid: string;
  readonly type: "accepted";
}

/** How far a request is, from 0 to 1; at most ten a second. */
export interface Progress {
  readonly rid: string;
  readonly fraction: number;
  readonly text: string;
  readonly type: "progress";
}

/** The answer to a request as far as it is; at most ten a second, each in the place of the last. */
export interface Partial {
  readonly rid: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly type: "partial";
}

/** The answer to a request. */
export interface Reply {
  readonly rid: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly type: "reply";
}

/** Why a request has no answer, in a sentence for the user. */
export interface Failed {
  readonly rid: string;
  readonly code: string;
  readonly message: string;
  readonly type: "error";
}

/** Something the user should know that belongs to no request. */
export interface Notice {
  readonly message: string;
  readonly type: "notice";
}

export type Answer = Accepted | Progress | Partial | Reply | Failed | Notice;
