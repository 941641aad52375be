import { KIND } from "../core/constants";
import { answersBeside } from "../layout/beside";
import type { PlacedBox } from "../layout/circuit-layout";
import { ROUNDEST } from "../layout/constants";
import { TOKEN_SIZE } from "../page/constants";
import type { Size } from "../page/size";
import { Beside, BoxName } from "./box-mark";
import type { NewAnswer } from "./outcome";
import type { Link, Placed } from "./scene";

interface Props {
  readonly answer: NewAnswer;
  readonly place: PlacedBox;
  readonly paneWidth: number;
}

/** A next token that an intervention made likely, with a dashed edge: no node of the circuit explains it. */
export function AnswerMark({ answer, place, paneWidth }: Props) {
  const { x, y, w, h } = place;
  const outcome = { measured: null, text: answer.text, tone: "above", faded: false, mark: null } as const;
  return (
    <g
      class="box logit new-answer"
      data-test="new-answer"
      data-name={answer.name}
      transform={`translate(${x - w / 2} ${y - h / 2})`}
    >
      <rect class="face" width={w} height={h} rx={ROUNDEST} />
      <BoxName name={answer.name} w={w} h={h} size={TOKEN_SIZE} mono />
      <title>{`${answer.name}, new answer, ${answer.text}`}</title>
      <Beside placed={place} outcome={outcome} paneWidth={paneWidth} />
    </g>
  );
}

/** Where the boxes of new answers are, beside the outputs of the circuit; `others` is what else is drawn there. */
export function placeAnswers(
  answers: readonly NewAnswer[],
  placed: readonly Placed[],
  others: readonly PlacedBox[],
  links: readonly Link[],
  { width, height }: Size,
): readonly PlacedBox[] {
  const outputs = [...placed.keys()].filter((at) => placed[at].kind === KIND.logit);
  const names = answers.map(({ name }) => name);
  const routes = links.map(({ route }) => route);
  return answersBeside(names, outputs, [...placed, ...others], routes, width, height);
}
