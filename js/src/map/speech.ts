/** A node in words. */

import { KIND } from "../core/constants";
import type { Store } from "../store/store";
import type { NodeId } from "../wire/types";
import { identityOf, percent, probability } from "../wording/words";

/** What and where a node is, beside its name: "feature 1453 · layer 2 · at “is”". */
export function identity(store: Store, id: NodeId): string {
  const { snapshot } = store;
  const node = snapshot.index.get(id);
  if (node === undefined) return "";
  const name = store.nameOf(id);
  const target = snapshot.targets.find((candidate) => candidate.node === node);
  const parts =
    target === undefined ? identityOf(snapshot, node) : ["output", `probability ${probability(target.probability)}`];
  return parts.filter((part) => part !== name).join(" · ");
}

/** A node as a screen reader reads it. */
export function describe(store: Store, id: NodeId): string {
  const { snapshot } = store;
  const node = snapshot.index.get(id);
  if (node === undefined) return "";
  const parts = [store.nameOf(id), identity(store, id).replace(/ · /g, ", ")];
  if (snapshot.kind[node] !== KIND.logit) parts.push(`influence ${percent(snapshot.influence[node])}`);
  const supernode = store.supernodeOf.value.get(id);
  if (supernode !== undefined) parts.push(`in ${supernode.name}`);
  if (store.circuit.value.pinned.includes(id)) parts.push("pinned");
  if (store.selected.value.includes(id)) parts.push("selected");
  return parts.join(", ");
}
