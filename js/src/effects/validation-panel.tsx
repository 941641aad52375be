import { CopyCode } from "../controls/copy-code";
import type { StudyMessage, ValidationMessage } from "../messages/types";
import { modeOf } from "../store/mode";
import type { Store } from "../store/store";
import { printable } from "../text/width";
import { count, modeName, percent } from "../wording/words";
import { ModeSelect } from "./mode-select";
import { ScatterPlot } from "./plot";

const PARTS = {
  all: ["all", "every pair"],
  direct: ["direct only", "pairs with no other feature between them, which agree by construction"],
  knock_on: ["knock-on", "pairs with other features between them: the evidence for the graph"],
  beyond_direct: ["beyond direct", "the same, without the part that their direct edges explain: the hardest test"],
} as const;

/** Whether the graph predicts what ablations do: each box ablated in turn, the others and the outputs read. */
export function ValidationPanel({ store }: { store: Store }) {
  const study = store.study.value;
  return (
    <>
      <form
        class="study-form"
        onSubmit={(event) => {
          event.preventDefault();
          void store.actions.runStudy<"validate">((options) =>
            store.kernel.validate({ mode: modeOf(store).value }, options),
          );
        }}
      >
        <ModeSelect store={store} />
        <button type="submit" class="chip go" data-test="validate-run">
          run
        </button>
      </form>
      <p class="none">
        each box ablated in turn (without boxes, the most influential features); the others and the outputs read
      </p>
      {isValidation(study) && <Result made={study} />}
    </>
  );
}

const isValidation = (study: StudyMessage | null): study is ValidationMessage => study?.kind === "validation";

function Result({ made }: { made: ValidationMessage }) {
  const points = made.pairs
    .filter((pair) => pair.of === "feature")
    .map(({ source, target, predicted, measured, direct }) => ({
      name: `${source} → ${target}`,
      across: predicted,
      up: measured,
      hollow: direct,
    }));
  const left = (share: number | null | undefined): string => (share == null ? "–" : percent(share));
  return (
    <section data-test="validation" data-groups={made.groups}>
      <h3>
        {count(made.groups, "ablation")}
        <span class="number">pairs</span>
        <span class="number">Spearman</span>
        <span class="number">sign</span>
      </h3>
      <ul>
        {made.agreement
          .filter(({ pairs }) => pairs > 0)
          .map(({ of, part, pairs, spearman, sign_share }) => (
            <li
              key={of + part}
              class="row agreement-row"
              data-test="agreement"
              data-of={of}
              data-part={part}
              title={PARTS[part][1]}
            >
              <span class="clip">{`${of === "logit" ? "outputs" : "boxes"}, ${PARTS[part][0]}`}</span>
              <span class="number">{pairs}</span>
              <span class="number">{spearman == null ? "–" : spearman.toFixed(2).replace("-", "−")}</span>
              <span class="number">{left(sign_share)}</span>
            </li>
          ))}
      </ul>
      {points.length > 0 && <ScatterPlot label="Change of activation: measured over predicted" points={points} />}
      <p class="frozen">
        <span>{`${modeName(made.mode)}: ${made.frozen}`}</span>
        <span aria-hidden="true">● measured over predicted ○ direct</span>
      </p>
      <p class="none" data-test="faithfulness">
        {printable(made.sentence)}
      </p>
      <CopyCode code={made.code} />
    </section>
  );
}
