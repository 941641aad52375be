import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Store } from "../store/store";
import type { Card, NodeId } from "../wire/types";
import { count, decimal, percent, tokenText } from "../wording/words";
import { directShare } from "./contributions";
import { More } from "./more";

type CardState = { readonly card: Card } | { readonly failed: string } | "loading";

/** What is known of a feature beyond this prompt: what it fires on and what it does to the logits directly. */
export function FeatureCard({ store, id }: { store: Store; id: NodeId }) {
  const found = useSignal<CardState>("loading");
  const state = found.value;

  useEffect(() => {
    let left = false;
    const show = (next: CardState) => {
      if (!left) found.value = next;
    };
    show("loading");
    store.actions.card(id).then(
      (card) => show({ card }),
      (error: Error) => show({ failed: error.message }),
    );
    return () => {
      left = true;
    };
  }, [store, id]);

  if (state !== "loading" && "card" in state) return <Ready store={store} id={id} card={state.card} />;
  return (
    <section aria-busy={state === "loading"}>
      <h3>fires on</h3>
      <p class="none" data-test="card-status">
        {state === "loading" ? "looking up its examples …" : state.failed}
      </p>
    </section>
  );
}

function Ready({ store, id, card }: { store: Store; id: NodeId; card: Card }) {
  const whole = useSignal(false);
  const peak = card.maximum ?? Math.max(0, ...card.examples.flatMap((example) => example.activations));
  const examples = whole.value ? card.examples : card.examples.slice(0, 3);
  const unit = card.negative ? "unit of activation below zero" : "unit of activation";
  const { snapshot } = store;
  return (
    <>
      <section data-test="feature-card">
        <h3>
          fires on
          {card.frequency !== null && <span class="note">{percent(card.frequency)} of tokens</span>}
          {card.examples.length > 3 && <More whole={whole} all={count(card.examples.length, "example")} />}
        </h3>
        {card.examples.length === 0 && <p class="none">{WITHOUT_EXAMPLES[snapshot.basis]}</p>}
        {examples.map((example, at) => (
          <Example key={at} tokens={example.tokens} activations={example.activations} peak={peak} />
        ))}
      </section>
      {card.promoted.length > 0 && (
        <section data-test="direct-effect">
          <h3 title="what it writes, through the weights of the norms after it and the unembedding alone, past all later layers">
            direct effect on logits
            <span class="note">{directness(store, id)}</span>
          </h3>
          <Tokens sign="+" what="promoted" tokens={card.promoted} unit={unit} />
          <Tokens sign="−" what="suppressed" tokens={card.suppressed} unit={unit} />
          {card.negative && <Reversed activation={snapshot.activation[snapshot.index.get(id) ?? -1]} />}
        </section>
      )}
    </>
  );
}

const WITHOUT_EXAMPLES = {
  features: "no examples come with these transcoders",
  neurons: "no examples come with neurons",
} as const;

/** Why the lists of a negative activation are not those of what the neuron writes for each unit. */
function Reversed({ activation }: { activation: number | undefined }) {
  return (
    <p class="explanation" data-test="card-reversed">
      The activation is negative here{activation !== undefined && ` (${decimal(activation)})`}: the neuron writes the
      reverse of its output row. With a positive one these lists would be swapped.
    </p>
  );
}

interface ExampleProps {
  readonly tokens: readonly string[];
  readonly activations: readonly number[];
  readonly peak: number;
}

const BEFORE = 5;
const AFTER = 3;

/** One line of text around the strongest token, warmed by activation. */
function Example({ tokens, activations, peak }: ExampleProps) {
  const strongest = activations.reduce((best, value, at) => (value > activations[best] ? at : best), 0);
  const from = Math.max(0, strongest - BEFORE);
  const to = Math.min(tokens.length, strongest + AFTER + 1);
  return (
    <p class="example clip" data-test="example">
      {from > 0 && <span class="cut">…</span>}
      {tokens.slice(from, to).map((token, offset) => {
        const activation = activations[from + offset] ?? 0;
        const heat = peak > 0 ? Math.min(1, Math.max(0, activation / peak)) : 0;
        return (
          <span
            key={offset}
            class={heat > 0 ? "token warm" : "token"}
            style={heat > 0 ? { "--warmth": `${Math.round(15 + 85 * heat)}%` } : undefined}
            title={heat > 0 ? `activation ${decimal(activation)}` : undefined}
          >
            {tokenText(token)}
          </span>
        );
      })}
      {to < tokens.length && <span class="cut">…</span>}
    </p>
  );
}

/** The share of a feature's influence on this prompt that is direct: where it is small, its promoted tokens explain little. */
function directness({ snapshot }: Store, id: NodeId): string {
  const node = snapshot.index.get(id);
  return node === undefined ? "" : `${percent(directShare(snapshot, node))} of influence`;
}

interface TokensProps {
  readonly sign: "+" | "−";
  readonly what: "promoted" | "suppressed";
  readonly tokens: Card["promoted"];
  readonly unit: string;
}

function Tokens({ sign, what, tokens, unit }: TokensProps) {
  if (tokens.length === 0) return null;
  return (
    <p class="example clip" data-test={what} title={what}>
      <span class="cut">{sign}</span>
      {tokens.map(({ token, logit }, rank) => (
        <span key={`${rank} ${token}`} class="token" title={`${decimal(logit)} to the logit, for each ${unit}`}>
          {tokenText(token)}
        </span>
      ))}
    </p>
  );
}
