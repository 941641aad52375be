/** A node in words. */

import { KIND } from "../core/constants";
import { type Layers, strongestIn } from "../core/opened";
import type { Snapshot } from "../core/types";
import type { Store } from "../store/store";
import type { NodeId } from "../wire/types";
import { identityOf, layersBetween, percent, probability } from "../wording/words";

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

/** What a band of the map hides: "layers 3–5: none of 40 nodes is visible". */
export function bandText(snapshot: Snapshot, { first, last }: Layers): string {
  const { ids, kind, layer, totalNodes } = snapshot;
  const inBand = (node: number) => kind[node] === KIND.feature || kind[node] === KIND.error;
  const count = ids.filter((_, node) => inBand(node) && layer[node] >= first && layer[node] <= last).length;
  // The page has the strongest nodes of a large graph.
  const atLeast = ids.length < totalNodes ? "at least " : "";
  return `${layersBetween(snapshot, first, last)}: none of ${atLeast}${count.toLocaleString("en")} nodes is visible`;
}

/** Whether an opened band has nodes to show. */
export function opens(store: Store, layers: Layers): boolean {
  return strongestIn(store.snapshot, store.circuit.value, layers).length > 0;
}

/** What an open band is: "layers 3–5: the strongest nodes are visible". */
export function openText(snapshot: Snapshot, { first, last }: Layers): string {
  return `${layersBetween(snapshot, first, last)}: the strongest nodes are visible`;
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
