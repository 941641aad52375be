/** Codes and limits of the kernel; written by `python -m tools.generate_frontend`. */

/** The kinds of nodes by their codes in a snapshot. */
export const KIND = {
  feature: 0,
  error: 1,
  token: 2,
  logit: 3,
} as const;

/** The kinds of nodes, in the order of their codes. */
export const KIND_NAMES = ["feature", "error", "token", "logit"] as const;

/** Number of hues that supernodes have. */
export const COLORS = 6;

export const LONGEST_NAME = 80;

export const LONGEST_NODE = 64;

/** The largest number of entries in any list of a circuit. */
export const MOST_ENTRIES = 20000;

/** Most characters in the name of an experiment. */
export const LONGEST_EXPERIMENT_NAME = 200;

/** The kinds of nodes that filters can hide; outputs, which the graph explains, stay. */
export const FILTERED_KINDS = ["feature", "error", "token"] as const;

/** The signs that filters can leave visible: of edges with a positive weight, and with a negative one. */
export const SIGNS = ["excites", "inhibits"] as const;

/** The largest number of a layer or position that a filter names. */
export const LARGEST_BOUND = 32767;

/** Share of influence that visible nodes have at first, where that is not too much to read. */
export const NODE_THRESHOLD = 0.8;

/** Share of edge score that visible edges have at first, where that is not too much to read. */
export const EDGE_THRESHOLD = 0.98;

/** Tokens whose strongest edge is visible though it is beyond the threshold: of a long prompt, all of them are a fog. */
export const TOKEN_EDGES = 20;

/** A prompt with more tokens hides those at whose positions nothing else is visible and that have no visible edge. */
export const LONG_PROMPT = 24;

/** Positions in a row without visible nodes that the map draws as one band; fewer have no column. */
export const LEAST_RUN = 3;

/** Share of a box's input below which its input from outside counts as rounding error. */
export const LEAST_OUTSIDE = 1e-6;

/** The `format` of the file that keeps a widget's circuit and experiments. */
export const WORK_FORMAT = "circuit-widget work";

/** Version of the file that keeps a widget's circuit and experiments; the first version is a circuit by itself. */
export const WORK_VERSION = 2;

/** The name of the group of examples whose peak is at the first token of a text, or of a part of a long one. */
export const AT_FIRST_TOKENS = "first tokens";
