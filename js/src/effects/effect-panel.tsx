import { Button } from "../controls/button";
import { onFirstUse } from "../controls/on-first-use";
import type { Store } from "../store/store";
import { printable } from "../text/width";
import { ModeSelect } from "./mode-select";
import { TokenBars } from "./token-bars";

const ActivationBars = onFirstUse(() => import("./activation-bars").then((bars) => bars.ActivationBars));
const Chips = onFirstUse(() => import("./intervention-chips").then((chips) => chips.Chips));
const Control = onFirstUse(() => import("./intervention-chips").then((chips) => chips.Control));

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
