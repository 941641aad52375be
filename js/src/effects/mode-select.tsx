import type { Mode } from "../messages/types";
import { run } from "../store/interventions";
import { modeOf } from "../store/mode";
import type { Store } from "../store/store";
import { MODES, RANGE_FROZEN } from "../wording/constants";
import { frozenBy } from "../wording/words";

const CONSTRAINED = "constrained";

/** The layer range of a constrained mode; null for the other modes. */
export function rangeOf(mode: Mode): readonly [number, number] | null {
  const range = /^(\d+)-(\d+)$/.exec(mode);
  return range === null ? null : [Number(range[1]), Number(range[2])];
}

/** What is frozen while the model re-runs. A change re-runs the displayed experiment. */
export function ModeSelect({ store }: { store: Store }) {
  const mode = modeOf(store).value;
  const range = rangeOf(mode);
  const last = store.snapshot.nLayers - 1;

  function choose(next: Mode): void {
    modeOf(store).value = next;
    const displayed = store.effect.value;
    if (displayed !== null) void run(store, displayed.interventions, next);
  }

  return (
    <span class="mode">
      <select
        class="chip"
        data-test="mode"
        aria-label="What is frozen while the model re-runs"
        title={frozenBy(mode)}
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
        <option value={CONSTRAINED}>{`constrained: ${RANGE_FROZEN}`}</option>
      </select>
      {range !== null && (
        <span class="range">
          <LayerSelect
            name="first frozen layer"
            value={range[0]}
            from={0}
            to={last}
            onChange={(first) => choose(`${first}-${Math.max(first, range[1])}`)}
          />
          –
          <LayerSelect
            name="last frozen layer"
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
