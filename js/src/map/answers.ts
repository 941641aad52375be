/** The likeliest explained tokens, written beside their nodes in the top row. */

import { MOST_ANSWERS } from "../layout/constants";
import type { Area } from "../layout/map-labels";
import type { EffectMessage } from "../messages/types";
import { TOKEN_SIZE } from "../page/constants";
import { apart } from "../text/width";
import { LIKELY } from "../wording/constants";
import { probability, tokenText } from "../wording/words";
import type { Brush } from "./paint";
import { type Camera, frameOf, type Scene, spotOf } from "./scene";

const SPACE = 14;

/** One answer on the map: a token and its probability, written with its right end and middle height at (x, y). */
export interface PlacedAnswer {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

/** As many answers as there is room for left of the output nodes; with an effect, how likely each is after it. */
export function placeAnswers(
  scene: Scene,
  camera: Camera,
  effect: EffectMessage | null,
  measure: (text: string) => number,
): readonly PlacedAnswer[] {
  const { indexOf, snapshot } = scene;
  const indices = snapshot.targets.map((target) => indexOf[target.node]).filter((index) => index >= 0);
  if (indices.length === 0) return [];
  const spots = indices.map((index) => spotOf(scene, camera, index));
  const { y } = spots[0];
  let x = Math.min(...spots.map(({ x: middle, radius }) => middle - radius)) - 7;
  const words = answers(scene, effect);
  const widths = words.map(measure);
  while (words.length > 0 && x - widths.reduce((sum, width) => sum + width + SPACE, 0) < frameOf(scene).left) {
    words.pop();
    widths.pop();
  }
  const placed: PlacedAnswer[] = [];
  // The likeliest is farthest left, as one reads.
  for (let at = words.length - 1; at >= 0; at--) {
    placed.push({ text: words[at], x, y, width: widths[at] });
    x -= widths[at] + SPACE;
  }
  return placed;
}

/** The rectangle that an answer covers: no edge shows there. */
export function answerArea({ x, y, width }: PlacedAnswer): Area {
  return { x0: x - width - 3, y0: y - 8, x1: x + 3, y1: y + 8 };
}

export function paintAnswers({ context, palette, tokenFont }: Brush, placed: readonly PlacedAnswer[]): void {
  context.save();
  context.font = answerFont(tokenFont);
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const answer of placed) {
    const { x0, y0, x1, y1 } = answerArea(answer);
    context.fillStyle = palette.background;
    context.fillRect(x0, y0, x1 - x0, y1 - y0);
    context.fillStyle = palette.answer;
    context.fillText(answer.text, answer.x, answer.y + 0.5);
  }
  context.restore();
}

export function answerFont(tokenFont: string): string {
  return `${TOKEN_SIZE}px ${tokenFont}`;
}

function answers({ snapshot }: Scene, effect: EffectMessage | null): string[] {
  const after = new Map(effect?.tokens.map((token) => [token.token_id, token.after]));
  const likeliest = [...snapshot.targets]
    .sort((a, b) => b.probability - a.probability)
    .filter(
      ({ probability, token_id }, rank) => rank === 0 || Math.max(probability, after.get(token_id) ?? 0) >= LIKELY,
    )
    .slice(0, MOST_ANSWERS);
  return likeliest.map(({ token, token_id, probability: before }) => {
    const now = after.get(token_id);
    return `${apart(tokenText(token))} ${probability(before)}${now === undefined ? "" : ` → ${probability(now)}`}`;
  });
}
