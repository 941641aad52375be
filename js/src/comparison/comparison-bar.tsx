/** What two graphs have in common, above their maps: counts that emphasise what they count, and which graph is on which side. */

import { Button } from "../controls/button";
import type { Compared, Where } from "../core/compared";
import type { Snapshot } from "../core/types";
import type { Store } from "../store/store";
import { kindsWord, probability, tokenText } from "../wording/words";

const COUNTS = [
  ["both", "in both"],
  ["only here", "only here"],
  ["only there", "only there"],
] as const;

export function ComparisonBar({ store }: { store: Store }) {
  const compared = store.comparison.value;
  if (compared === null) return null;
  return (
    <div class="comparison" data-test="comparison">
      <div class="comparison-line">
        <span class="muted">{kindsWord(store.snapshot, "feature")}</span>
        {COUNTS.map(([where, words]) => (
          <Count key={where} store={store} compared={compared} where={where} words={words} />
        ))}
        <span title="Of each feature the smaller of its shares of the influence of all features, here and there, summed: 1 where both graphs have the same features with the same shares">
          overlap of influence <b data-test="overlap">{compared.overlap.toFixed(2)}</b>
        </span>
        {compared.notes.length > 0 && (
          <span class="muted clip" title={compared.notes.join(" ")} data-test="comparison-notes">
            {compared.notes.join(" ")}
          </span>
        )}
        <Button
          class="link-button"
          aria-label="Close the comparison"
          title="Close the comparison"
          data-test="close-comparison"
          onClick={() => store.actions.closeComparison()}
        >
          ×
        </Button>
      </div>
      <div class="comparison-sides">
        <Side name="here" snapshot={store.snapshot} />
        <Side name="there" snapshot={compared.other} />
      </div>
    </div>
  );
}

interface CountProps {
  readonly store: Store;
  readonly compared: Compared;
  readonly where: Where;
  readonly words: string;
}

/** How many features are in both graphs or in one, and the button that fades all others on both maps. */
function Count({ store, compared, where, words }: CountProps) {
  const on = store.emphasis.value === where;
  return (
    <Button
      class="filter-chip where"
      aria-pressed={on}
      title={on ? "show all nodes again" : `fade all nodes that are not ${words}`}
      data-test={`where-${where.replace(" ", "-")}`}
      onClick={() => {
        store.emphasis.value = on ? null : where;
      }}
    >
      <Half where={where} /> {compared.counts[where].toLocaleString("en")} {words}
    </Button>
  );
}

/** A node as the maps draw it: whole where both graphs have it, else the half of the side that has it. */
function Half({ where }: { where: Where }) {
  return (
    <svg class="half" width="10" height="10" viewBox="-5 -5 10 10" aria-hidden="true">
      {where === "both" ? (
        <circle class="filled" r="4.2" />
      ) : (
        <path
          class="filled"
          d={where === "only here" ? "M0-4.2a4.2 4.2 0 0 0 0 8.4Z" : "M0-4.2a4.2 4.2 0 0 1 0 8.4Z"}
        />
      )}
      <circle class="rim" r="4.2" />
    </svg>
  );
}

/** The prompt of a graph and its likeliest answer. */
function Side({ name, snapshot }: { name: "here" | "there"; snapshot: Snapshot }) {
  const answer = [...snapshot.targets].sort((a, b) => b.probability - a.probability)[0];
  const prompt = snapshot.tokens
    .slice(1)
    .map(({ text }) => tokenText(text))
    .join(" ");
  const text =
    answer === undefined ? prompt : `${prompt} → ${tokenText(answer.token)} ${probability(answer.probability)}`;
  return (
    <span
      class="side-name clip"
      title={[text, snapshot.model.name].filter(Boolean).join(" · ")}
      data-test={`side-${name}`}
    >
      <b>{name}</b> {text}
    </span>
  );
}
