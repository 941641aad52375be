import { Button } from "../controls/button";
import type { Panel, Store } from "../store/store";
import { EffectPanel } from "./effect-panel";
import { GenerationPanel } from "./generation-panel";
import { HistoryPanel } from "./history-panel";
import { SweepPanel } from "./sweep-panel";
import { ValidationPanel } from "./validation-panel";

const PANELS: readonly (readonly [Panel, string, string, (props: { store: Store }) => preact.JSX.Element])[] = [
  ["effect", "effect", "What the experiment on show did", EffectPanel],
  ["sweep", "sweep", "The same over a range of strengths, layers or boxes", SweepPanel],
  ["generate", "text", "Text that the model generates, with and without the interventions", GenerationPanel],
  ["validate", "validate", "Whether the graph predicts what ablations do", ValidationPanel],
  ["history", "history", "The experiments made so far", HistoryPanel],
];

/** The panels that have the model run, one of them open. */
export function Effects({ store }: { store: Store }) {
  const open = store.panel.value;
  const Open = PANELS.find(([panel]) => panel === open)?.[3] ?? EffectPanel;
  return (
    <section class="effects" aria-label="Experiments" data-test="effects" aria-busy={store.job.value !== null}>
      <div class="tabs" role="toolbar" aria-label="Panels of experiments">
        {PANELS.map(([panel, name, what]) => (
          <Button
            key={panel}
            class="link-button"
            data-test={`panel-${panel}`}
            aria-pressed={panel === open}
            title={what}
            onClick={() => {
              store.panel.value = panel;
            }}
          >
            {name}
          </Button>
        ))}
      </div>
      <Open store={store} />
    </section>
  );
}
