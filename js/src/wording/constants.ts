/** Words of screen and kernel, and what is worth a word; written by `python -m tools.generate_frontend`. */

/** The modes by name, and what each freezes. */
export const MODES = [
  { mode: "total", name: "total", frozen: "nothing frozen" },
  { mode: "frozen_attention", name: "frozen attention", frozen: "attention patterns frozen" },
  { mode: "direct", name: "direct", frozen: "attention, norms and every other MLP output frozen" },
] as const;

/** What a range of layers as a mode freezes. */
export const RANGE_FROZEN = "MLP outputs of a range of layers frozen";

export const NO_NUMBER = "–";

/** Absolute value from which numbers have an exponent. */
export const LARGEST_FIXED = 1e21;

/** Probability below which two decimals are both 0. */
export const LIKELY = 0.005;

/** Change of a probability below which it counts as unchanged. */
export const VISIBLE_CHANGE = 0.005;

/** Change of an activation, as a share of what it was, up to which it counts as unchanged. */
export const VISIBLE_SHARE = 0.05;

/** How features came to be active that are another prompt's. */
export const SWAPPED_IN = "swapped in";

/** How features came to be active that were not, where a value was set or added. */
export const MADE_ACTIVE = "made active";

/** Share of activation, or of probability, below which a box is faded. */
export const FADED_BELOW = 0.3;

export const MOST_NEW_ANSWERS = 2;

/** The least probability of a new answer, as a share of that of the likeliest token after the intervention. */
export const NEW_ANSWER_SHARE = 0.5;

/** Probability from which an output besides the graph's first belongs in a circuit: pinned by a proposal, or as a new answer. */
export const OUTPUT_LEAST = 0.1;

export const LONGEST_LAYER_NAME = 24;

/** What features and errors are called, by the basis of a graph. */
export const BASIS_WORDS = {
  features: { feature: "feature", error: "error" },
  neurons: { feature: "neuron", error: "other neurons" },
} as const;

/** What to keep in mind of an effect that a graph predicts, by its basis. */
export const BASIS_CAUTIONS = {
  features: "",
  neurons: "predicted indirect effects may have the wrong sign",
} as const;
