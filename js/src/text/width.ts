/** Text as a picture shows it: widths without a font, and token text made visible. The port of figure/text.py. */

import { beginning, lengthOf, shortened } from "./characters";

const NARROW = new Set("iljtfrI.,:;'|!()[]{}/\\`-\" ");
const WIDE = new Set("mwMWQOG@%&+=<>~→←×…—");
const NARROW_EM = 0.33;
const NORMAL_EM = 0.56;
const UPPER_EM = 0.67;
const WIDE_EM = 0.82;
const FULL_EM = 1.0;
const MONO_EM = 0.6;
const OTHER_EM = 0.62;
const EMOJI_EM = 1.25;
const LONGEST_TOKEN = 16;
const JOINER = "\u200d";
/** What sums of widths may differ by, so that the screen cuts where a figure does. */
const ROUNDING = 1e-6;

type Ranges = readonly (readonly [number, number])[];

const MARK = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const SKIN_TONES: Ranges = [[0x1f3fb, 0x1f3ff]];
// Two of them make one flag.
const FLAG_LETTERS: Ranges = [[0x1f1e6, 0x1f1ff]];
const FULL_WIDTH: Ranges = [
  [0x1100, 0x115f],
  [0x2e80, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f000, 0x1f2ff],
  [0x20000, 0x3fffd],
];
const EMOJI: Ranges = [[0x1f300, 0x1faff]];
// Punctuation, arrows, symbols.
const SIGNS: Ranges = [[0x2000, 0x2bff]];
// Scripts that run from right to left.
const LEFTWARD: Ranges = [
  [0x0590, 0x08ff],
  [0xfb1d, 0xfdff],
  [0xfe70, 0xfefe],
  [0x10800, 0x10fff],
  [0x1e800, 0x1efff],
];
// Controls and marks that reorder the text around them; line breaks have a sign of their own.
const UNPRINTABLE: Ranges = [
  [0x0000, 0x001f],
  [0x007f, 0x009f],
  [0x2028, 0x202e],
  [0x2066, 0x2069],
  [0xd800, 0xdfff],
  [0xfeff, 0xfeff],
  [0xfffe, 0xffff],
];

/** Width of text in an interface font of the given size, estimated by class of character. */
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
  return [...text].some((character) => within(codeOf(character), LEFTWARD)) ? `\u2068${text}\u2069` : text;
}

function sign(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  return within(codeOf(character), UNPRINTABLE) ? "\ufffd" : character;
}

/** Sum of advances; emoji that are joined to the one before make one picture with it. */
function widthOf(text: string, advance: (character: string) => number): number {
  let width = 0;
  let before = " ";
  for (const character of text) {
    if (before !== JOINER || !within(codeOf(character), EMOJI)) width += advance(character);
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
  if (NARROW.has(character)) return NARROW_EM;
  if (WIDE.has(character)) return WIDE_EM;
  const code = codeOf(character);
  if (code >= 65 && code <= 90) return UPPER_EM;
  if (code < 0x0300) return NORMAL_EM;
  return otherAdvance(character, within(code, SIGNS) ? NORMAL_EM : OTHER_EM);
}

function monoAdvance(character: string): number {
  return codeOf(character) < 0x0300 ? MONO_EM : otherAdvance(character, MONO_EM);
}

/** Nothing for marks on other characters, more for emoji and for what fills a square. */
function otherAdvance(character: string, usual: number): number {
  const code = codeOf(character);
  if (isMark(character)) return 0;
  if (within(code, EMOJI)) return EMOJI_EM;
  if (within(code, FLAG_LETTERS)) return EMOJI_EM / 2;
  return within(code, FULL_WIDTH) ? FULL_EM : usual;
}

function isMark(character: string): boolean {
  return MARK.test(character) || within(codeOf(character), SKIN_TONES);
}

function codeOf(character: string): number {
  return character.codePointAt(0) as number;
}

function within(code: number, ranges: Ranges): boolean {
  return ranges.some(([first, last]) => first <= code && code <= last);
}
