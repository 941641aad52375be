/** A line plot and a scatter plot, as small as a panel: measured solid, predicted dashed or as the line of equality. */

import { shorten } from "../text/width";
import { decimal } from "../wording/words";

const WIDTH = 284;
const HEIGHT = 168;
const LEFT = 30;
const TOP = 8;
const BOTTOM = HEIGHT - 18;
/** What names of lines take at the right. */
const NAMES = 66;
const NAME_HEIGHT = 12;

export type Range = readonly [number, number];

export interface PlotLine {
  readonly name: string;
  /** Index into the hues of supernodes. */
  readonly hue: number;
  /** What it was before, drawn as a dotted level; null for none. */
  readonly before: number | null;
  readonly measured: readonly number[];
  readonly predicted: readonly number[];
}

interface LinesProps {
  readonly label: string;
  /** What is varied, named under the axis. */
  readonly axis: string;
  readonly at: readonly number[];
  readonly names: readonly string[];
  readonly across: Range;
  readonly up: Range;
  readonly lines: readonly PlotLine[];
  /** A point was clicked: its index in `at`. */
  readonly onPick?: (index: number) => void;
}

/** Lines over a range of numbers; a point can be clicked. */
export function LinePlot({ label, axis, at, names, across, up, lines, onPick }: LinesProps) {
  const right = WIDTH - NAMES;
  const x = scale(across, LEFT, right);
  const y = scale(up, BOTTOM, TOP);
  const path = (values: readonly number[]) =>
    values.map((value, index) => `${index === 0 ? "M" : "L"}${x(at[index])} ${y(clamp(value, up))}`).join("");
  const ends = spread(lines.map(({ measured }) => y(clamp(measured.at(-1) ?? up[0], up))));
  return (
    <svg class="plot" data-test="plot" role="img" aria-label={label} viewBox={`0 0 ${WIDTH} ${HEIGHT}`}>
      <Axes across={across} up={up} right={right} whole />
      <text class="axes" x={right + 5} y={HEIGHT - 5}>
        {axis}
      </text>
      {lines.map(({ name, hue, before, measured, predicted }, number) => (
        <g key={name} data-test="plot-line" data-name={name} style={{ "--hue": `var(--supernode-${hue % 6})` }}>
          {before !== null && <path class="level" d={`M${LEFT} ${y(clamp(before, up))}H${right}`} />}
          <path class="guess" d={path(predicted)} />
          <path d={path(measured)} />
          <rect x={right + 5} y={ends[number] - 3} width={6} height={6} />
          <text x={right + 14} y={ends[number] + 3.5}>
            {shorten(name, NAMES - 16, 10, false)}
          </text>
          {measured.map((value, index) => (
            // biome-ignore lint/a11y/noStaticElementInteractions: a shortcut; the toolbar does the same by keyboard.
            <circle
              key={names[index]}
              cx={x(at[index])}
              cy={y(clamp(value, up))}
              r={2.5}
              data-index={index}
              onClick={() => onPick?.(index)}
            >
              <title>{`${names[index]}: ${name} ${decimal(value)}, predicted ${decimal(predicted[index])}`}</title>
            </circle>
          ))}
        </g>
      ))}
    </svg>
  );
}

export interface PlotPoint {
  readonly name: string;
  readonly across: number;
  readonly up: number;
  readonly hollow: boolean;
}

/** Points against the line on which both numbers are the same. */
export function ScatterPlot({ label, points }: { label: string; points: readonly PlotPoint[] }) {
  const numbers = points.flatMap(({ across, up }) => [across, up]);
  const both: Range = [Math.min(0, ...numbers), Math.max(0, ...numbers) || 1];
  const x = scale(both, LEFT, WIDTH - 8);
  const y = scale(both, BOTTOM, TOP);
  return (
    <svg class="plot" data-test="scatter" role="img" aria-label={label} viewBox={`0 0 ${WIDTH} ${HEIGHT}`}>
      <Axes across={both} up={both} right={WIDTH - 8} />
      <path class="level" d={`M${x(both[0])} ${y(both[0])}L${x(both[1])} ${y(both[1])}`} />
      {points.map(({ name, across, up, hollow }, index) => (
        <circle key={index} class={hollow ? "hollow" : ""} cx={x(across)} cy={y(up)} r={3}>
          <title>{`${name}: predicted ${decimal(across)}, measured ${decimal(up)}`}</title>
        </circle>
      ))}
    </svg>
  );
}

function Axes({ across, up, right, whole = false }: { across: Range; up: Range; right: number; whole?: boolean }) {
  const x = scale(across, LEFT, right);
  const y = scale(up, BOTTOM, TOP);
  return (
    <g class="axes">
      {ticks(up, 4).map((value) => (
        <g key={value}>
          <path d={`M${LEFT} ${y(value)}H${right}`} />
          <text x={LEFT - 4} y={y(value) + 3.5} text-anchor="end">
            {short(value)}
          </text>
        </g>
      ))}
      {ticks(across, 6, whole).map((value) => (
        <text key={value} x={x(value)} y={HEIGHT - 5} text-anchor="middle">
          {short(value)}
        </text>
      ))}
    </g>
  );
}

const short = (value: number): string => String(Number(value.toPrecision(3))).replace("-", "−");

const clamp = (value: number, [low, high]: Range): number => Math.min(high, Math.max(low, value));

function scale([low, high]: Range, from: number, to: number): (value: number) => number {
  return (value) => Math.round(10 * (from + ((value - low) / (high - low || 1)) * (to - from))) / 10;
}

/** Round numbers within a range, about as many as requested. */
export function ticks([low, high]: Range, count: number, whole = false): readonly number[] {
  const raw = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = Math.max(whole ? 1 : 0, power * ([1, 2, 5].find((factor) => factor * power >= raw) ?? 10));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

/** Heights for names beside heights of lines, moved apart so that none covers another. */
export function spread(heights: readonly number[]): readonly number[] {
  const order = heights.map((_, index) => index).sort((a, b) => heights[a] - heights[b]);
  const placed = [...heights];
  let free = Number.NEGATIVE_INFINITY;
  for (const index of order) {
    placed[index] = Math.max(placed[index], free);
    free = placed[index] + NAME_HEIGHT;
  }
  // Pushed past the bottom, they go up again from there.
  let roof = BOTTOM + NAME_HEIGHT - 4;
  for (const index of order.reverse()) {
    placed[index] = Math.min(placed[index], roof - NAME_HEIGHT);
    roof = placed[index];
  }
  return placed;
}
