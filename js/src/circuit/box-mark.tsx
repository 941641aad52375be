import type { JSX } from "preact";
import { KIND } from "../core/constants";
import { nameLines, type PlacedBox } from "../layout/circuit-layout";
import { BOX_TEXT, CARD, LINE_STEP, NAME_INSET, ROUNDEST, SIDE_LABEL, STRIP } from "../layout/constants";
import { TEXT_SIZE, TOKEN_SIZE } from "../page/constants";
import { shorten, textWidth } from "../text/width";
import type { Outcome } from "./outcome";
import type { Placed } from "./scene";

interface Props {
  readonly placed: Placed;
  /** It is proposed, and in no circuit. */
  readonly ghost?: boolean;
  readonly outcome: Outcome;
  readonly textSize: number;
  readonly paneWidth: number;
  /** The boxes that must not cover the percentage, nor the mark of what was done them. */
  readonly others?: readonly PlacedBox[];
  readonly selected?: boolean;
  readonly hovered?: boolean;
  /** Something is dragged over it and would be merged into it. */
  readonly receiving?: boolean;
  readonly dragged?: boolean;
  readonly focusable: boolean;
  /** Why its name may not fit. */
  readonly doubt?: string;
  /** Its name is being edited over it. */
  readonly renaming?: boolean;
  readonly on: BoxListeners;
}

export type BoxListeners = Pick<
  JSX.IntrinsicElements["g"],
  "onPointerDown" | "onPointerEnter" | "onPointerLeave" | "onFocus" | "onBlur" | "onKeyDown" | "onClick" | "onDblClick"
>;

/** A box of the circuit: a colour edge, cards behind it for several members, its name, and what an effect did to it. */
export function BoxMark(props: Props) {
  const { placed, outcome, textSize, selected, on } = props;
  const { x, y, w, h, cards, box, name, kind } = placed;
  const words = spoken(placed, outcome, props.ghost) + (props.doubt ? `, its name may not fit: ${props.doubt}` : "");
  const mono = kind === KIND.token || kind === KIND.logit;
  const size = mono ? (textSize * TOKEN_SIZE) / BOX_TEXT : textSize;
  const radius = Math.min(ROUNDEST, h / 6);
  const classes = ["box", KINDS[kind ?? -1], outcome.faded && "faded", props.ghost && "proposed"];
  for (const state of ["selected", "hovered", "receiving", "dragged"] as const) classes.push(props[state] && state);
  const place = `translate(${round(x - w / 2)} ${round(y - h / 2)})`;
  return (
    <>
      {/* biome-ignore lint/a11y/useSemanticElements: SVG has no button. */}
      <g
        class={classes.filter(Boolean).join(" ")}
        data-test={props.ghost ? "ghost" : "box"}
        data-id={box.id}
        data-name={name}
        data-kind={KINDS[kind ?? -1]}
        data-percent={outcome.measured === null ? undefined : Math.round(100 * outcome.measured)}
        role="button"
        tabIndex={props.focusable ? 0 : -1}
        aria-pressed={props.ghost ? undefined : selected}
        aria-label={words}
        style={box.color === null ? undefined : { "--hue": `var(--supernode-${box.color})` }}
        transform={place}
        {...on}
      >
        <Cards cards={cards} w={w} h={h} radius={radius} />
        <rect class="ring" x={-3} y={-3} width={w + 6} height={h + 6} rx={radius + 3} />
        <rect class="face" width={w} height={h} rx={radius} />
        {box.color !== null && <path class="edge-hue" d={hueEdge(h, radius)} />}
        {!props.renaming && (
          <BoxName
            name={name}
            w={w}
            h={h}
            shift={box.color === null ? 0 : 2}
            size={size}
            scale={textSize / BOX_TEXT}
            mono={mono}
          />
        )}
        {props.doubt !== undefined && (
          <g class="doubt" data-test="doubt">
            <circle r={7} />
            <text>?</text>
          </g>
        )}
        <title>{words}</title>
      </g>
      <g class="outcome-of" data-test="box-outcome" data-id={box.id} transform={place}>
        <Beside {...props} />
      </g>
    </>
  );
}

interface NameProps {
  readonly name: string;
  readonly w: number;
  readonly h: number;
  /** To the right, of its middle. */
  readonly shift?: number;
  readonly size: number;
  readonly scale?: number;
  readonly mono?: boolean;
}

