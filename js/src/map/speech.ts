/** A node in words. */

import { KIND } from "../core/constants";
import { type BandRange, openedBy, rankedIn, strongestIn } from "../core/open-bands";
import type { Circuit, Snapshot } from "../core/types";
import type { NodeId } from "../messages/types";
import type { Store } from "../store/store";
import { shortened } from "../text/characters";
import { printable } from "../text/width";
import { identityOf, kindsWord, layersBetween, percent, probability } from "../wording/words";

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

/** Most characters of a band's tokens that its description quotes. */
const QUOTED = 120;

/** What a band of the map hides: "layers 3–5: none of 40 nodes is visible". */
export function bandText(snapshot: Snapshot, band: BandRange): string {
  const count = rankedIn(snapshot, band).length;
  // The page has the strongest nodes of a large graph.
  const part = snapshot.ids.length < snapshot.totalNodes;
  if (count === 0) return `${bandName(snapshot, band)}: ${part ? "none of its nodes is visible" : "no nodes"}`;
  return `${bandName(snapshot, band)}: none of ${part ? "at least " : ""}${count.toLocaleString("en")} nodes is visible`;
}

/** What is in a band: "layers 3–5", or "34 tokens, positions 12–45, “walked to the”". */
function bandName(snapshot: Snapshot, { of, first, last }: BandRange): string {
  if (of === "layers") return layersBetween(snapshot, first, last);
  const texts = snapshot.tokens.slice(first, last + 1).map(({ text }) => text);
  const quoted = printable(shortened(texts.join("").trim(), QUOTED));
  return `${(last - first + 1).toLocaleString("en")} tokens, positions ${first}–${last}, “${quoted}”`;
}

/** Whether an opened band has something to show. */
export function opens({ snapshot, circuit }: Store, band: BandRange): boolean {
  return openedBy(snapshot, circuit.value, band).length > 0;
}

/** What opening a band shows: "its 12 strongest nodes, all of them other neurons", "its tokens and its strongest node". */
export function showsOnOpening(snapshot: Snapshot, circuit: Circuit, band: BandRange): string {
  const strongest = strongestIn(snapshot, circuit, band);
  const tokens = band.of === "positions" ? "its tokens" : "";
  if (strongest.length === 0) return tokens;
  const errors = strongest.every((node) => snapshot.kind[node] === KIND.error);
  const many = strongest.length > 1;
  const nodes = many ? `its ${strongest.length} strongest nodes` : "its strongest node";
  const kind = many ? `, all of them ${kindsWord(snapshot, "error")}` : `, one of the ${kindsWord(snapshot, "error")}`;
  return `${tokens && `${tokens} and `}${nodes}${errors ? kind : ""}`;
}

/** What a closed band is, and why it does not open if it does not. */
export function closedText(store: Store, band: BandRange): string {
  const hides = opens(store, band) || rankedIn(store.snapshot, band).length === 0 ? "" : "; filters hide all of them";
  return `${bandText(store.snapshot, band)}${hides}`;
}

/** What an open band is: "layers 3–5: open, with its 12 strongest nodes". */
export function openText({ snapshot, circuit }: Store, band: BandRange): string {
  const strongest = showsOnOpening(snapshot, circuit.value, band);
  return `${bandName(snapshot, band)}: open${strongest && `, with ${strongest}`}`;
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
