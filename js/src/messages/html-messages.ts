/** Messages between page and kernel; written by `python -m circuit_widget.widget.frontend_types`. */

import type { ComparedToken, EffectMessage } from "./experiment-messages";
import type { Card } from "./graph-messages";

/** The likely tokens of an experiment beside another; its activations are those of the experiment itself. */
export interface RecordedComparison {
  readonly id: number;
  readonly beside: number;
  readonly tokens: readonly ComparedToken[];
}

/** The content of an HTML file: traits by name, with binary columns as base64; recorded experiments; feature cards.

    `table` is the table of the experiments as CSV; `name` is that of files that are saved from the page, without ending.
     */
export interface HtmlContent {
  readonly version: number;
  readonly traits: Readonly<Record<string, unknown>>;
  readonly effects: readonly EffectMessage[];
  readonly comparisons: readonly RecordedComparison[];
  readonly cards: readonly Card[];
  readonly table: string;
  readonly name: string;
}
