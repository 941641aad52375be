/** Messages between page and kernel; written by `python -m circuit_widget.widget.frontend_types`. */

/** Request for what is known of a feature beyond this prompt. */
export interface CardBody {
  readonly node: string;
}

/** Request for the `k` strongest paths between nodes; no sources, or no targets, for two edges into or out of them. */
export interface PathsBody {
  readonly sources: readonly string[];
  readonly targets: readonly string[];
  readonly k: number;
}

/** Nodes from source to target, the signed share of input that each edge between them is, and that of all such paths. */
export interface PathMessage {
  readonly nodes: readonly string[];
  readonly edges: readonly number[];
  readonly share: number;
}

/** The strongest paths, strongest first. */
export interface PathsReply {
  readonly paths: readonly PathMessage[];
}

/** Request whether the graph has nodes, which a circuit that was opened names and the page does not have. */
export interface CheckNodesBody {
  readonly nodes: readonly string[];
}

/** Request for Python lines: of the circuit on its graph, or of the trace, the circuit and all experiments. */
export interface CodeBody {
  readonly what: "circuit" | "everything";
}

/** Python lines. */
export interface CodeReply {
  readonly code: string;
}

/** Request for a figure of what the widget displays; the width is in inches. */
export interface FigureBody {
  readonly format: "svg" | "pdf" | "png";
  readonly width: 3.25 | 5.5 | 6.75;
  readonly part: "map" | "circuit" | "both" | "intervention";
  readonly theme: "paper" | "slides" | "grey";
}

/** The edges between boxes of a circuit, with weak ones counted that the page does not have.

    `number` is that of the graph. `boxes` are the nodes of each box, and `outside` the part of its nodes' input that comes from
    outside the box, summed over them. `source` and `target` are indices of boxes, `share` is the signed share of the target's
    input from outside.
     */
export interface BoxEdgesMessage {
  readonly number: number;
  readonly boxes: readonly (readonly string[])[];
  readonly outside: readonly number[];
  readonly source: readonly number[];
  readonly target: readonly number[];
  readonly share: readonly number[];
}

/** A proposed group, with the reason in a sentence and the evidence in numbers; without a name, a node to pin. */
export interface ProposalMessage {
  readonly name: string | null;
  readonly nodes: readonly string[];
  readonly reason: string;
  readonly evidence: string;
}

/** What the circuit has not: groups, the most influential first, then tokens and outputs. */
export interface ProposalsMessage {
  readonly proposals: readonly ProposalMessage[];
}

/** Request for the stability of the graph over prompts that mean the same. */
export interface OtherWordsBody {
  readonly prompts: readonly string[];
}

/** In the graphs of how many of some prompts nodes are, by their ids without positions; in no graph where they are not listed. */
export interface PromptStabilityMessage {
  readonly prompts: readonly string[];
  readonly ids: readonly string[];
  readonly kept: readonly number[];
}

/** Request for another trace; None stands for what stays, and `TraceChanges` says what else is kept.

    `token` is the id of a target, with `other` of their contrast. `token_position` is that of a token of the prompt which is
    the target.
     */
export interface RetraceBody {
  readonly prompt?: string | null;
  readonly token?: number | null;
  readonly other?: number | null;
  readonly token_position?: number | null;
  readonly max_features?: number | null;
}

/** Request to display the graph before or after the displayed one. */
export interface DisplayGraphBody {
  readonly to: "earlier" | "later";
}

/** A piece of text and the feature's activation at each of its tokens. */
export interface CardExample {
  readonly tokens: readonly string[];
  readonly activations: readonly number[];
}

/** Examples of a range of activations, and the share of all activations that is in it; or a group with a name. */
export interface CardLevel {
  readonly least: number;
  readonly most: number;
  readonly share: number | null;
  readonly examples: readonly CardExample[];
  readonly name: string | null;
}

/** How many tokens have which activation: bin `i` begins at `least + i * width`. */
export interface CardHistogram {
  readonly least: number;
  readonly width: number;
  readonly counts: readonly number[];
}

/** A token that a feature promotes or suppresses, with its direct effect on the token's logit. */
export interface CardToken {
  readonly token: string;
  readonly logit: number;
}

/** A query, a key or a pair of both: ids and labels, empty for none; ids of the file for what is no node. */
export interface CardContributor {
  readonly query: string;
  readonly key: string;
  readonly query_label: string;
  readonly key_label: string;
  readonly attribution: number;
}

