/** In the graphs of how many prompts that mean the same a node is. */

import type { NodeId, PromptStabilityMessage } from "../messages/types";
import { KIND } from "./constants";
import type { Snapshot } from "./types";

export interface InPrompts {
  readonly prompts: readonly string[];
  /** By id without position. */
  readonly kept: ReadonlyMap<string, number>;
}

export function inPrompts(message: PromptStabilityMessage | null | undefined): InPrompts | null {
  if (message === null || message === undefined) return null;
  return { prompts: message.prompts, kept: new Map(message.ids.map((id, at) => [id, message.kept[at]])) };
}

/** The number of prompts in whose graphs a feature or an error is, wherever in the prompt; null for tokens and outputs. */
export function promptsOf({ kept }: InPrompts, { kind, ids }: Snapshot, node: number): number | null {
  if (kind[node] !== KIND.feature && kind[node] !== KIND.error) return null;
  return kept.get(withoutPosition(ids[node])) ?? 0;
}

function withoutPosition(id: NodeId): string {
  return id.slice(0, id.lastIndexOf("_"));
}
