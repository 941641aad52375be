import { Button } from "../controls/button";
import type { EffectMessage } from "../messages/types";
import { run, whoOf } from "../store/interventions";
import type { Store } from "../store/store";
import { printable } from "../text/width";
import { interventionWords } from "../wording/words";

/** The interventions of the displayed experiment; a click takes one back. */
export function Chips({ store, effect }: { store: Store; effect: EffectMessage }) {
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
export function Control({ store, effect }: { store: Store; effect: EffectMessage }) {
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
