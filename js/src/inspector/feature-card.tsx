import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { AT_FIRST_TOKENS } from "../core/constants";
import { LOCAL_LABEL } from "../layout/constants";
import type { Card, NodeId } from "../messages/types";
import type { Store } from "../store/store";
import { printable } from "../text/width";
import { count, decimal, percent, tokenText } from "../wording/words";
import { Histogram } from "./card-histogram";
import { directShare } from "./contributions";
import { ExampleLine, sideOf } from "./example-line";
import { More } from "./more";
import { QkContributors } from "./qk-contributors";

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

  return (
    <>
      <LocalOrigin store={store} id={id} />
      {state !== "loading" && "card" in state ? (
        <Ready store={store} id={id} card={state.card} />
      ) : (
        <section aria-busy={state === "loading"}>
          <h3>fires on</h3>
          <p class="none" data-test="card-status">
            {state === "loading" ? "looking up its examples …" : state.failed}
          </p>
        </section>
      )}
    </>
  );
}

/** What a label that begins with "here: " means. */
function LocalOrigin({ store, id }: { store: Store; id: NodeId }) {
  const { circuit, snapshot } = store;
  const label = circuit.value.labels[id] ?? snapshot.labels.get(snapshot.index.get(id) ?? -1);
  if (!label?.startsWith(LOCAL_LABEL)) return null;
  return (
    <p class="origin" data-test="card-local-label">
      measured on this prompt by ablating this node alone: it makes tokens with + likelier, and those with − less likely
    </p>
  );
}

function Ready({ store, id, card }: { store: Store; id: NodeId; card: Card }) {
  const whole = useSignal(false);
  const { snapshot } = store;
  const activation = snapshot.activation[snapshot.index.get(id) ?? -1] ?? 0;
  const side = sideOf(card, activation);
  const examples = whole.value ? side.examples : side.examples.slice(0, 3);
  const unit = card.negative ? "unit of activation below zero" : "unit of activation";
  return (
    <>
      <LabelOrigin store={store} id={id} card={card} />
      <section data-test="feature-card">
        <h3 title={card.origin === null ? undefined : `its strongest examples in ${printable(card.origin)}`}>
          fires on
          {card.frequency !== null && <span class="note">{howOften(card, activation)}</span>}
          {side.examples.length > 3 && <More whole={whole} all={count(side.examples.length, "example")} />}
        </h3>
        {side.examples.length === 0 && <p class="none">{noExamples(card, activation, snapshot.basis)}</p>}
        {examples.map((example, at) => (
          <ExampleLine key={at} example={example} peak={side.peak} />
        ))}
        {side.examples.length > 0 && card.origin !== null && (
          <p class="origin" data-test="card-origin">
            from {printable(card.origin)}
          </p>
        )}
      </section>
      {card.histogram !== null && <Histogram card={card} histogram={card.histogram} activation={activation} />}
      {side.levels.length > 0 && <Levels levels={side.levels} peak={side.peak} />}
      {card.promoted.length > 0 && (
        <section data-test="direct-effect">
          <h3 title="what it writes, through the weights of the norms after it and the unembedding alone, past all later layers">
            direct effect on logits
            <span class="note">{directness(store, id)}</span>
          </h3>
          <Tokens sign="+" what="promoted" tokens={card.promoted} unit={unit} />
          <Tokens sign="−" what="suppressed" tokens={card.suppressed} unit={unit} />
          {card.negative && <Reversed activation={activation} />}
        </section>
      )}
      {card.contributors.length > 0 && <QkContributors store={store} contributors={card.contributors} />}
    </>
  );
}

/** Where the label is from, unless the user typed it; with its text, where the graph was traced before it had the label. */
function LabelOrigin({ store, id, card }: { store: Store; id: NodeId; card: Card }) {
  if (card.label === null || card.label_origin === null || store.circuit.value.labels[id] !== undefined) return null;
  const what = card.label_is_automatic ? "automatic label" : "label";
  const text = store.snapshot.labels.has(store.snapshot.index.get(id) ?? -1) ? "" : ` “${printable(card.label)}”`;
  return (
    <p class="origin" data-test="card-label">
      {what}
      {text} · {printable(card.label_origin)}
    </p>
  );
}

const WITHOUT_EXAMPLES = {
  features: "no examples come with these transcoders; model.collect_examples collects some from your texts",
  neurons: "no examples come with neurons; model.collect_examples collects some from your texts",
} as const;

/** Why the lists of a negative activation are not those of what the neuron writes for each unit. */
function Reversed({ activation }: { activation: number }) {
  return (
    <p class="explanation" data-test="card-reversed">
      The activation is negative here ({decimal(activation)}): the neuron writes the reverse of its output row. With a
      positive one these lists would be swapped.
    </p>
  );
}

/** On how many tokens a feature is active; where activations have two signs, with that of this prompt. */
function howOften(card: Card, activation: number): string {
  const frequency = card.frequency ?? 0;
  if (card.minimum === null || card.histogram === null) return `${percent(frequency)} of tokens`;
  const { counts, least, width } = card.histogram;
  const below = counts.reduce((sum, tokens, bin) => (least + (bin + 0.5) * width < 0 ? sum + tokens : sum), 0);
  const share = below / counts.reduce((sum, tokens) => sum + tokens, 0);
  return activation < 0
    ? `< 0 on ${percent(frequency * share)} of tokens`
    : `> 0 on ${percent(frequency * (1 - share))} of tokens`;
}

function noExamples(card: Card, activation: number, basis: keyof typeof WITHOUT_EXAMPLES): string {
  if (card.origin === null) return WITHOUT_EXAMPLES[basis];
  const sign = activation < 0 ? "below" : "above";
  if (sideOf(card, activation).levels.length > 0) return `no examples but those at first tokens of texts`;
  return `no examples: never ${card.frequency === 0 ? "active" : `${sign} zero`} on ${printable(card.origin)}`;
}

/** How the examples of ranges and of named groups were chosen. */
function howChosen(levels: Card["levels"]): string {
  const names = levels.map(({ name }) => name);
  const sentences = [];
  if (names.includes(null)) sentences.push("drawn at random among texts whose strongest activation is in the range");
  if (names.includes(AT_FIRST_TOKENS))
    sentences.push(`${AT_FIRST_TOKENS}: the strongest there; the rest leaves them out`);
  if (names.some((name) => name !== null && name !== AT_FIRST_TOKENS))
    sentences.push("as they were published; the range is that of their strongest activations");
  return sentences.join(". ");
}

/** Examples drawn at random in ranges of activation, one of each range or all of them. */
function Levels({ levels, peak }: { levels: Card["levels"]; peak: number }) {
  const whole = useSignal(false);
  const all = levels.reduce((sum, { examples }) => sum + examples.length, 0);
  return (
    <section data-test="card-levels">
      <h3 title={howChosen(levels)}>
        by activation
        {all > levels.length && <More whole={whole} all={count(all, "example")} title="by activation" />}
      </h3>
      {levels.map(({ least, most, share, examples, name }, place) => (
        <div class="level" key={place} data-test="card-level">
          <p class="range">
            {name !== null && `${printable(name)} · `}
            {decimal(least)} to {decimal(most)}
            {share !== null && ` · ${percent(share)} of its activations`}
          </p>
          {(whole.value ? examples : examples.slice(0, 1)).map((example, at) => (
            <ExampleLine key={at} example={example} peak={peak} />
          ))}
        </div>
      ))}
    </section>
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
