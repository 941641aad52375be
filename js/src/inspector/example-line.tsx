import type { Card } from "../messages/types";
import { decimal, tokenText } from "../wording/words";

type Example = Card["examples"][number];

/** The part of a card for activations of one sign; `peak` is the strongest of them, with its sign. */
export interface CardSide {
  readonly examples: Card["examples"];
  readonly levels: Card["levels"];
  readonly peak: number;
}

/** The side of a card that an activation is on: what lies below zero has examples of its own. */
export function sideOf(card: Card, activation: number): CardSide {
  const below = card.levels.filter(({ least, most }) => least < 0 && most <= 0);
  if (activation < 0 && (card.minimum !== null || below.length > 0)) {
    return { examples: card.lowest, levels: below, peak: card.minimum ?? Math.min(...below.map(({ least }) => least)) };
  }
  const strongest = Math.max(0, ...card.examples.flatMap(({ activations }) => activations));
  return {
    examples: card.examples,
    levels: card.levels.filter(({ least, most }) => least >= 0 || most > 0),
    peak: card.maximum ?? strongest,
  };
}

const BEFORE = 5;
const AFTER = 3;

/** One line of text around the strongest token, warmed by activation of the sign that `peak` has. */
export function ExampleLine({ example, peak }: { example: Example; peak: number }) {
  const { tokens, activations } = example;
  const sign = peak < 0 ? -1 : 1;
  const strongest = activations.reduce((best, value, at) => (sign * value > sign * activations[best] ? at : best), 0);
  const from = Math.max(0, strongest - BEFORE);
  const to = Math.min(tokens.length, strongest + AFTER + 1);
  return (
    <p class="example clip" data-test="example">
      {from > 0 && <span class="cut">…</span>}
      {tokens.slice(from, to).map((token, offset) => {
        const activation = activations[from + offset] ?? 0;
        const heat = peak !== 0 ? Math.min(1, Math.max(0, activation / peak)) : 0;
        return (
          <span
            key={offset}
            class={heat > 0 ? "token warm" : "token"}
            style={heat > 0 ? { "--warmth": `${Math.round(15 + 85 * heat)}%` } : undefined}
            title={activation !== 0 ? `activation ${decimal(activation)}` : undefined}
          >
            {tokenText(token)}
          </span>
        );
      })}
      {to < tokens.length && <span class="cut">…</span>}
    </p>
  );
}
