import { useSignal } from "@preact/signals";
import { CopyCode } from "../controls/copy-code";
import type { Box } from "../core/types";
import type { Axis, StudyMessage, SweepMessage } from "../messages/types";
import { changeableOf, run } from "../store/interventions";
import { modeOf } from "../store/mode";
import type { Store } from "../store/store";
import { count, modeName, percent, probability, tokenText } from "../wording/words";
import { ModeSelect } from "./mode-select";
import { LinePlot, type PlotLine, type Range } from "./plot";

const AXES: readonly (readonly [Axis, string])[] = [
  ["factor", "strength of"],
  ["last_layer", "last frozen layer of"],
  ["groups", "each box"],
  ["pairs", "pairs of boxes"],
];

type PlottedQuantity = "probability" | "logit" | "activation";
const QUANTITIES: readonly PlottedQuantity[] = ["probability", "logit", "activation"];

/** A sweep: interventions over a range of strengths, frozen layers, boxes or pairs of boxes. */
export function SweepPanel({ store }: { store: Store }) {
  const boxes = store.boxes.value.filter((box) => changeableOf(store.snapshot, box.nodes).length > 0);
  const chosenAxis = useSignal<Axis>("factor");
  const chosen = useSignal<string | null>(null);
  const axis = chosenAxis.value;
  const whom = boxes.find(({ id }) => id === chosen.value) ?? pointedAt(store, boxes);
  const single = axis === "factor" || axis === "last_layer";
  const study = store.study.value;

  function start(event: Event): void {
    event.preventDefault();
    if (single && whom === undefined) return;
    const nodes = changeableOf(store.snapshot, whom?.nodes ?? []);
    const interventions = single ? [{ kind: "ablate", nodes } as const] : [];
    const body = { axis, interventions, mode: modeOf(store).value };
    void store.actions.runStudy<"sweep">((options) => store.kernel.sweep(body, options));
  }

  return (
    <>
      <form class="study-form" data-test="sweep-form" onSubmit={start}>
        <select
          class="chip"
          aria-label="What is varied"
          data-test="sweep-axis"
          value={axis}
          onChange={(event) => {
            chosenAxis.value = event.currentTarget.value as Axis;
          }}
        >
          {AXES.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
        {single && (
          <select
            class="chip"
            aria-label="Box to change"
            data-test="sweep-whom"
            value={whom?.id}
            onChange={(event) => {
              chosen.value = event.currentTarget.value;
            }}
          >
            {boxes.map((box) => (
              <option key={box.id} value={box.id}>
                {box.name ?? store.nameOf(box.id)}
              </option>
            ))}
          </select>
        )}
        {axis !== "last_layer" && <ModeSelect store={store} />}
        <button type="submit" class="chip go" data-test="sweep-run" disabled={boxes.length === 0}>
          run
        </button>
      </form>
      {boxes.length === 0 && <p class="none">pin or group features first: a sweep changes a box of the circuit</p>}
      {isSweep(study) && <SweepResult store={store} sweep={study} />}
    </>
  );
}

const isSweep = (study: StudyMessage | null): study is SweepMessage => study?.kind === "sweep";

/** The box that the displayed experiment changes, else the inspected one, else the first. */
function pointedAt(store: Store, boxes: readonly Box[]): Box | undefined {
  const changed = new Set(store.effect.value?.interventions.flatMap(({ nodes }) => nodes));
  return (
    boxes.find(({ nodes }) => nodes.some((node) => changed.has(node))) ??
    boxes.find(({ id }) => id === store.inspected.value) ??
    boxes[0]
  );
}

function SweepResult({ store, sweep }: { store: Store; sweep: SweepMessage }) {
  const plotted = useSignal<PlottedQuantity>("probability");
  const quantity = plotted.value;
  const numbers = sweep.values.length > 0;
  const done = sweep.labels.length;
  return (
    <section data-test="sweep" data-done={done} data-total={sweep.total} aria-label={`Sweep of ${sweep.name}`}>
      <h3>
        <b>{sweep.name}</b>
        <select
          class="chip"
          aria-label="What is plotted"
          data-test="sweep-quantity"
          value={quantity}
          onChange={(event) => {
            plotted.value = event.currentTarget.value as PlottedQuantity;
          }}
        >
          {QUANTITIES.filter((one) => one !== "activation" || sweep.boxes.length > 0).map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      </h3>
      {numbers ? (
        <LinePlot
          label={`${quantity} over ${sweep.axis === "factor" ? "the factor" : "the last frozen layer"}`}
          axis={sweep.axis === "factor" ? "factor" : "last layer"}
          at={sweep.values}
          names={sweep.labels}
          across={acrossOf(store, sweep)}
          up={upOf(sweep, quantity)}
          lines={linesOf(sweep, quantity)}
          onPick={sweep.axis === "factor" ? (index) => pick(store, sweep, sweep.values[index]) : undefined}
        />
      ) : (
        <GroupRows sweep={sweep} quantity={quantity} />
      )}
      <p class="frozen">
        <span data-test="frozen">
          {sweep.axis === "last_layer" ? sweep.frozen : `${modeName(sweep.mode)}: ${sweep.frozen}`}
        </span>
        <span aria-hidden="true">
          {done < sweep.total ? `${done} of ${sweep.total}` : "— measured ┄ predicted · before"}
        </span>
      </p>
      {done === sweep.total && <CopyCode code={sweep.code} />}
    </section>
  );
}

function acrossOf(store: Store, { axis, values }: SweepMessage): Range {
  const whole: Range = axis === "factor" ? [-5, 5] : [0, store.snapshot.nLayers - 1];
  return [Math.min(whole[0], ...values), Math.max(whole[1], ...values)];
}

function linesOf({ tokens, boxes }: SweepMessage, quantity: PlottedQuantity): readonly PlotLine[] {
  if (quantity === "activation") {
    return boxes.map(({ name, measured, predicted }, hue) => ({ name, hue, before: 1, measured, predicted }));
  }
  return tokens.map((token, hue) =>
    quantity === "logit"
      ? {
          name: tokenText(token.token),
          hue,
          before: token.logit_before,
          measured: token.logit,
          predicted: token.predicted_logit,
        }
      : {
          name: tokenText(token.token),
          hue,
          before: token.before,
          measured: token.probability,
          predicted: token.predicted_probability,
        },
  );
}

/** Wide enough for all that was measured; predictions are linear and may leave it. */
function upOf(sweep: SweepMessage, quantity: PlottedQuantity): Range {
  if (quantity === "probability") return [0, 1];
  const values = linesOf(sweep, quantity).flatMap(({ measured, before }) => [...measured, before ?? 0]);
  return [Math.min(0, ...values), Math.max(quantity === "activation" ? 1.25 : 1, ...values)];
}

/** Runs the one experiment of a point, so that the circuit displays it. */
function pick(store: Store, { nodes, mode }: SweepMessage, factor: number): void {
  void run(store, [factor === 0 ? { kind: "ablate", nodes } : { kind: "scale", nodes, factor }], mode);
}

/** One row for each box or pair: a token after its ablation, beside the prediction and the value before. */
function GroupRows({ sweep, quantity }: { sweep: SweepMessage; quantity: PlottedQuantity }) {
  const lines = linesOf(sweep, quantity);
  const name = useSignal<string | null>(null);
  const line = lines.find((other) => other.name === name.value) ?? lines[0];
  if (line === undefined) return <p class="none">nothing to show yet</p>;
  const [low, high] = upOf(sweep, quantity);
  const at = (value: number): string => `${(100 * (Math.min(high, Math.max(low, value)) - low)) / (high - low)}%`;
  const words = quantity === "activation" ? percent : probability;
  return (
    <>
      <select
        class="chip"
        aria-label="Displayed values"
        data-test="sweep-line"
        value={line.name}
        onChange={(event) => {
          name.value = event.currentTarget.value;
        }}
      >
        {lines.map((other) => (
          <option key={other.name}>{other.name}</option>
        ))}
      </select>
      <ul aria-label={count(sweep.labels.length, "experiment")}>
        {sweep.labels.map((label, index) => (
          <li
            key={label}
            class="row sweep-row"
            data-test="sweep-row"
            data-name={label}
            title={`${label}: measured ${words(line.measured[index])}, predicted ${words(line.predicted[index])}`}
          >
            <span class="clip">{label}</span>
            <span class="track same" aria-hidden="true">
              <span class="measured" style={{ width: at(line.measured[index]) }} />
              {line.before !== null && <span class="unchanged" style={{ left: at(line.before) }} />}
              <span class="predicted" style={{ left: at(line.predicted[index]) }} />
            </span>
            <span class="number">{words(line.measured[index])}</span>
          </li>
        ))}
      </ul>
    </>
  );
}
