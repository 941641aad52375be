/** Which nodes are selected, and which of them, or which supernode, is inspected. */

import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { NodeId } from "../messages/types";
import type { Trait } from "../wire/traits";
import type { SelectMode } from "./store";

export interface NodeSelection {
  readonly selected: ReadonlySignal<readonly NodeId[]>;
  readonly inspected: ReadonlySignal<string | null>;
  select(ids: readonly string[], mode: SelectMode): void;
}

/** `supernodes` are the members by supernode id: a supernode is selected by selecting all of them. */
export function selection(
  trait: Trait<readonly NodeId[]>,
  supernodes: ReadonlySignal<ReadonlyMap<string, readonly NodeId[]>>,
): NodeSelection {
  const selected = trait.value;
  const last = signal<string | null>(null);

  const isSelected = (id: string) => {
    const members = supernodes.value.get(id) ?? [id];
    return members.every((node) => selected.value.includes(node));
  };

  return {
    selected,
    inspected: computed(() => {
      if (last.value !== null && isSelected(last.value)) return last.value;
      const nodes = selected.value;
      // What Python selected may be a supernode as a whole.
      for (const [id, members] of supernodes.value) if (members.length === nodes.length && isSelected(id)) return id;
      return nodes[nodes.length - 1] ?? null;
    }),
    select: (ids, mode) => {
      const nodes = [...new Set(ids.flatMap((id) => supernodes.value.get(id) ?? [id]))];
      last.value = ids[ids.length - 1] ?? null;
      const next = combine(selected.value, nodes, mode);
      if (next.length !== selected.value.length || next.some((id, index) => id !== selected.value[index])) {
        trait.write(next);
      }
    },
  };
}

function combine(before: readonly NodeId[], nodes: readonly NodeId[], mode: SelectMode): readonly NodeId[] {
  const others = before.filter((id) => !nodes.includes(id));
  if (mode === "replace") return nodes;
  if (mode === "toggle" && nodes.every((id) => before.includes(id))) return others;
  return [...others, ...nodes];
}
