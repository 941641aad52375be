/** A node in words. */

import { KIND, type NodeId } from "../core/types";
import { percent, probability, tokenAt } from "../core/words";
import type { Store } from "../store";

/** What and where a node is, beside its name: "feature 1453 · layer 2 · at “is”". */
export function identity(store: Store, id: NodeId): string {
  const name = store.nameOf(id);
  const parts = whatAndWhere(store, id);
  return (parts[0] === name ? parts.slice(1) : parts).join(" · ");
}

function whatAndWhere(store: Store, id: NodeId): string[] {
  const { snapshot } = store;
  const node = snapshot.index.get(id);
  if (node === undefined) return [];
  const token = `at “${tokenAt(snapshot, snapshot.nodePosition[node])}”`;
  const target = snapshot.targets.find((candidate) => candidate.node === node);
  switch (snapshot.kind[node]) {
    case KIND.token:
      return ["token", `position ${snapshot.nodePosition[node]}`];
    case KIND.logit:
      return ["output", `probability ${target === undefined ? "unknown" : probability(target.probability)}`];
    case KIND.error:
      return ["error", `layer ${snapshot.layer[node]}`, token];
    default:
      return [`feature ${snapshot.feature[node]}`, `layer ${snapshot.layer[node]}`, token];
  }
}

/** A node as a screen reader says it. */
export function describe(store: Store, id: NodeId): string {
  const { snapshot } = store;
  const node = snapshot.index.get(id);
  if (node === undefined) return "";
  const parts = [store.nameOf(id), identity(store, id).replace(/ · /g, ", ")];
  if (snapshot.kind[node] !== KIND.logit) parts.push(`influence ${percent(snapshot.influence[node])}`);
  const group = store.groupOf.value.get(id);
  if (group !== undefined) parts.push(`in ${group.name}`);
  if (store.circuit.value.pinned.includes(id)) parts.push("pinned");
  if (store.selected.value.includes(id)) parts.push("selected");
  return parts.join(", ");
}
