/** Finds nodes by what people call them. */

import type { NodeId } from "../messages/types";
import { KIND } from "./constants";
import type { Snapshot } from "./types";

/**
 * The nodes whose name, token, or id contains every word of the query, the most influential first,
 * those whose name begins with it before the others. An empty query finds nothing.
 */
export function searchNodes(
  snapshot: Snapshot,
  nameOf: (node: NodeId) => string,
  query: string,
  limit: number,
): NodeId[] {
  const wanted = query.trim().toLowerCase();
  if (wanted === "") return [];
  const words = wanted.split(/\s+/);
  const found: { node: number; begins: boolean }[] = [];
  for (const [node, id] of snapshot.ids.entries()) {
    const name = nameOf(id).toLowerCase();
    const text = `${name} ${tokenOf(snapshot, node)} ${id}`.toLowerCase();
    if (words.every((word) => text.includes(word))) found.push({ node, begins: name.startsWith(wanted) });
  }
  const { influence } = snapshot;
  found.sort((a, b) => Number(b.begins) - Number(a.begins) || influence[b.node] - influence[a.node]);
  return found.slice(0, limit).map(({ node }) => snapshot.ids[node]);
}

function tokenOf(snapshot: Snapshot, node: number): string {
  if (snapshot.kind[node] === KIND.logit) return "";
  return snapshot.tokens[snapshot.nodePosition[node]]?.text ?? "";
}
