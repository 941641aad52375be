/** How much of the graph is visible on the map: the share of influence of its nodes and of its edges. */

import type { Thresholds } from "../core/types";
import type { Store } from "../store/store";
import { percent } from "../wording/words";
import { type Hidden, hidden } from "./hidden";

const STEPS = 1000;

export function ThresholdSliders({ store }: { store: Store }) {
  const { node, edge } = store.thresholds.value;
  const { nodes, edges } = hidden(store.snapshot, store.circuit.value, store.visible.value, store.thresholds.value);
  return (
    <>
      <Slider
        store={store}
        which="node"
        name="nodes"
        label="Share of influence of the visible nodes"
        value={node}
        reading={reading(node, nodes)}
      />
      <Slider
        store={store}
        which="edge"
        name="edges"
        label="Share of edge strength of the visible edges"
        value={edge}
        reading={reading(edge, edges)}
      />
    </>
  );
}

/** A threshold, how much is visible with it, and what hides the rest. */
function reading(threshold: number, { visible, total, why }: Hidden): string {
  const reasons = why.filter(([, count]) => count > 0).map(([reason, count]) => `${whole(count)} ${reason}`);
  return [percent(threshold), `${whole(visible)} of ${whole(total)}`, ...reasons].join(" · ");
}

const whole = (count: number): string => count.toLocaleString("en");

interface SliderProps {
  readonly store: Store;
  readonly which: keyof Thresholds;
  readonly name: string;
  readonly label: string;
  readonly value: number;
  readonly reading: string;
}

function Slider({ store, which, name, label, value, reading }: SliderProps) {
  return (
    <label class="slider">
      <span class="muted">{name}</span>
      <input
        type="range"
        min={0}
        max={STEPS}
        value={positionOf(value)}
        style={{ "--filled": `${(100 * positionOf(value)) / STEPS}%` }}
        aria-label={label}
        aria-valuetext={reading}
        data-test={`${which}-threshold`}
        onInput={(event) => {
          const moved = thresholdAt(Number(event.currentTarget.value));
          store.actions.previewThresholds({ ...store.thresholds.value, [which]: moved });
        }}
        onChange={() => store.actions.keepThresholds()}
      />
      <span class="muted reading" title={reading}>
        {reading}
      </span>
    </label>
  );
}

/** In whole percent, and in tenths near the end. Shares crowd towards 1, so that the slider's upper half covers the last fifth: threshold = 1 - (1 - position)^2.3. */
const CURVE = 2.3;

export function thresholdAt(position: number): number {
  const share = 1 - (1 - position / STEPS) ** CURVE;
  const parts = share < 0.95 ? 100 : 1000;
  return Math.round(parts * share) / parts;
}

export function positionOf(threshold: number): number {
  return Math.round(STEPS * (1 - (1 - threshold) ** (1 / CURVE)));
}
