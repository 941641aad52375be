import { useSignal } from "@preact/signals";
import { Button } from "../controls/button";
import type { Snapshot } from "../core/types";
import { TOKEN_ROWS } from "../layout/constants";
import type { ComparisonMessage, EffectMessage, EffectToken } from "../messages/types";
import { displayedTokens, logit, probability, probabilityTone, tokenText } from "../wording/words";

/** A token as it is; with an effect, also as it came out. */
type TokenRow = Pick<EffectToken, "token" | "token_id" | "before"> &
  Partial<EffectToken> & {
    /** After the experiment it is compared with. */
    readonly compared?: number;
  };

/** Likely tokens first, by what they were before or are after; without an effect the explained tokens. */
export function tokenRows(
  snapshot: Snapshot,
  effect: EffectMessage | null,
  compared: ComparisonMessage | null = null,
  rows: number = TOKEN_ROWS,
): readonly TokenRow[] {
  if (compared !== null && effect !== null) {
    const known = new Map(effect.tokens.map((token) => [token.token_id, token]));
    return compared.tokens.slice(0, rows).map((token) => ({ ...known.get(token.token_id), ...token }));
  }
  return allTokens(snapshot, effect).slice(0, rows);
}

/** All known tokens, the likeliest before or after first. */
function allTokens(snapshot: Snapshot, effect: EffectMessage | null): readonly TokenRow[] {
  if (effect === null) {
    const targets = snapshot.targets.map((one) => ({
      ...one,
      before: one.probability,
      logit_before: one.logit ?? undefined,
    }));
    return likeliest(targets);
  }
  return likeliest(effect.tokens);
}

function likeliest(tokens: readonly TokenRow[]): readonly TokenRow[] {
  const likelihood = ({ before, after = before }: TokenRow): number => Math.max(before, after);
  const last = ({ logit_before = 0, logit_after = logit_before }: TokenRow): number => logit_after;
  return [...tokens].sort((a, b) => likelihood(b) - likelihood(a) || last(b) - last(a));
}

interface Props {
  readonly snapshot: Snapshot;
  readonly effect: EffectMessage | null;
  /** Another experiment beside it. */
  readonly compared: ComparisonMessage | null;
}

/** The next token's probabilities and logits; with an effect before and after, and as predicted. */
export function TokenBars({ snapshot, effect, compared }: Props) {
  const whole = useSignal(false);
  const known = allTokens(snapshot, effect);
  const [count, more] = displayedTokens(
    known.map(({ before, after = before }) => [before, after]),
    TOKEN_ROWS,
  );
  const rows = compared !== null ? tokenRows(snapshot, effect, compared) : whole.value ? known : known.slice(0, count);
  const hasLogits = effect !== null || snapshot.targets.some((one) => one.logit !== null);
  return (
    <section>
      <h3 class="row token-row">
        next token
        <span />
        <span class="number">probability</span>
        <span class="number">{compared !== null ? "compared" : hasLogits ? "logit" : ""}</span>
      </h3>
      <ul>
        {rows.map((row) => (
          <TokenLine
            key={row.token_id}
            row={row}
            band={effect?.controls?.tokens.find(({ token_id }) => token_id === row.token_id)}
          />
        ))}
      </ul>
      {compared === null && more !== "" && (
        <Button
          class="link-button more-tokens"
          aria-expanded={whole.value}
          data-test="more-tokens"
          onClick={() => {
            whole.value = !whole.value;
          }}
        >
          {whole.value ? "fewer" : more}
        </Button>
      )}
      {effect !== null && (
        <p class="frozen">
          <span data-test="kl" title="KL divergence of the next token\u2019s distribution, before from after">
            {`KL ${effect.kl.toPrecision(2)} nats`}
          </span>
        </p>
      )}
    </section>
  );
}

interface LineProps {
  readonly row: TokenRow;
  readonly band: { readonly low: number; readonly high: number } | undefined;
}

function TokenLine({ row, band }: LineProps) {
  const { token, before, after, predicted, compared, logit_before, logit_after, rank_before, rank_after } = row;
  const values = [before, after].flatMap((value) => value?.toPrecision(3) ?? []).join(" → ");
  const guess = predicted === undefined ? "" : `, predicted ${predicted.toPrecision(3)}`;
  const rank = rank_before === undefined ? "" : `, rank ${rank_before} → ${rank_after}`;
  const chance = band === undefined ? "" : `, random ${band.low.toPrecision(2)} to ${band.high.toPrecision(2)}`;
  return (
    <li
      class={`row token-row ${probabilityTone(before, after ?? before)}`}
      data-test="token-row"
      data-token={token}
      data-before={before}
      data-after={after}
      data-predicted={predicted}
      data-compared={compared}
      title={values + guess + rank + chance}
    >
      <span class="token clip">{tokenText(token)}</span>
      <span class="bars" aria-hidden="true">
        <Band band={band} scale={1} />
        <div class="bar" style={{ width: percentage(before) }} />
        {after !== undefined && <div class="bar" style={{ width: percentage(after) }} />}
        {compared !== undefined && <div class="bar beside" style={{ width: percentage(compared) }} />}
        {predicted !== undefined && <span class="tick" style={{ left: percentage(predicted) }} />}
      </span>
      <span class="number">
        {probability(before)}
        {after !== undefined && (
          <>
            {" → "}
            <strong>{probability(after)}</strong>
          </>
        )}
      </span>
      <span class="number">
        {compared === undefined
          ? [logit_before, logit_after].flatMap((value) => (value === undefined ? [] : logit(value))).join(" → ")
          : probability(compared)}
      </span>
    </li>
  );
}

const percentage = (share: number): string => `${100 * Math.min(1, Math.max(0, share))}%`;

/** What random controls did, from their 5th to their 95th percentile, behind a bar that ends at `scale`. */
export function Band({ band, scale }: { band: LineProps["band"]; scale: number }) {
  if (band === undefined) return null;
  const left = Math.min(1, Math.max(0, band.low / scale));
  const right = Math.min(1, Math.max(0, band.high / scale));
  return <span class="band" data-test="band" style={{ left: percentage(left), width: percentage(right - left) }} />;
}
