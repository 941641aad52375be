import { useRef } from "preact/hooks";
import { CopyCode } from "../controls/copy-code";
import type { GenerationMessage, SaidToken, StudyMessage } from "../core/types";
import { nameOf, whoOf } from "../store/running";
import type { Store } from "../store/store";
import { interventionWords, percent, tokenText } from "../wording/words";

const MOST_TOKENS = 512;

/** The model goes on from the prompt, as it is and under the interventions on show. */
export function GenerationPanel({ store }: { store: Store }) {
  const form = useRef<HTMLFormElement>(null);
  const interventions = store.effect.value?.interventions ?? [];
  const study = store.study.value;

  function start(event: Event): void {
    event.preventDefault();
    if (form.current === null) return;
    const given = new FormData(form.current);
    const seed = String(given.get("seed")).trim();
    const name = nameOf(store, interventions) || "as it is";
    void store.actions.run(
      "generate",
      {
        interventions,
        new_tokens: interventions.length > 0 && given.get("new_tokens") !== null,
        max_new_tokens: Number(given.get("length")),
        temperature: Number(given.get("temperature")),
        seed: seed === "" ? null : Number(seed),
        name,
      },
      `Text: ${name}`,
    );
  }

  return (
    <>
      <p class="none" data-test="generate-what">
        {interventions.length === 0
          ? "no intervention on show: the model goes on as it is"
          : interventions.map((one) => interventionWords(store.snapshot, one, whoOf(store, one.nodes))).join(", ")}
      </p>
      <form ref={form} class="study-form" data-test="generate-form" onSubmit={start}>
        <Field name="length" words="tokens" value="12" min={1} max={MOST_TOKENS} step={1} />
        <Field name="temperature" words="temperature" value="0" min={0} max={5} step="any" />
        <Field name="seed" words="seed" value="" min={0} max={Number.MAX_SAFE_INTEGER} step={1} />
        <label title="change the features on every generated token too, not only on the prompt">
          <input type="checkbox" name="new_tokens" data-test="generate-new" disabled={interventions.length === 0} />
          new tokens too
        </label>
        <button type="submit" class="chip go" data-test="generate-run">
          run
        </button>
      </form>
      {isGeneration(study) && <Texts said={study} />}
    </>
  );
}

const isGeneration = (study: StudyMessage | null): study is GenerationMessage => study?.kind === "generation";

interface FieldProps {
  readonly name: string;
  readonly words: string;
  readonly value: string;
  readonly min: number;
  readonly max: number;
  readonly step: number | "any";
}

function Field({ name, words, value, ...limits }: FieldProps) {
  return (
    <label>
      {words}
      <input
        type="number"
        name={name}
        class="chip"
        data-test={`generate-${name}`}
        defaultValue={value}
        placeholder="any"
        required={value !== ""}
        {...limits}
      />
    </label>
  );
}

function Texts({ said }: { said: GenerationMessage }) {
  const steered = said.steered.length > 0 || !said.ended;
  return (
    <section data-test="texts" data-ended={said.ended} aria-live="polite">
      <Text words="as it is" tokens={said.unsteered} gap={said.gap} marks={steered} />
      {steered && <Text words={said.name} tokens={said.steered} gap={said.gap} marks />}
      <p class="frozen">
        <span>
          {[
            "nothing frozen",
            said.new_tokens ? "prompt and new tokens" : "prompt only",
            `temperature ${said.temperature}`,
            ...(said.seed === null ? [] : [`seed ${said.seed}`]),
          ].join(" · ")}
        </span>
      </p>
      {said.ended && <CopyCode code={said.code} />}
    </section>
  );
}

function Text({
  words,
  tokens,
  gap,
  marks,
}: {
  words: string;
  tokens: readonly SaidToken[];
  gap: string;
  marks: boolean;
}) {
  return (
    <>
      <h3>
        <span class="clip">{words}</span>
      </h3>
      <p class="said" data-test="said">
        {tokens.length === 0 && <span class="muted">nothing yet</span>}
        {tokens.map(({ token, probability, differs }, place) => (
          <span key={place}>
            {place > 0 && gap}
            <bdi class={marks && differs ? "differs" : ""} title={percent(probability)}>
              {gap === "" ? token : tokenText(token)}
            </bdi>
          </span>
        ))}
      </p>
    </>
  );
}
