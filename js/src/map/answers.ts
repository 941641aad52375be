/** The likeliest explained tokens, written beside their nodes in the top row. */

import { MOST_ANSWERS } from "../layout/constants";
import { TOKEN_SIZE } from "../page/constants";
import { apart } from "../text/width";
import type { EffectMessage } from "../wire/types";
import { LIKELY } from "../wording/constants";
import { probability, tokenText } from "../wording/words";
import type { Brush } from "./paint";
import { frameOf, type Scene, spotOf } from "./scene";

const SPACE = 14;

/** Draws as many answers as there is room for left of the output nodes; with an effect, how likely each is after it. */
export function paintAnswers(brush: Brush, scene: Scene, effect: EffectMessage | null): void {
  const { context, palette, camera } = brush;
  const { indexOf, snapshot } = scene;
  const indices = snapshot.targets.map((target) => indexOf[target.node]).filter((index) => index >= 0);
  if (indices.length === 0) return;
  const spots = indices.map((index) => spotOf(scene, camera, index));
  const { y } = spots[0];
  let right = Math.min(...spots.map(({ x, radius }) => x - radius)) - 7;
  context.save();
  context.font = `${TOKEN_SIZE}px ${brush.tokenFont}`;
  context.textAlign = "right";
  context.textBaseline = "middle";
  const widths: number[] = [];
  const words = answers(scene, effect);
  for (const text of words) widths.push(context.measureText(text).width);
  while (words.length > 0 && right - widths.reduce((sum, width) => sum + width + SPACE, 0) < frameOf(scene).left) {
    words.pop();
    widths.pop();
  }
  // The likeliest is farthest left, as one reads.
  for (let at = words.length - 1; at >= 0; at--) {
    context.fillStyle = palette.background;
    context.fillRect(right - widths[at] - 3, y - 8, widths[at] + 6, 16);
    context.fillStyle = palette.answer;
    context.fillText(words[at], right, y + 0.5);
    right -= widths[at] + SPACE;
  }
  context.restore();
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
