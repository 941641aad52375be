/**
 * Text by whole characters: what UTF-8 can encode, and where a text may be cut. The port of circuit_widget/characters.py.
 *
 * Lengths count code points, never UTF-16 units. Both sides are tested on tests/fixtures/characters.json.
 */

const HALF = /\p{Cs}/gu;
const JOINER = "\u200d";
const REGIONAL = /^\p{RI}$/u;
// Marks, joiners, half-width voicing marks, skin tones, tags of flags, and the vowels and finals of Korean syllables.
const EXTENDING =
  /^[\p{M}\p{Join_Control}\p{Emoji_Modifier}\uff9e\uff9f\u{e0020}-\u{e007f}\u1160-\u11ff\ud7b0-\ud7fb]$/u;

/** Number of code points. */
export function lengthOf(text: string): number {
  return [...text].length;
}

/** The text with the replacement character in place of every lone surrogate. */
export function repaired(text: string): string {
  return text.replace(HALF, "\ufffd");
}

/** The same JSON value with every text in it, keys included, repaired. */
export function allRepaired<Value>(value: Value): Value {
  if (typeof value === "string") return repaired(value) as Value;
  if (Array.isArray(value)) return value.map(allRepaired) as Value;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [repaired(key), allRepaired(inner)])) as Value;
}

/**
 * The longest beginning of at most `most` code points that splits no visible character: a letter with its marks, a flag,
 * a joined or coloured emoji. Where a single one has more than `most` code points, the beginning is cut inside it.
 */
export function beginning(text: string, most: number): string {
  const characters = [...text];
  if (characters.length <= most) return text;
  let end = most;
  while (end > 0 && splits(characters, end)) end -= 1;
  return characters.slice(0, end || most).join("");
}

/** A text of at most `most` code points: the text itself, or its beginning with an ellipsis after it. */
export function shortened(text: string, most: number): string {
  return lengthOf(text) <= most ? text : `${beginning(text, most - 1)}…`;
}

/** Whether a cut before a code point falls inside a visible character. */
function splits(characters: readonly string[], index: number): boolean {
  if (characters[index - 1] === JOINER || EXTENDING.test(characters[index])) return true;
  if (!REGIONAL.test(characters[index])) return false;
  let before = index;
  while (before > 0 && REGIONAL.test(characters[before - 1])) before -= 1;
  return (index - before) % 2 === 1;
}
