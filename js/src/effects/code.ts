/** An effect as the Python lines that produce it again. */

import type { EffectMessage, InterventionJson, NodeId, Snapshot } from "../core/types";
import { rangeOf } from "./mode-select";

/** A Python string literal; JSON's escapes are Python's too, and no line break is left in it. */
const literal = (text: string): string => JSON.stringify(text);

const list = (nodes: readonly NodeId[]): string => `[${nodes.map(literal).join(", ")}]`;

function call(intervention: InterventionJson): string {
  const nodes = list(intervention.nodes);
  switch (intervention.kind) {
    case "ablate":
      return `cw.Ablate(${nodes})`;
    case "scale":
      return `cw.Scale(${nodes}, ${intervention.factor})`;
    case "set":
      return `cw.Set(${nodes}, ${JSON.stringify(intervention.value)})`;
    case "add":
      return `cw.Add(${nodes}, ${JSON.stringify(intervention.value)})`;
    case "swap_in": {
      const features = intervention.features ? `, features=${list(intervention.features)}` : "";
      return `cw.SwapIn(${nodes}, ${literal(intervention.prompt)}${features})`;
    }
  }
}

function modeArgument(mode: string): string {
  const range = rangeOf(mode);
  return range === null ? literal(mode) : `(${range[0]}, ${range[1]})`;
}

/** Loads the model, traces the prompt and intervenes, each with what this effect had. */
export function pythonLines(snapshot: Snapshot, effect: EffectMessage): string {
  const { tokens, position, model } = snapshot;
  const ids = tokens.map((token) => token.token_id).join(", ");
  const place = position === tokens.length - 1 ? "" : `, position=${position}`;
  return [
    "import circuit_widget as cw",
    "",
    `model = cw.load(${literal(model.name)})`,
    `graph = model.trace([${ids}]${place})  # ${literal(tokens.map((token) => token.text).join(" "))}`,
    "effect = model.intervene(",
    "    graph,",
    "    [",
    ...effect.interventions.map((intervention) => `        ${call(intervention)},`),
    "    ],",
    `    mode=${modeArgument(effect.mode)},`,
    ")",
    "effect.tokens",
    "",
  ].join("\n");
}
