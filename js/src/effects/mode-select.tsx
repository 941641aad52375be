import { modeOf } from "../store/mode";
import { run } from "../store/running";
import type { Store } from "../store/store";
import type { Mode } from "../wire/types";
import { MODES } from "../wording/words";

const CONSTRAINED = "constrained";

/** The layer range of a constrained mode; null for the other modes. */
export function rangeOf(mode: Mode): readonly [number, number] | null {
  const range = /^(\d+)-(\d+)$/.exec(mode);
  return range === null ? null : [Number(range[1]), Number(range[2])];
}

/** What is frozen while the model re-runs. A change re-runs the effect shown. */
export function ModeSelect({ store }: { store: Store }) {
  const mode = modeOf(store).value;
  const range = rangeOf(mode);
  const last = store.snapshot.nLayers - 1;

  function choose(next: Mode): void {
    modeOf(store).value = next;
    const shown = store.effect.value;
    if (shown !== null) void run(store, shown.interventions, next);
  }

  return (
    <span class="mode">
      <select
        class="chip"
        data-test="mode"
        aria-label="What is frozen while the model re-runs"
        title={MODES.find((entry) => entry.mode === mode)?.frozen ?? "MLP outputs of the layers held as they were"}
        value={range === null ? mode : CONSTRAINED}
        onChange={(event) => {
          const chosen = event.currentTarget.value;
          choose(chosen === CONSTRAINED ? `0-${Math.max(0, last - 1)}` : chosen);
        }}
      >
        {MODES.map((entry) => (
          <option key={entry.mode} value={entry.mode}>
            {`${entry.name}: ${entry.frozen}`}
          </option>
        ))}
        <option value={CONSTRAINED}>constrained: MLP outputs of a range of layers held</option>
      </select>
      {range !== null && (
        <span class="range">
          <LayerSelect
            name="first layer held"
            value={range[0]}
            from={0}
            to={last}
            onChange={(first) => choose(`${first}-${Math.max(first, range[1])}`)}
          />
          –
          <LayerSelect
            name="last layer held"
            value={range[1]}
            from={range[0]}
            to={last}
            onChange={(end) => choose(`${range[0]}-${end}`)}
          />
        </span>
      )}
    </span>
  );
}

interface LayerProps {
  readonly name: string;
  readonly value: number;
  readonly from: number;
  readonly to: number;
  readonly onChange: (layer: number) => void;
}

function LayerSelect({ name, value, from, to, onChange }: LayerProps) {
  return (
    <select
      class="chip"
      aria-label={name}
      value={String(value)}
      onChange={(event) => onChange(Number(event.currentTarget.value))}
    >
      {Array.from({ length: to - from + 1 }, (_, at) => (
        <option key={from + at} value={String(from + at)}>
          {from + at}
        </option>
      ))}
    </select>
  );
}
