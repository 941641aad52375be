/** Changes the filters of the map; each change is one undoable step. */

import { filter } from "../core/circuit";
import { KIND } from "../core/constants";
import type { Unchecked } from "../core/filters";
import type { NodeId } from "../messages/types";
import type { Store } from "./store";

/** Sets some filters; undefined removes one. */
export function changeFilters(store: Store, changes: Unchecked): void {
  const step = `filter by ${Object.keys(changes).map(wordOf).join(", ")}`;
  store.actions.edit((circuit) => filter(circuit, { ...circuit.filters, ...changes }), step);
}

/** Hides nodes by hand; those of the circuit and outputs stay. What is selected stays visible, so they no longer are. */
export function hideNodes(store: Store, nodes: readonly NodeId[]): void {
  const hidden = [...(store.circuit.value.filters?.hidden ?? []), ...nodes];
  store.actions.edit(
    (circuit) => filter(circuit, { ...circuit.filters, hidden }),
    `hide ${nodes.length === 1 ? store.nameOf(nodes[0]) : `${nodes.length} nodes`}`,
  );
  store.actions.select([], "replace");
}

/** Those of some nodes that can be hidden. */
export function hideable({ snapshot, circuit, supernodeOf }: Store, nodes: readonly NodeId[]): readonly NodeId[] {
  return nodes.filter(
    (id) =>
      snapshot.kind[snapshot.index.get(id) ?? -1] !== KIND.logit &&
      !circuit.value.pinned.includes(id) &&
      !supernodeOf.value.has(id),
  );
}

function wordOf(name: string): string {
  return { error_bands: "errors", sign: "sign of edges" }[name] ?? name;
}
