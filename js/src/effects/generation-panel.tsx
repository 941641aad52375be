import { useRef } from "preact/hooks";
import { CopyCode } from "../controls/copy-code";
import type { GeneratedToken, GenerationMessage, StudyMessage } from "../messages/types";
import { whoOf } from "../store/interventions";
import type { Store } from "../store/store";
import { interventionWords, percent, tokenText } from "../wording/words";

const MOST_TOKENS = 512;

/** Text that the model generates after the prompt, as it is and under the displayed interventions. */
export function GenerationPanel({ store }: { store: Store }) {
  const form = useRef<HTMLFormElement>(null);
  const interventions = store.effect.value?.interventions ?? [];
  const study = store.study.value;

  function start(event: Event): void {
    event.preventDefault();
    if (form.current === null) return;
    const given = new FormData(form.current);
    const seed = String(given.get("seed")).trim();
    const body = {
      interventions,
      new_tokens: interventions.length > 0 && given.get("new_tokens") !== null,
      max_new_tokens: Number(given.get("length")),
      temperature: Number(given.get("temperature")),
      seed: seed === "" ? null : Number(seed),
    };
    void store.actions.runStudy<"generate">((options) => store.kernel.generate(body, options));
  }

  return (
    <>
      <p class="none" data-test="generate-what">
        {interventions.length === 0
          ? "no intervention: the model generates as it is"
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
      {isGeneration(study) && <Texts made={study} />}
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

function Texts({ made }: { made: GenerationMessage }) {
  const steered = made.steered.length > 0 || !made.ended;
  return (
    <section data-test="texts" data-ended={made.ended} aria-live="polite">
      <Text words="as it is" tokens={made.unsteered} gap={made.gap} marks={steered} />
      {steered && <Text words={made.name} tokens={made.steered} gap={made.gap} marks />}
      <p class="frozen">
        <span>
          {[
            "nothing frozen",
            made.new_tokens ? "prompt and new tokens" : "prompt only",
            `temperature ${made.temperature}`,
            ...(made.seed === null ? [] : [`seed ${made.seed}`]),
          ].join(" · ")}
        </span>
      </p>
      {made.ended && <CopyCode code={made.code} />}
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
  tokens: readonly GeneratedToken[];
  gap: string;
  marks: boolean;
}) {
  return (
    <>
      <h3>
        <span class="clip">{words}</span>
      </h3>
      <p class="generated" data-test="generated">
        {tokens.length === 0 && <span class="muted">nothing yet</span>}
        {tokens.map(({ token, probability, differs }, index) => (
          <span key={index}>
            {index > 0 && gap}
            <bdi class={marks && differs ? "differs" : ""} title={percent(probability)}>
              {gap === "" ? token : tokenText(token)}
            </bdi>
          </span>
        ))}
      </p>
    </>
  );
}
