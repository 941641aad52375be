// Says once what a bundle says often: strings, the browser's longer names, `null`. Each becomes a constant of the module
// where that is shorter. Minifiers leave this out, since a compressed file gains little by it; a widget's source, though,
// is sent to the page and saved in notebooks as it is.
import { phrases } from "./phrases.mjs";
import { edited, treeOf, visit } from "./tree.mjs";

const PREFIX = "repeated_";
// What a constant's name takes once it is shortened, at most.
const SHORT = 2;
const LONG_TEXT = 400;
// What goes around a constant in the place of a value, and of a property's name.
const VALUE = [" ", " "];
const NAME = ["[", "]"];
// Objects whose functions do without `this`.
const NAMESPACES = ["Array", "JSON", "Math", "Number", "Object"];
const GLOBALS = [...NAMESPACES, "Error", "Map", "Set", "String", "Float32Array", "Uint8Array", "Uint32Array"];

/** The code of an ES module with its repeated values taken out into constants, which have yet to get short names. */
export function withoutRepeats(code) {
  const uses = new Map();
  const add = (use) => uses.set(use.value, [...(uses.get(use.value) ?? []), use]);
  const texts = [];
  visit(treeOf(code), null, (node, parent) => {
    const use = isLongText(node) ? null : repeatable(node, parent);
    if (isLongText(node)) texts.push(node);
    else if (use !== null) add(use);
    return use !== null;
  });
  for (const { phrase, places } of phrases(texts.map(({ raw }) => raw))) {
    for (const { text, at } of places) {
      const start = texts[text].start + at;
      add({ start, end: start + phrase.length, value: JSON.stringify(phrase), around: ["${", "}"] });
    }
  }

  const worthwhile = [...uses].filter(([value, places]) => {
    const saved = places.map(({ start, end, around }) => end - start - SHORT - around.join("").trim().length);
    return saved.reduce((sum, one) => sum + one) > value.length + SHORT + ",=".length;
  });
  // The shortest names are given out first.
  worthwhile.sort(([, one], [, other]) => other.length - one.length);
  const constants = worthwhile.map(([value], index) => `${PREFIX}${index}=${value}`);
  const edits = worthwhile.flatMap(([, places], index) =>
    places.map(({ start, end, around }) => ({ start, end, text: around.join(PREFIX + index) })),
  );
  for (const { start, end } of texts) {
    edits.push({ start, end: start + 1, text: "`" }, { start: end - 1, end, text: "`" });
  }
  return constants.length === 0 ? code : `const ${constants.join(",")};${edited(code, edits)}`;
}

/** Whether a node is a string whose phrases can be taken out, once backticks stand around it. */
function isLongText({ type, value, raw }) {
  return type === "Literal" && typeof value === "string" && value.length >= LONG_TEXT && !/[`\\]|\$\{/.test(raw);
}

/** Where a constant could stand for a node, for which value, and what goes around it; null for nowhere. */
function repeatable(node, parent) {
  const { type, start, end } = node;
  const isKey = parent?.type === "Property" && parent.key === node && !parent.computed;
  const isMember = parent?.type === "MemberExpression" && parent.property === node && !parent.computed;
  if (type === "Literal") {
    if (/^(Import|Export)/.test(parent.type) || (node.raw !== "null" && typeof node.value !== "string")) return null;
    return { start, end, value: JSON.stringify(node.value), around: isKey ? NAME : VALUE };
  }
  if (type === "UnaryExpression" && node.operator === "void" && node.argument.value === 0) {
    return { start, end, value: "void 0", around: VALUE };
  }
  if (type === "MemberExpression" && !node.computed && NAMESPACES.includes(node.object.name)) {
    return { start, end, value: `${node.object.name}.${node.property.name}`, around: VALUE };
  }
  if (type !== "Identifier" || parent.shorthand) return null;
  if (isKey || isMember) {
    const dot = isMember && !parent.optional ? ".".length : 0;
    return { start: start - dot, end, value: JSON.stringify(node.name), around: NAME };
  }
  return GLOBALS.includes(node.name) ? { start, end, value: node.name, around: VALUE } : null;
}
