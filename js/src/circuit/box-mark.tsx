import { KIND } from "../core/constants";
import type { PlacedBox } from "../layout/circuit-layout";
import { BOX_TEXT, CARD, NAME_INSET, ROUNDEST, STRIP } from "../layout/constants";
import { TEXT_SIZE, TOKEN_SIZE } from "../page/constants";
import { shorten, textWidth } from "../text/width";
import type { Outcome } from "./outcome";
import type { Placed } from "./scene";

interface Props {
  readonly placed: Placed;
  readonly outcome: Outcome;
  readonly textSize: number;
  readonly paneWidth: number;
  readonly selected: boolean;
  readonly hovered: boolean;
  /** Something is dragged over it and would be merged into it. */
  readonly receiving: boolean;
  readonly dragged: boolean;
  readonly focusable: boolean;
  /** Its name is being edited over it. */
  readonly renaming: boolean;
  readonly on: BoxListeners;
}

export interface BoxListeners {
  readonly onPointerDown: (event: PointerEvent) => void;
  readonly onPointerEnter: () => void;
  readonly onPointerLeave: () => void;
  readonly onFocus: () => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
  readonly onDblClick: () => void;
}

/** A box of the circuit: a colour edge, cards behind it for several members, its name, and what an effect did to it. */
export function BoxMark(props: Props) {
  const { placed, outcome, textSize, selected, on } = props;
  const { x, y, w, h, cards, box, name, kind } = placed;
  const words = spoken(placed, outcome);
  const mono = kind === KIND.token || kind === KIND.logit;
  const size = mono ? (textSize * TOKEN_SIZE) / BOX_TEXT : textSize;
  const radius = Math.min(ROUNDEST, h / 6);
  const classes = ["box", KINDS[kind ?? -1], outcome.faded && "faded"];
  for (const state of ["selected", "hovered", "receiving", "dragged"] as const) classes.push(props[state] && state);
  const place = `translate(${round(x - w / 2)} ${round(y - h / 2)})`;
  return (
    <>
      {/* biome-ignore lint/a11y/useSemanticElements: SVG has no button. */}
      <g
        class={classes.filter(Boolean).join(" ")}
        data-test="box"
        data-id={box.id}
        data-name={name}
        data-kind={KINDS[kind ?? -1]}
        data-percent={outcome.measured === null ? undefined : Math.round(100 * outcome.measured)}
        role="button"
        tabIndex={props.focusable ? 0 : -1}
        aria-pressed={selected}
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
          <text class="box-name" x={box.color === null ? w / 2 : w / 2 + 2} y={h / 2} font-size={size}>
            {shorten(name, w - NAME_INSET, size, mono)}
          </text>
        )}
        <title>{words}</title>
      </g>
      <g class="outcome-of" data-test="box-outcome" data-id={box.id} transform={place}>
        <Beside {...props} />
      </g>
    </>
  );
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
}

/** The percentage at the right of the box and what was done to it at the left, inside the pane. */
export function Beside({ placed, outcome, paneWidth }: BesideProps) {
  const { x, w, h, cards } = placed;
  const right = x + w / 2 + CARD * cards;
  const inside = right + textRoom(outcome) <= paneWidth;
  const mark = outcome.mark;
  const markWidth = markRoom(outcome) - 8;
  const markLeft = x - w / 2 - markWidth - 8 >= 2 ? -markWidth - 8 : w / 2 - markWidth / 2;
  const markTop = markLeft < 0 ? h / 2 - 10 : h + 3;
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
        <g class="done" transform={`translate(${round(markLeft)} ${round(markTop)})`}>
          <rect width={markWidth} height={20} rx={10} />
          <text x={markWidth / 2} y={10}>
            {mark}
          </text>
        </g>
      )}
    </>
  );
}

function spoken({ name, box, kind }: Placed, outcome: Outcome): string {
  const what = kind === null ? `supernode of ${box.nodes.length}` : KINDS[kind];
  const done = outcome.mark === null ? "" : `, ${outcome.mark}`;
  const after = outcome.text === "" ? "" : `, ${outcome.text}`;
  return `${name}, ${what}${done}${after}`;
}
