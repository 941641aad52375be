/** The strongest paths between nodes, into them or out of them, which the kernel finds over the whole graph. */

import type { PathMessage } from "../messages/graph-messages";
import type { NodeId } from "../messages/types";
import type { Store } from "./store";

export interface FoundPaths {
  /** What the paths are, and what all such paths have together, in words. */
  readonly title: string;
  readonly whole: string;
  /** The strongest first. */
  readonly paths: readonly PathMessage[];
}

/** A node or a supernode as an end of paths. */
export interface End {
  readonly name: string;
  readonly nodes: readonly NodeId[];
}

/** How many paths a person can read: between two ends, and, since these are short, into or out of one. */
const BETWEEN = 5;
const AROUND = 12;

/** Has the kernel find the strongest paths between two ends, or those of two edges into or out of one; shows them. */
export async function findPaths(store: Store, source: End | null, target: End | null): Promise<void> {
  const k = source !== null && target !== null ? BETWEEN : AROUND;
  const reply = await store.kernel.paths({ sources: source?.nodes ?? [], targets: target?.nodes ?? [], k });
  if (reply !== null) store.paths.value = { ...wordsOf(source, target), paths: reply.body.paths };
}

function wordsOf(source: End | null, target: End | null): Pick<FoundPaths, "title" | "whole"> {
  if (source === null) return { title: `what feeds ${target?.name}`, whole: "its input" };
  if (target === null) return { title: `what ${source.name} feeds`, whole: "its influence" };
  return { title: `from ${source.name} to ${target.name}`, whole: "the influence over all paths" };
}

/** All nodes on some paths. */
export function nodesOf(found: FoundPaths | null): readonly NodeId[] {
  return found?.paths.flatMap(({ nodes }) => nodes) ?? [];
}

/** What is selected, if that is two nodes or supernodes: first the one further from the outputs. */
export function selectedPair(store: Store): readonly [End, End] | null {
  const { snapshot } = store;
  const selected = store.selected.value;
  const boxes = store.boxes.value.filter(
    ({ name, nodes }) => name !== null && nodes.every((node) => selected.includes(node)),
  );
  const grouped = boxes.flatMap(({ nodes }) => nodes);
  const ends = [
    ...boxes.map(({ name, nodes }) => ({ name: name ?? "", nodes })),
    ...selected.filter((id) => !grouped.includes(id)).map((id) => ({ name: store.nameOf(id), nodes: [id] })),
  ];
  if (ends.length !== 2) return null;
  const height = ({ nodes }: End) =>
    nodes.reduce((sum, id) => sum + (snapshot.layer[snapshot.index.get(id) ?? -1] ?? 0), 0) / nodes.length;
  const [one, other] = ends;
  return height(one) <= height(other) ? [one, other] : [other, one];
}