/** What contributes to the attention scores of a feature, strongest first; `total` is how many its file lists. */
export interface CardContributors {
  readonly side: "pair" | "query" | "key";
  readonly total: number;
  readonly rows: readonly CardContributor[];
}

/** What is known of a feature beyond this prompt.

    `negative` is whether its tokens are those of a negative activation. `first_token` is whether the node is at the first
    token of its prompt, which the histogram leaves out.
     */
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
  readonly negative: boolean;
  readonly first_token: boolean;
  readonly minimum: number | null;
  readonly mean: number | null;
  readonly lowest: readonly CardExample[];
  readonly levels: readonly CardLevel[];
  readonly histogram: CardHistogram | null;
  readonly origin: string | null;
  readonly label_origin: string | null;
  readonly label_is_automatic: boolean;
  readonly contributors: readonly CardContributors[];
}

/** A file's name and media type; its bytes are the reply's one buffer. */
export interface FileReply {
  readonly filename: string;
  readonly mime: string;
}

/** What the kernel can do for this graph; `why_not` is the reason why interventions are not possible.

    `recorded` is true in an HTML file for readers, which has recorded experiments and no kernel.
     */
export interface Capabilities {
  readonly intervene: boolean;
  readonly why_not: string;
  readonly figure: boolean;
  readonly recorded: boolean;
}

/** What undo takes back where it displays the earlier graph, and what redo brings back, in words; None for nothing. */
export interface GraphSteps {
  readonly earlier: string | null;
  readonly later: string | null;
}

/** A supernode that came along from another graph under a name that may not fit any more, and why. */
export interface DoubtfulName {
  readonly supernode: string;
  readonly name: string;
  readonly reason: string;
}

/** Where the circuit and the history are kept: a file's name, and a sentence; one click does `step`. */
export interface Kept {
  readonly file: string | null;
  readonly sentence: string;
  readonly step: "start_afresh" | "bring_back" | null;
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

/** A target token; `node` is the index of its logit, whose value is None where the graph does not have it. */
export interface SnapshotTarget {
  readonly node: number;
  readonly token: string;
  readonly token_id: number;
  readonly probability: number;
  readonly logit: number | null;
}

/** The names of what the graph was traced with; empty where they are not known. */
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

/** The thresholds of a circuit that has none of its own. */
export interface SnapshotThresholds {
  readonly node: number;
  readonly edge: number;
}

/** One number for each node, or for each edge: little-endian, of this type. */
export interface SnapshotColumn {
  readonly dtype: "uint8" | "uint16" | "int16" | "int32" | "uint32" | "float32";
  readonly data: DataView;
}

/** A graph: labels are by node index, edges in the order of their targets, each of which has `inputs` of them.

    The prompt is its text as it was typed, or empty where that is not known.
    `prunings` is their number, in which nodes and edges stay or not; 0 where their stability is not known.
    `error_influence` is the share of the summed influence that errors have.

    `basis` is what the features are: of transcoders, or neurons of the model. `layer_names` is empty where the layers are
    those of the model, and else has one for each. `number` tells the graphs that one widget displays apart.
    `max_features` is how many features the graph was traced with at most, None for no limit.
     */
export interface SnapshotMessage {
  readonly version: number;
  readonly basis: "features" | "neurons";
  readonly n_layers: number;
  readonly layer_names: readonly string[];
  readonly position: number;
  readonly prompt: string;
  readonly tokens: readonly SnapshotToken[];
  readonly targets: readonly SnapshotTarget[];
  readonly model: SnapshotModel;
  readonly scores: SnapshotScores;
  readonly thresholds: SnapshotThresholds;
  readonly error_influence: number;
  readonly prunings: number;
  readonly total_nodes: number;
  readonly total_edges: number;
  readonly ids: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly columns: Readonly<Record<string, SnapshotColumn>>;
  readonly number: number;
  readonly max_features?: number | null;
}

/** Another graph beside the displayed one, and which nodes are the same: ids here and there, in the same order.

    Counts are of features. `overlap` is that of their influence, from 0 to 1. `notes` are what is to be kept in mind.
     */
export interface OtherGraphMessage {
  readonly snapshot: SnapshotMessage;
  readonly here: readonly string[];
  readonly there: readonly string[];
  readonly both: number;
  readonly only_here: number;
  readonly only_there: number;
  readonly overlap: number;
  readonly notes: readonly string[];
}
