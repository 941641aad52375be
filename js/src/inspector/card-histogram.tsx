import type { Card, CardHistogram } from "../messages/types";
import { count, decimal, percent } from "../wording/words";

interface Props {
  readonly card: Card;
  readonly histogram: CardHistogram;
  /** The node's activation on this prompt, which is marked. */
  readonly activation: number;
}

/** How often a feature has which activation where it is active, with that of this prompt marked. */
export function Histogram({ card, histogram, activation }: Props) {
  const { counts, least, width } = histogram;
  const most = least + counts.length * width;
  const tallest = Math.log1p(Math.max(...counts));
  const outside = outsideOf(histogram, activation);
  const place = Math.min(1, Math.max(0, (activation - least) / (most - least)));
  return (
    <section data-test="card-histogram">
      <h3 title="number of tokens with each activation, where the feature is active">
        activations
        <span class="note">{card.mean !== null && `mean ${decimal(card.mean)} · `}bars on a log scale</span>
      </h3>
      <div class={`histogram ${outside}`}>
        {counts.map((tokens, bin) => (
          <span
            key={bin}
            class="bin"
            style={{ height: `${tokens > 0 ? Math.max(4, (100 * Math.log1p(tokens)) / tallest) : 0}%` }}
          />
        ))}
        <span class="here" style={outside === "" ? { left: `${(100 * place).toFixed(1)}%` } : {}} />
      </div>
      <p class={`scale ${outside}`}>
        <span>{decimal(least)}</span>
        <span data-test="card-here">{standing(histogram, activation, card.first_token)}</span>
        <span>{decimal(most)}</span>
      </p>
    </section>
  );
}

/** Where this prompt's activation is among the others of its sign; those at first tokens are not among them. */
export function standing(histogram: CardHistogram, activation: number, atFirst: boolean): string {
  const here = `here ${decimal(activation)}`;
  if (atFirst) return `${here}, at the first token; these are of all others`;
  const share = shareCloserToZero(histogram, activation);
  if (share === null) return `${here}, none ${activation < 0 ? "below" : "above"} zero`;
  if (outsideOf(histogram, activation) === (activation < 0 ? "outside-left" : "outside-right")) {
    const all = histogram.counts.reduce((sum, tokens) => sum + tokens, 0);
    return `${here}, beyond ${all === 1 ? "the only token" : `all ${count(all, "token")}`}`;
  }
  // Some are as strong or stronger, and rounding would hide them.
  return `${here}, stronger than ${share < 1 && percent(share) === "100%" ? "almost all" : percent(share)}`;
}

/** The side on which this prompt's activation is outside the histogram, as a class. */
function outsideOf({ counts, least, width }: CardHistogram, activation: number): "" | "outside-left" | "outside-right" {
  if (activation < least) return "outside-left";
  return activation > least + counts.length * width ? "outside-right" : "";
}

function shareCloserToZero({ counts, least, width }: CardHistogram, activation: number): number | null {
  const sign = activation < 0 ? -1 : 1;
  let closer = 0;
  let all = 0;
  for (const [bin, tokens] of counts.entries()) {
    const [low, high] = [sign * (least + bin * width), sign * (least + (bin + 1) * width)].sort((a, b) => a - b);
    if (high <= 0) continue;
    all += tokens;
    closer += tokens * Math.min(1, Math.max(0, (sign * activation - low) / (high - low)));
  }
  return all === 0 ? null : closer / all;
}
