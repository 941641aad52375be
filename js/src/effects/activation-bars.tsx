import { Button } from "../controls/button";
import { ratio } from "../core/effect";
import type { Box, Snapshot } from "../core/types";
import { FARTHEST, LEAST_SCALE } from "../layout/constants";
import type { ComparisonMessage, EffectMessage } from "../messages/types";
import { featuresOf } from "../store/interventions";
import type { Store } from "../store/store";
import { BASIS_CAUTIONS } from "../wording/constants";
import { percent } from "../wording/words";
import { Band } from "./token-bars";

export interface ActivationRow {
  readonly box: Box;
  /** Summed activation after, as a share of before. */
  readonly measured: number;
  readonly predicted: number;
  /** Clamped by the interventions themselves. */
  readonly clamped: boolean;
  /** What it was in the experiment that this one is compared with; null for none. */
  readonly beside: number | null;
}

/** Every box with features, those that fell the most first; those clamped by the interventions last. */
export function activationRows(
  snapshot: Snapshot,
  boxes: readonly Box[],
  effect: EffectMessage,
  compared: ComparisonMessage | null = null,
): readonly ActivationRow[] {
  const changed = new Set(effect.interventions.flatMap((one) => one.nodes));
  const rows: ActivationRow[] = [];
  for (const box of boxes) {
    const features = featuresOf(snapshot, box.nodes);
    const found = features.length === 0 ? null : ratio(effect, features);
    if (found === null || !Number.isFinite(found.measured)) continue;
    const beside = compared === null ? null : (ratio(compared, features)?.measured ?? null);
    rows.push({ box, ...found, clamped: features.every((node) => changed.has(node)), beside });
  }
  return rows.sort((a, b) => Number(a.clamped) - Number(b.clamped) || a.measured - b.measured);
}

/** The scale of the bars: to 125% at least, further only as far as a row needs. */
export function scaleOf(rows: readonly ActivationRow[]): number {
  const most = Math.max(
    LEAST_SCALE,
    ...rows.flatMap((row) => [row.measured, row.predicted, row.beside ?? 0]).filter(Number.isFinite),
  );
  return Math.min(FARTHEST, most);
}

interface Props {
  readonly store: Store;
  readonly effect: EffectMessage;
  readonly compared: ComparisonMessage | null;
}

/** How each box's activation came out: measured as a bar, what the graph predicted as a tick. */
export function ActivationBars({ store, effect, compared }: Props) {
  const rows = activationRows(store.snapshot, store.boxes.value, effect, compared);
  const scale = scaleOf(rows);
  const caution = BASIS_CAUTIONS[store.snapshot.basis];
  return (
    <section>
      <h3>activation after, % of before</h3>
      {rows.length === 0 && <p class="none">pin nodes or group them, and each box shows its activation here</p>}
      <ul>
        {rows.map((row) => (
          <Row key={row.box.id} store={store} row={row} scale={scale} band={bandOf(effect, row.box)} />
        ))}
      </ul>
      <p class="frozen">
        <span data-test="frozen">{effect.frozen}</span>
        <span aria-hidden="true">
          <i /> measured <i /> predicted
          {effect.controls != null && (
            <>
              <i class="band" /> random
            </>
          )}
        </span>
      </p>
      {caution !== "" && (
        <p class="frozen" data-test="caution">
          {caution}
        </p>
      )}
    </section>
  );
}

/** What random controls did to a box, as long as it has as many members as it had then. */
const bandOf = ({ controls }: EffectMessage, { id, nodes }: Box) =>
  controls?.boxes.find((band) => band.id === id && band.size === nodes.length);

interface RowProps {
  readonly store: Store;
  readonly row: ActivationRow;
  readonly scale: number;
  readonly band: ReturnType<typeof bandOf>;
}

function Row({ store, row, scale, band }: RowProps) {
  const { box, measured, predicted, clamped, beside } = row;
  const name = box.name ?? store.nameOf(box.id);
  const at = (share: number): string => `${(100 * Math.min(scale, Math.max(0, share))) / scale}%`;
  return (
    <li>
      <Button
        class={`row activation-row${clamped ? " clamped" : ""}${beside === null ? "" : " two"}`}
        data-test="activation-row"
        data-name={name}
        data-measured={measured}
        data-predicted={predicted}
        title={`measured ${percent(measured)}, predicted ${percent(predicted)}${clamped ? ", clamped by the intervention" : ""}`}
        onClick={() => store.actions.select([box.id], "replace")}
      >
        <span class="clip">{name}</span>
        <span class="track" aria-hidden="true">
          <Band band={band} scale={scale} />
          <span class="measured" style={{ width: at(measured) }} />
          {beside !== null && <span class="beside" style={{ width: at(beside) }} />}
          <span class="unchanged" style={{ left: at(1) }} />
          {Number.isFinite(predicted) && !clamped && <span class="predicted" style={{ left: at(predicted) }} />}
        </span>
        <span class="number">{beside === null ? percent(measured) : `${percent(measured)} · ${percent(beside)}`}</span>
      </Button>
    </li>
  );
}
