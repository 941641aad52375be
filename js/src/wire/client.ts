/** The kernel's requests as methods; written by `python -m circuit_widget.widget.frontend_types`. */

import type {
  CompareBody,
  ControlsBody,
  ForgetBody,
  InterveneBody,
  RecallBody,
  RenameBody,
  RepeatBody,
} from "./experiment-messages";
import type {
  CancelBody,
  CardBody,
  CheckNodesBody,
  CodeBody,
  DisplayGraphBody,
  Empty,
  FigureBody,
  RetraceBody,
} from "./messages";
import type { Send, SendOptions } from "./rpc";
import type { AlignBody, GenerateBody, SweepBody, ValidateBody } from "./study-messages";

/** The kernel's requests, one method each; the second argument of `send` is the request's label. */
export function client(send: Send) {
  return {
    /** Answer, which shows that the kernel is there. */
    ping: (body: Empty, options?: SendOptions<"ping">) => send("ping", "Connection", body, options),
    /** Run the model under interventions, and display their effect. */
    intervene: (body: InterveneBody, options?: SendOptions<"intervene">) =>
      send("intervene", "Experiment", body, options),
    /** Run the intervention of an experiment on random features, and display that beside its effect. */
    controls: (body: ControlsBody, options?: SendOptions<"controls">) => send("controls", "Controls", body, options),
    /** Display an earlier experiment. */
    recall: (body: RecallBody, options?: SendOptions<"recall">) => send("recall", "Experiment", body, options),
    /** Run an earlier experiment again, also one that another process kept, and display its effect as a new one. */
    repeat: (body: RepeatBody, options?: SendOptions<"repeat">) => send("repeat", "Experiment", body, options),
    /** Return an experiment beside another. */
    compare: (body: CompareBody, options?: SendOptions<"compare">) => send("compare", "Comparison", body, options),
    /** Give an experiment another name. */
    rename: (body: RenameBody, options?: SendOptions<"rename">) => send("rename", "Rename", body, options),
    /** Delete an experiment. */
    forget: (body: ForgetBody, options?: SendOptions<"forget">) => send("forget", "Delete", body, options),
    /** Put an empty circuit and history in place of those of the last run. */
    start_afresh: (body: Empty, options?: SendOptions<"start_afresh">) =>
      send("start_afresh", "Start afresh", body, options),
    /** Put the circuit and the history back that were there before starting afresh. */
    bring_back: (body: Empty, options?: SendOptions<"bring_back">) => send("bring_back", "Bring back", body, options),
    /** Return the table of experiments as a CSV file. */
    table: (body: Empty, options?: SendOptions<"table">) => send("table", "Table of experiments", body, options),
    /** Align the positions of another prompt with those of this one. */
    align: (body: AlignBody, options?: SendOptions<"align">) => send("align", "Alignment", body, options),
    /** Run interventions over a range, and display the sweep. */
    sweep: (body: SweepBody, options?: SendOptions<"sweep">) => send("sweep", "Sweep", body, options),
    /** Let the model generate text as it is and under interventions, and display both. */
    generate: (body: GenerateBody, options?: SendOptions<"generate">) => send("generate", "Text", body, options),
    /** Ablate each box of the circuit in turn, and display how well the graph predicts the effects. */
    validate: (body: ValidateBody, options?: SendOptions<"validate">) => send("validate", "Validation", body, options),
    /** Trace again with some settings changed, and display the graph with what fits it of the circuit. */
    retrace: (body: RetraceBody, options?: SendOptions<"retrace">) => send("retrace", "Trace", body, options),
    /** Display the graph before or after the displayed one, with its circuit and its experiments. */
    display_graph: (body: DisplayGraphBody, options?: SendOptions<"display_graph">) =>
      send("display_graph", "Graph", body, options),
    /** Return what is known of a feature beyond this prompt, with what it promotes here. */
    card: (body: CardBody, options?: SendOptions<"card">) => send("card", "Feature card", body, options),
    /** Answer where the graph has all of some nodes of a circuit that is opened; else raise CircuitError. */
    check_nodes: (body: CheckNodesBody, options?: SendOptions<"check_nodes">) =>
      send("check_nodes", "Circuit", body, options),
    /** Return a figure of what the widget displays, as a file. */
    figure: (body: FigureBody, options?: SendOptions<"figure">) => send("figure", "Figure", body, options),
    /** Return the circuit, or the trace with the circuit and all experiments, as Python lines. */
    code: (body: CodeBody, options?: SendOptions<"code">) => send("code", "Code", body, options),
    /** Return what the widget displays as one HTML file that opens without a kernel. */
    html: (body: Empty, options?: SendOptions<"html">) => send("html", "HTML file", body, options),
    /** Stop another request. */
    cancel: (body: CancelBody, options?: SendOptions<"cancel">) => send("cancel", "Cancel", body, options),
  };
}

export type Client = ReturnType<typeof client>;
