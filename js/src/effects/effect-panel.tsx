import { Button } from "../controls/button";
import { onFirstUse } from "../controls/on-first-use";
import { run, whoOf } from "../store/running";
import type { Store } from "../store/store";
import { printable } from "../text/width";
import type { EffectMessage } from "../wire/types";
import { interventionWords } from "../wording/words";
import { ModeSelect } from "./mode-select";
import { TokenBars } from "./token-bars";

const ActivationBars = onFirstUse(() => import("./activation-bars").then((bars) => bars.ActivationBars));

/** The effect of the displayed experiment: output probabilities and activations, before and after. */
export function EffectPanel({ store }: { store: Store }) {
  const effect = store.effect.value;
  const compared = store.compared.value;
  return (
    <>
      <div class="interventions">
        {effect === null && <span class="none">no intervention</span>}
        {effect !== null && <Chips store={store} effect={effect} />}
        <ModeSelect store={store} />
        {effect !== null && <Control store={store} effect={effect} />}
      </div>
      {compared !== null && (
        <p class="compared" data-test="compared">
          <i /> this <i /> <span class="clip">{`${compared.id} ${printable(compared.name)}`}</span>
          <Button class="link-button" data-test="compare-end" onClick={() => void store.actions.compare(null)}>
            end
          </Button>
        </p>
      )}
      <div class="outcome" data-test="effect" data-effect={effect?.id}>
        <TokenBars snapshot={store.snapshot} effect={effect} compared={compared} />
        {effect === null ? <Nothing store={store} /> : <ActivationBars store={store} {...{ effect, compared }} />}
      </div>
    </>
  );
}

function Chips({ store, effect }: { store: Store; effect: EffectMessage }) {
  return (
    <>
      {effect.interventions.map((one, at) => {
        const words = interventionWords(store.snapshot, one, whoOf(store, one.nodes));
        return (
          <Button
            key={at}
            class="chip intervention"
            data-test="intervention"
            data-kind={one.kind}
            aria-label={`${words}: take back`}
            title={
              one.kind === "swap_in" && typeof one.prompt === "string"
                ? `${printable(one.prompt)}\nclick to take it back`
                : "click to take it back"
            }
            onClick={() =>
              void run(
                store,
                effect.interventions.filter((other) => other !== one),
              )
            }
          >
            <span class="clip">{words}</span>
            <span aria-hidden="true">×</span>
          </Button>
        );
      })}
    </>
  );
}

/** A button that runs random controls; once they have run, a summary of them. */
function Control({ store, effect }: { store: Store; effect: EffectMessage }) {
  const { controls } = effect;
  if (controls == null) {
    return (
      <Button
        class="chip control"
        data-test="control"
        title="the same on random features of the same layers and similar activation, 20 times: what any change would do"
        onClick={() => void store.actions.control()}
      >
        + random control
      </Button>
    );
  }
  const [likeliest] = effect.tokens;
  const chance = controls.tokens.find(({ token_id }) => token_id === likeliest?.token_id);
  return (
    <span class="chip control" data-test="controls" data-n={controls.n} title={controls.similarity}>
      {`${controls.n} random controls${chance === undefined ? "" : ` · p ${chance.p_value.toFixed(2)}${chance.p_value * (controls.n + 1) < 1.5 ? ", the least possible" : ""}`}`}
    </span>
  );
}

function Nothing({ store }: { store: Store }) {
  const { intervene, why_not } = store.capabilities.value;
  return (
    <p class="none" data-test="effect-empty">
      {intervene
        ? "Point at a box of the circuit and press ×0 to ablate it: the model re-runs and this shows what changes."
        : `Interventions are not possible here. ${why_not}`}
    </p>
  );
}
