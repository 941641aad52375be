import type { FunctionComponent } from "preact";
import { Button } from "../controls/button";
import { onFirstUse } from "../controls/on-first-use";
import type { Panel, Store } from "../store/store";
import { EffectPanel } from "./effect-panel";

const SweepPanel = onFirstUse(() => import("./sweep-panel").then((panel) => panel.SweepPanel));
const GenerationPanel = onFirstUse(() => import("./generation-panel").then((panel) => panel.GenerationPanel));
const ValidationPanel = onFirstUse(() => import("./validation-panel").then((panel) => panel.ValidationPanel));
const HistoryPanel = onFirstUse(() => import("./history-panel").then((panel) => panel.HistoryPanel));

const PANELS: readonly (readonly [Panel, string, string, FunctionComponent<{ store: Store }>])[] = [
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
