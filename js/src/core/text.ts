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
const LONGEST_TOKEN = 16;

type Ranges = readonly (readonly [number, number])[];

const ZERO_WIDTH: Ranges = [
  [0x0300, 0x036f],
  [0x0591, 0x05bd],
  [0x064b, 0x065f],
  [0x200b, 0x200f],
  [0x20d0, 0x20ff],
  [0xfe00, 0xfe0f],
  [0x1f3fb, 0x1f3ff],
];
const FULL_WIDTH: Ranges = [
  [0x1100, 0x115f],
  [0x2e80, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f000, 0x1faff],
  [0x20000, 0x3fffd],
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
  let width = 0;
  for (const character of text) width += advance(character);
  return size * width;
}

/** Width of text in a monospace font of the given size. */
export function monoWidth(text: string, size: number): number {
  let width = 0;
  for (const character of text) width += monoAdvance(character);
  return size * width;
}

/** The text, or its longest beginning that fits in `room` with an ellipsis after it. */
export function shorten(text: string, room: number, size: number, mono = false): string {
  const measure = mono ? monoWidth : textWidth;
  if (measure(text, size) <= room) return text;
  let kept = text;
  const cut = () => `${kept.replace(/ +$/, "")}…`;
  while (kept !== "" && measure(cut(), size) > room) kept = beginning(kept, lengthOf(kept) - 1);
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

function sign(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  return within(codeOf(character), UNPRINTABLE) ? "\ufffd" : character;
}

function advance(character: string): number {
  if (NARROW.has(character)) return NARROW_EM;
  if (WIDE.has(character)) return WIDE_EM;
  const code = codeOf(character);
  if (code >= 65 && code <= 90) return UPPER_EM;
  if (code < 0x0300) return NORMAL_EM;
  if (within(code, ZERO_WIDTH)) return 0;
  return within(code, FULL_WIDTH) ? FULL_EM : NORMAL_EM;
}

function monoAdvance(character: string): number {
  const code = codeOf(character);
  if (code < 0x0300) return MONO_EM;
  if (within(code, ZERO_WIDTH)) return 0;
  return within(code, FULL_WIDTH) ? FULL_EM : MONO_EM;
}

function codeOf(character: string): number {
  return character.codePointAt(0) as number;
}

function within(code: number, ranges: Ranges): boolean {
  return ranges.some(([first, last]) => first <= code && code <= last);
}
