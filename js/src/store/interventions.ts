/** Running experiments: which nodes can be changed, their names, and interventions alone or beside others. */

import { KIND } from "../core/constants";
import type { Snapshot } from "../core/types";
import type { InterventionJson, Mode, NodeId } from "../messages/types";
import { commonName } from "../wording/words";
import { modeOf } from "./mode";
import type { Store } from "./store";

const sameNodes = (a: readonly NodeId[], b: readonly NodeId[]): boolean =>
  a.length === b.length && a.every((node) => b.includes(node));

/** What of some nodes can be ablated, scaled and swapped: all but logits. */
export function changeableOf(snapshot: Snapshot, nodes: readonly NodeId[]): readonly NodeId[] {
  return nodes.filter((id) => snapshot.kind[snapshot.index.get(id) ?? -1] !== KIND.logit);
}

/** The features among some nodes: they alone have activations, and can be set and added to. */
export function featuresOf(snapshot: Snapshot, nodes: readonly NodeId[]): readonly NodeId[] {
  return nodes.filter((id) => {
    const node = snapshot.index.get(id);
    // The ids of nodes that the snapshot lacks distinguish errors from features.
    return node === undefined ? !id.includes("_-1_") : snapshot.kind[node] === KIND.feature;
  });
}

/** The same with features named at every position, as the kernel reads them; errors and tokens stay where they are. */
export function everywhere(snapshot: Snapshot, nodes: readonly NodeId[]): readonly NodeId[] {
  const features = new Set(featuresOf(snapshot, nodes));
  return [...new Set(nodes.map((id) => (features.has(id) ? id.replace(/\d+$/, "*") : id)))];
}

/** The name of the changed nodes: of the box with these nodes or features, here or everywhere, else their commonest name. */
export function whoOf(store: Store, nodes: readonly NodeId[]): string {
  const { snapshot } = store;
  for (const box of store.boxes.value) {
    const name = box.name ?? store.nameOf(box.id);
    for (const some of [box.nodes, changeableOf(snapshot, box.nodes), featuresOf(snapshot, box.nodes)]) {
      if (sameNodes(some, nodes)) return name;
      // As it was requested, or as the kernel lists it, position by position.
      const wide = everywhere(snapshot, some);
      const spelled = some.every((node) => nodes.includes(node)) && sameNodes(wide, everywhere(snapshot, nodes));
      if (sameNodes(wide, nodes) || spelled) return `${name} everywhere`;
    }
  }
  const name = commonName(nodes, store.nameOf);
  return nodes.length > 1 ? `${name} and ${nodes.length - 1} more` : name;
}

/** Runs interventions in the view's mode; none at all takes the effect away. */
export function run(store: Store, interventions: readonly InterventionJson[], mode?: Mode): Promise<void> {
  if (mode !== undefined) modeOf(store).value = mode;
  if (interventions.length === 0) {
    store.actions.clearEffect();
    return Promise.resolve();
  }
  store.panel.value = "effect";
  return store.actions.intervene(interventions, modeOf(store).value);
}

/** Runs an intervention alone, or beside those of the displayed effect; it replaces any on the same nodes. */
export function intervene(store: Store, intervention: InterventionJson, together: boolean): Promise<void> {
  const others = together ? (store.effect.value?.interventions ?? []) : [];
  const apart = others.filter((other) => !other.nodes.some((node) => intervention.nodes.includes(node)));
  return run(store, [...apart, intervention]);
}
