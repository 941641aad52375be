/**
 * Text as a picture shows it: widths without a font, and token text made visible.
 * The port of circuit_widget/wording/text.py.
 */

import { beginning, lengthOf, shortened } from "./characters";
import {
  ADVANCES,
  EMOJI_CODES,
  EMOJI_EM,
  FLAG_LETTER_CODES,
  FULL_EM,
  FULL_WIDTH_CODES,
  JOINER,
  LEFTWARD_CODES,
  LONGEST_TOKEN,
  MONO_EM,
  NARROWER,
  OTHER_EM,
  PER_EM,
  ROUNDING,
  SKIN_TONE_CODES,
  UNPRINTABLE_CODES,
} from "./constants";

type Ranges = readonly (readonly [number, number])[];

const MARK = /^[\p{Mn}\p{Me}\p{Cf}]$/u;

const WIDTHS: ReadonlyMap<string, number> = new Map(
  ADVANCES.flatMap(([first, signs]) =>
    [...signs].flatMap((sign, at): [string, number][] =>
      sign === " " ? [] : [[String.fromCodePoint(first + at), (sign.charCodeAt(0) - 48) / PER_EM]],
    ),
  ),
);

/** Width of text in the interface font of figures at the given size; of characters that it lacks an estimate. */
export function textWidth(text: string, size: number): number {
  return size * widthOf(text, advance);
}

/** Width of text in a monospace font of the given size. */
export function monoWidth(text: string, size: number): number {
  return size * widthOf(text, monoAdvance);
}

/** The text, or its longest beginning that fits in `room` with an ellipsis after it. */
export function shorten(text: string, room: number, size: number, mono = false): string {
  const measure = mono ? monoWidth : textWidth;
  const most = room + ROUNDING;
  if (measure(text, size) <= most) return text;
  let kept = filling(text, most / size, mono ? monoAdvance : advance);
  const cut = () => `${kept.replace(/ +$/, "")}…`;
  while (kept !== "" && measure(cut(), size) > most) kept = beginning(kept, lengthOf(kept) - 1);
  return cut();
}

/**
 * A text in as few lines of similar width as fit in `room`, broken at spaces; one that needs more lines than `most` is
 * shortened in the last of them, and a word that is too wide in its line.
 */
export function wrapped(text: string, room: number, size: number, most: number): readonly string[] {
  const words = text.split(" ");
  const lines = linesOf(words, room, size);
  const shaped =
    lines.length > most
      ? [...lines.slice(0, most - 1), lines.slice(most - 1).join(" ")]
      : (NARROWER.map((part) => linesOf(words, part * room, size)).find((tried) => tried.length === lines.length) ??
        lines);
  return shaped.map((line) => shorten(line, room, size));
}

/** Words in lines, each with as many as fit in `room`, and at least one. */
function linesOf(words: readonly string[], room: number, size: number): string[] {
  const lines = [words[0]];
  for (const word of words.slice(1)) {
    const longer = `${lines[lines.length - 1]} ${word}`;
    if (textWidth(longer, size) <= room + ROUNDING) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/** Token text as one visible line: white space and control characters as signs, at most 16 characters. */
export function tokenLabel(text: string): string {
  const visible = text.replace(/^ +| +$/g, "") || "·".repeat(text.length);
  return printable(shortened(visible, LONGEST_TOKEN));
}

/** The text with control and reordering characters replaced by signs. */
export function printable(text: string): string {
  return [...text].map(sign).join("");
}

/**
 * Text that is put among other words, kept from reordering them: Arabic would turn "0.9 → 0.1" around.
 *
 * Where it has letters that run from right to left it is wrapped in Unicode's first strong isolate (UAX 9).
 */
export function apart(text: string): string {
  return [...text].some((character) => within(codeOf(character), LEFTWARD_CODES)) ? `\u2068${text}\u2069` : text;
}

function sign(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  return within(codeOf(character), UNPRINTABLE_CODES) ? "\ufffd" : character;
}

/** Sum of advances; emoji that are joined to the one before make one picture with it. */
function widthOf(text: string, advance: (character: string) => number): number {
  let width = 0;
  let before = " ";
  for (const character of text) {
    if (before !== JOINER || !within(codeOf(character), EMOJI_CODES)) width += advance(character);
    before = character;
  }
  return width;
}

/** The text up to where it is wider than the room, in em; long texts are not measured again and again. */
function filling(text: string, room: number, advance: (character: string) => number): string {
  let filled = "";
  let width = 0;
  for (const character of text) {
    width += filled.endsWith(JOINER) ? 0 : advance(character);
    filled += character;
    if (width > room) break;
  }
  return filled;
}

function advance(character: string): number {
  return WIDTHS.get(character) ?? otherAdvance(character, OTHER_EM);
}

function monoAdvance(character: string): number {
  return codeOf(character) < 0x0300 ? MONO_EM : otherAdvance(character, MONO_EM);
}

/** Nothing for marks on other characters, more for emoji and for what fills a square. */
function otherAdvance(character: string, usual: number): number {
  const code = codeOf(character);
  if (isMark(character)) return 0;
  if (within(code, EMOJI_CODES)) return EMOJI_EM;
  if (within(code, FLAG_LETTER_CODES)) return EMOJI_EM / 2;
  return within(code, FULL_WIDTH_CODES) ? FULL_EM : usual;
}

function isMark(character: string): boolean {
  return MARK.test(character) || within(codeOf(character), SKIN_TONE_CODES);
}

function codeOf(character: string): number {
  return character.codePointAt(0) as number;
}

function within(code: number, ranges: Ranges): boolean {
  return ranges.some(([first, last]) => first <= code && code <= last);
}
