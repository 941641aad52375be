/** What nodes are called. */

import { KIND } from "../core/constants";
import type { Circuit, Snapshot } from "../core/types";
import type { NodeId } from "../messages/types";
import { printable } from "../text/width";
import { kindWord, tokenAt, tokenText } from "./words";

/** The user's label, else the graph's, else an empty text. */
export function nodeLabel(snapshot: Snapshot, { labels }: Pick<Circuit, "labels">, id: NodeId): string {
  return printable(labels[id] || snapshot.labels.get(snapshot.index.get(id) ?? -1) || "");
}

/** The user's label, else the graph's, else what the node is; the snapshot may lack it. */
export function nodeName(snapshot: Snapshot, circuit: Circuit, id: NodeId): string {
  const node = snapshot.index.get(id);
  const label = nodeLabel(snapshot, circuit, id);
  if (label !== "") return label;
  if (node === undefined) return nameById(snapshot, id);
  switch (snapshot.kind[node]) {
    case KIND.token:
      return tokenAt(snapshot, snapshot.nodePosition[node]);
    case KIND.logit:
      return tokenText(snapshot.targets.find((target) => target.node === node)?.token ?? id);
    case KIND.error:
      return kindWord(snapshot, "error");
    default:
      return `${kindWord(snapshot, "feature")} ${snapshot.feature[node]}`;
  }
}

/** What a node is that the snapshot lacks: a feature or an error with little influence, for it has all others. */
function nameById(snapshot: Snapshot, id: NodeId): string {
  const [, index] = id.split("_");
  return index === "-1" ? kindWord(snapshot, "error") : `${kindWord(snapshot, "feature")} ${index}`;
}
