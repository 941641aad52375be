/** Changes the filters of the map; each change is one undoable step. */

import { filter } from "../core/circuit";
import type { Unchecked } from "../core/filters";
import type { Store } from "./store";

/** Sets some filters; undefined removes one. */
export function changeFilters(store: Store, changes: Unchecked): void {
  const step = `filter by ${Object.keys(changes).map(wordOf).join(", ")}`;
  store.actions.edit((circuit) => filter(circuit, { ...circuit.filters, ...changes }), step);
}

function wordOf(name: string): string {
  return { error_bands: "errors", sign: "sign of edges" }[name] ?? name;
}
