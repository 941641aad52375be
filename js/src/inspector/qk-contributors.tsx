import { useSignal } from "@preact/signals";
import { Button } from "../controls/button";
import type { Card } from "../messages/types";
import type { Store } from "../store/store";
import { printable } from "../text/width";
import { decimal, placeOf } from "../wording/words";
import { More } from "./more";

type Contributors = Card["contributors"][number];
type Contributor = Contributors["rows"][number];

const SHORT = 3;

const TITLES = {
  pair: "query and key",
  query: "query, with all keys",
  key: "key, with all queries",
} as const;

interface Props {
  readonly store: Store;
  readonly contributors: readonly Contributors[];
}

/** What contributes to the score with which a feature of attention attends, as the graph's file lists it. */
export function QkContributors({ store, contributors }: Props) {
  return (
    <section data-test="qk-contributors">
      <h3 title="what the file of this graph says of the attention scores; no edge of the map stands for it">
        attends by (QK)
        <span class="note">kept, not drawn</span>
      </h3>
      {contributors.map((listed) => (
        <Side key={listed.side} store={store} listed={listed} />
      ))}
    </section>
  );
}

function Side({ store, listed }: { store: Store; listed: Contributors }) {
  const whole = useSignal(false);
  const { side, total, rows } = listed;
  const all = rows.length < total ? `${rows.length} of ${total}` : `all ${total}`;
  return (
    <div class="qk" data-test="qk-side" data-side={side}>
      <p class="scale">
        {TITLES[side]}
        {rows.length > SHORT && <More whole={whole} all={all} title={TITLES[side]} />}
      </p>
      {(whole.value ? rows : rows.slice(0, SHORT)).map((row, at) => (
        <Row key={at} store={store} row={row} />
      ))}
    </div>
  );
}

function Row({ store, row }: { store: Store; row: Contributor }) {
  return (
    <p class={`pair ${row.attribution < 0 ? "inhibits" : "excites"}`} data-test="qk-row">
      <Name store={store} id={row.query} label={row.query_label} />
      <Name store={store} id={row.key} label={row.key_label} />
      <span class="number">{decimal(row.attribution)}</span>
    </p>
  );
}

/** A node by its name, which a click selects; what is no node of the map has the id of the file and no click. */
export function Name({ store, id, label }: { store: Store; id: string; label: string }) {
  if (id === "") return null;
  const node = store.snapshot.index.get(id);
  if (node !== undefined) {
    return (
      <Button
        class="link-button clip node"
        title={`${store.nameOf(id)} · ${placeOf(store.snapshot, node)}`}
        onClick={() => store.actions.select([id], "replace")}
      >
        {store.nameOf(id)}
      </Button>
    );
  }
  return (
    <span class="clip" title={`${printable(id)}: not on the map`}>
      {printable(label || id)}
    </span>
  );
}
