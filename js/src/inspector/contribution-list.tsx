import { useState } from "preact/hooks";
import { KIND } from "../core/types";
import { count, percent, placeOf, signedPercent } from "../core/words";
import type { Store } from "../store";
import type { Contribution } from "./contributions";
import { Glyph } from "./glyph";

const SHORT = 5;
const LONG = 40;

interface Props {
  readonly store: Store;
  readonly title: string;
  readonly test: "input-row" | "output-row";
  readonly contributions: readonly Contribution[];
  readonly none: string;
}

/** Signed shares as bars, strongest first; a row selects its node. */
export function ContributionList({ store, title, test, contributions, none }: Props) {
  const [long, setLong] = useState(false);
  const shown = contributions.slice(0, long ? LONG : SHORT);
  const widest = Math.abs(contributions[0]?.share ?? 0);
  return (
    <section class="contributions">
      <h3>
        {title}
        {contributions.length > SHORT && (
          <button
            type="button"
            class="quiet"
            aria-expanded={long}
            aria-label={`${long ? "Fewer" : "More"} ${title.toLowerCase()}`}
            onClick={() => setLong(!long)}
          >
            {long
              ? "fewer"
              : contributions.length > LONG
                ? `${LONG} of ${contributions.length}`
                : `all ${contributions.length}`}
          </button>
        )}
      </h3>
      {contributions.length === 0 && <p class="none">{none}</p>}
      <ul>
        {shown.map((contribution) => (
          <Row key={contribution.id} store={store} test={test} contribution={contribution} widest={widest} />
        ))}
      </ul>
    </section>
  );
}

interface RowProps {
  readonly store: Store;
  readonly test: Props["test"];
  readonly contribution: Contribution;
  readonly widest: number;
}

function Row({ store, test, contribution: { id, share }, widest }: RowProps) {
  const { snapshot } = store;
  const node = snapshot.index.get(id);
  const box = node === undefined ? store.boxes.value.find((other) => other.id === id) : undefined;
  const name = box?.name ?? store.nameOf(id);
  const place = node === undefined ? count(box?.nodes.length ?? 0, "node") : placeOf(snapshot, node);
  const color = box?.color ?? store.groupOf.value.get(id)?.color ?? null;
  const sign = share < 0 ? "inhibits" : "excites";
  return (
    <li>
      <button
        type="button"
        class={`contribution ${sign}`}
        data-test={test}
        data-node={id}
        data-share={share.toFixed(4)}
        data-hovered={store.hovered.value === id}
        aria-label={`${name}, ${place}, ${sign} ${percent(Math.abs(share))}`}
        onClick={() => {
          // The row is gone before the pointer can leave it.
          store.actions.hover(null);
          store.actions.select([id], "replace");
        }}
        onPointerEnter={() => store.actions.hover(id)}
        onPointerLeave={() => store.actions.hover(null)}
        onFocus={() => store.actions.hover(id)}
        onBlur={() => store.actions.hover(null)}
      >
        <Glyph kind={node === undefined ? KIND.feature : (snapshot.kind[node] as 0)} color={color} />
        <span class="name" title={name}>
          {name}
        </span>
        <span class="place">{place}</span>
        <span class="bar">
          <span style={{ width: `${widest > 0 ? (100 * Math.abs(share)) / widest : 0}%` }} />
        </span>
        <span class="share">{signedPercent(share)}</span>
      </button>
    </li>
  );
}
