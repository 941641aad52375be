/** The names of requests; written by `python -m circuit_widget.widget.frontend_types`. */

import type { RequestName } from "./envelopes";

/** What each request is called on the page. */
export const REQUEST_LABELS: Readonly<Record<RequestName, string>> = {
  /** Answer, which shows that the kernel is there. */
  ping: "Connection",
  /** Run the model under interventions, and display their effect. */
  intervene: "Experiment",
  /** Run the intervention of an experiment on random features, and display that beside its effect. */
  controls: "Controls",
  /** Display an earlier experiment. */
  recall: "Experiment",
  /** Run an earlier experiment again, also one that another process kept, and display its effect as a new one. */
  repeat: "Experiment",
  /** Return an experiment beside another. */
  compare: "Comparison",
  /** Give an experiment another name. */
  rename: "Rename",
  /** Delete an experiment. */
  forget: "Delete",
  /** Put an empty circuit and history in place of those of the last run. */
  start_afresh: "Start afresh",
  /** Put the circuit and the history back that were there before starting afresh. */
  bring_back: "Bring back",
  /** Return the table of experiments as a CSV file. */
  table: "Table of experiments",
  /** Align the positions of another prompt with those of this one. */
  align: "Alignment",
  /** Run interventions over a range, and display the sweep. */
  sweep: "Sweep",
  /** Let the model generate text as it is and under interventions, and display both. */
  generate: "Text",
  /** Ablate each box of the circuit in turn, and display how well the graph predicts the effects. */
  validate: "Validation",
  /** Trace again with some settings changed, and display the graph with what fits it of the circuit. */
  retrace: "Trace",
  /** Display the graph before or after the displayed one, with its circuit and its experiments. */
  display_graph: "Graph",
  /** Display the graph before the displayed one beside it, with what is in both. */
  compare_earlier: "Comparison with the earlier graph",
  /** Trace prompts that mean the same, and display in the graphs of how many of them each node is. */
  other_words: "Other words",
  /** Return what is known of a feature beyond this prompt, with what it promotes here. */
  card: "Feature card",
  /** Return the strongest paths between nodes, into them or out of them, over all edges of the graph. */
  paths: "Paths",
  /** Answer where the graph has all of some nodes of a circuit that is opened; else raise CircuitError. */
  check_nodes: "Circuit",
  /** Propose groups of features that are in none yet, and the tokens and outputs that belong to a circuit. */
  propose: "Proposals",
  /** Return a figure of what the widget displays, as a file. */
  figure: "Figure",
  /** Return the circuit, or the trace with the circuit and all experiments, as Python lines. */
  code: "Code",
  /** Return the picture in the notebook as it was drawn last. */
  picture: "Picture in the notebook",
  /** Return what the widget displays as one HTML file that opens without a kernel. */
  html: "HTML file",
  /** Stop another request. */
  cancel: "Cancel",
};
