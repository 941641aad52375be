/** How many of the edges between boxes are drawn, and from which share of a box's input on. */

import type { Signal } from "@preact/signals";
import { Button } from "../controls/button";
import { cutEdges, numberEdges } from "../core/circuit";
import { LEAST_SHARE } from "../layout/constants";
import type { Store } from "../store/store";
import { percent } from "../wording/words";
import { withoutEdges } from "./link-mark";

/** The largest share on the slider, in percent. */
const MOST = 50;

interface Props {
  readonly store: Store;
  readonly drawn: number;
  readonly total: number;
  /** How many of the drawn edges have room for their number. */
  readonly numbered: number;
  /** The share where the slider is while it moves; null at rest. */
  readonly moved: Signal<number | null>;
  /** How many edges between nodes the page does not have. */
  readonly unsent: number;
}

export function EdgeCutoff({ store, drawn, total, numbered, moved, unsent }: Props) {
  const least = leastShareOf(store, moved.value);
  const reading = `edges from ${percent(least)} · ${drawn} of ${total}`;
  const on = store.circuit.value.edge_numbers ?? false;
  const position = Math.min(MOST, Math.round(100 * least));
  return (
    <div class="edge-cutoff">
      <label
        class="slider"
        title={`drawn are edges with at least this share of a box's input, and the strongest into each box${unsent > 0 ? `; shares are about right: ${withoutEdges(unsent)}` : ""}`}
      >
        <span class="reading muted" data-test="edge-count">
          {reading}
        </span>
        <input
          type="range"
          min={0}
          max={MOST}
          value={position}
          style={{ "--filled": `${(100 * position) / MOST}%` }}
          aria-label="Least share of a box's input with which an edge is drawn"
          aria-valuetext={reading}
          data-test="least-share"
          onInput={(event) => {
            moved.value = Number(event.currentTarget.value) / 100;
          }}
          onChange={() => {
            const share = moved.value;
            if (share === null) return;
            moved.value = null;
            store.actions.edit((circuit) => cutEdges(circuit, share), "cutoff of edges");
          }}
        />
      </label>
      <Button
        class="link-button"
        aria-pressed={on}
        title={`write the share of a box's input on each drawn edge${on ? `: ${numbered} of ${drawn} have room` : ""}`}
        data-test="edge-numbers"
        onClick={() =>
          store.actions.edit((circuit) => numberEdges(circuit, !on), on ? "no numbers on edges" : "numbers on edges")
        }
      >
        {on && numbered < drawn ? `numbers · ${numbered}` : "numbers"}
      </Button>
    </div>
  );
}

/** The least share of drawn edges: where the slider is while it moves, else the circuit's. */
export function leastShareOf(store: Store, moved: number | null): number {
  return moved ?? store.circuit.value.least_share ?? LEAST_SHARE;
}
