/** What nodes are called. */

import { type Circuit, KIND, type Snapshot } from "../core/types";
import type { NodeId } from "../wire/types";
import { tokenAt, tokenText } from "./words";

/** The user's label, else the graph's, else what kind of node it is. A node the snapshot lacks goes by its id. */
export function nodeName(snapshot: Snapshot, circuit: Circuit, id: NodeId): string {
  const node = snapshot.index.get(id);
  const label = circuit.labels[id] ?? (node === undefined ? undefined : snapshot.labels.get(node));
  if (label !== undefined) return label;
  if (node === undefined) return id;
  switch (snapshot.kind[node]) {
    case KIND.token:
      return tokenAt(snapshot, snapshot.nodePosition[node]);
    case KIND.logit:
      return tokenText(snapshot.targets.find((target) => target.node === node)?.token ?? id);
    case KIND.error:
      return "error";
    default:
      return `feature ${snapshot.feature[node]}`;
  }
}
