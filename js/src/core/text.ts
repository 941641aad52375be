/** Text as a picture shows it: widths without a font, and token text made visible. The port of figure/text.py. */

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

type Ranges = readonly (readonly [number, number])[];

const MARK = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const SKIN_TONES: Ranges = [[0x1f3fb, 0x1f3ff]];
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
  const characters = [...text];
  const cut = () => `${characters.join("").replace(/ +$/, "")}…`;
  while (characters.length > 0 && measure(cut(), size) > room) characters.pop();
  return cut();
}

/** Token text as one visible line: white space and control characters as signs, at most 16 characters. */
export function tokenLabel(text: string): string {
  const visible = text.replace(/^ +| +$/g, "") || "·".repeat(text.length);
  const shown = [...visible].map(sign);
  return (shown.length > LONGEST_TOKEN ? [...shown.slice(0, LONGEST_TOKEN - 1), "…"] : shown).join("");
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
  return otherAdvance(character, within(code, SIGNS) ? NORMAL_EM : OTHER_EM);
}

function monoAdvance(character: string): number {
  return codeOf(character) < 0x0300 ? MONO_EM : otherAdvance(character, MONO_EM);
}

/** Nothing for marks on other characters, more for emoji and for what fills a square. */
function otherAdvance(character: string, usual: number): number {
  const code = codeOf(character);
  if (MARK.test(character) || within(code, SKIN_TONES)) return 0;
  if (within(code, EMOJI)) return EMOJI_EM;
  return within(code, FULL_WIDTH) ? FULL_EM : usual;
}

function codeOf(character: string): number {
  return character.codePointAt(0) as number;
}

function within(code: number, ranges: Ranges): boolean {
  return ranges.some(([first, last]) => first <= code && code <= last);
}
