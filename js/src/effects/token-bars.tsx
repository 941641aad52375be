import type { EffectMessage, EffectToken, Snapshot } from "../core/types";
import { decimal, probability, tokenText } from "../core/words";

const ROWS = 5;

type Change = "above" | "below" | "same";

/** Whether a probability visibly rose or fell. */
export function changeOf(before: number, after: number): Change {
  if (Math.abs(after - before) < 0.005) return "same";
  return after > before ? "above" : "below";
}

/** Likely tokens first, by what they were before or are after. */
export function tokenRows(effect: EffectMessage, rows: number): readonly EffectToken[] {
  return [...effect.tokens]
    .sort((a, b) => Math.max(b.before, b.after) - Math.max(a.before, a.after) || b.logit_after - a.logit_after)
    .slice(0, rows);
}

/** The next token's probabilities and logits, before and after. */
export function TokenBars({ effect }: { effect: EffectMessage }) {
  return (
    <section class="token-bars">
      <h3>
        next token
        <Heads />
      </h3>
      <ul>
        {tokenRows(effect, ROWS).map((token) => {
          const text = tokenText(token.token);
          return (
            <li
              key={token.token_id}
              class={`token-row ${changeOf(token.before, token.after)}`}
              data-test="token-row"
              data-token={token.token}
              data-before={token.before}
              data-after={token.after}
              title={`probability ${token.before.toPrecision(3)} → ${token.after.toPrecision(3)}`}
            >
              <span class="token">{text}</span>
              <span class="bars" aria-hidden="true">
                <span class="before" style={{ width: `${100 * token.before}%` }} />
                <span class="after" style={{ width: `${100 * token.after}%` }} />
              </span>
              <span class="numbers">
                {probability(token.before)} → <strong>{probability(token.after)}</strong>
              </span>
              <span class="numbers logit">
                {decimal(token.logit_before)} → {decimal(token.logit_after)}
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Heads() {
  return (
    <span class="heads" aria-hidden="true">
      <span>probability</span>
      <span>logit</span>
    </span>
  );
}

/** The explained tokens of the prompt as it is, when nothing was intervened on. */
export function TargetBars({ snapshot }: { snapshot: Snapshot }) {
  const targets = [...snapshot.targets].sort((a, b) => b.probability - a.probability).slice(0, ROWS);
  return (
    <section class="token-bars">
      <h3>
        next token
        <Heads />
      </h3>
      <ul>
        {targets.map((target) => (
          <li
            key={target.token_id}
            class="token-row same"
            data-test="token-row"
            data-token={target.token}
            data-before={target.probability}
          >
            <span class="token">{tokenText(target.token)}</span>
            <span class="bars" aria-hidden="true">
              <span class="before" style={{ width: `${100 * target.probability}%` }} />
            </span>
            <span class="numbers">{probability(target.probability)}</span>
            <span class="numbers logit">{decimal(target.logit)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