/** The name of a box in the middle of it. */
export function BoxName({ name, w, h, shift = 0, size, scale = 1, mono = false }: NameProps) {
  const lines = nameLines(name);
  return lines.map((line, at) => (
    <text
      key={at}
      class="box-name"
      x={w / 2 + shift}
      y={h / 2 + LINE_STEP * scale * (at - (lines.length - 1) / 2)}
      font-size={size}
    >
      {shorten(line, w - NAME_INSET * scale, size, mono)}
    </text>
  ));
}

/** The cards behind a box of several nodes. */
export function Cards({ cards, w, h, radius }: { cards: number; w: number; h: number; radius: number }) {
  return Array.from({ length: cards }, (_, at) => {
    const shift = CARD * (cards - at);
    return <rect key={shift} class="card" x={shift} y={-shift} width={w} height={h} rx={radius} />;
  });
}

const KINDS: Readonly<Record<number, string>> = {
  [-1]: "supernode",
  [KIND.feature]: "feature",
  [KIND.error]: "error",
  [KIND.token]: "token",
  [KIND.logit]: "logit",
};

const round = (value: number): number => Math.round(10 * value) / 10;

function hueEdge(h: number, r: number): string {
  return `M${STRIP} 0H${r}A${r} ${r} 0 0 0 0 ${r}V${h - r}A${r} ${r} 0 0 0 ${r} ${h}H${STRIP}Z`;
}

/** Room for the percentage at the right of a box. */
export const textRoom = ({ text }: Outcome): number => (text === "" ? 0 : 10 + textWidth(text, TEXT_SIZE));

/** Room for the mark of what was done at the left of a box. */
export const markRoom = ({ mark }: Outcome): number => (mark === null ? 0 : 22 + textWidth(mark, TOKEN_SIZE));

interface BesideProps {
  readonly placed: PlacedBox;
  readonly outcome: Outcome;
  readonly paneWidth: number;
  readonly others?: readonly PlacedBox[];
}

/** The percentage at the right of the box and what was done to it at the left, inside the pane. */
export function Beside({ placed, outcome, paneWidth, others = [] }: BesideProps) {
  const { x, w, h, cards } = placed;
  const right = x + w / 2 + CARD * cards;
  const room = textRoom(outcome);
  const inside = right + room <= paneWidth && !others.some((one) => one !== placed && hides(one, placed, right + room));
  const mark = outcome.mark;
  const markWidth = markRoom(outcome) - 8;
  const markLeft = -markWidth - 8;
  const start = x - w / 2 + markLeft;
  const aside = start >= 2 && !others.some((one) => one !== placed && isTaken(one, start, placed.y, markWidth));
  const [markX, markY] = aside ? [markLeft, h / 2 - 10] : [Math.max(-markWidth / 2, w / 2 - x), -13];
  return (
    <>
      {outcome.text !== "" && (
        <text
          class={`beside ${outcome.tone}`}
          x={inside ? w + CARD * cards + 7 : w}
          y={inside ? h / 2 : -8 - CARD * cards}
          text-anchor={inside ? "start" : "end"}
        >
          {outcome.text}
        </text>
      )}
      {mark !== null && (
        <g class="done" transform={`translate(${round(markX)} ${round(markY)})`}>
          <rect width={markWidth} height={20} rx={10} />
          <text x={markWidth / 2} y={10}>
            {mark}
          </text>
        </g>
      )}
    </>
  );
}

/** Whether a box lies over the text at the right of another one, which ends at `end`. */
function hides(other: PlacedBox, { x, y, h }: PlacedBox, end: number): boolean {
  return other.x > x && other.x - other.w / 2 < end && Math.abs(other.y - y) < (other.h + h) / 2;
}

/** Whether a mark would cover a box or the percentage beside it. */
function isTaken(other: PlacedBox, x: number, y: number, room: number): boolean {
  const right = other.x + other.w / 2 + CARD * other.cards + SIDE_LABEL;
  return other.x - other.w / 2 < x + room && right > x && Math.abs(other.y - y) < other.h / 2 + 10;
}

function spoken({ name, box, kind }: Placed, outcome: Outcome, ghost = false): string {
  const what = kind === null ? `supernode of ${box.nodes.length}` : KINDS[kind];
  const done = outcome.mark === null ? "" : `, ${outcome.mark}`;
  const after = outcome.text === "" ? "" : `, ${outcome.text}`;
  return `${name}, ${ghost ? "proposed " : ""}${what}${done}${after}`;
}
