// Which property names the bundle may shorten: those that only our own modules speak. Whatever another side may read or
// write under its name is kept: messages, what the host hands over, the browser, Preact, and any name spelled in quotes.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const js = join(dirname(fileURLToPath(import.meta.url)), "..");
const modules = join(js, "node_modules");

// Modules whose names others know: the kernel, the notebook, the style sheet.
const SPOKEN = ["messages.ts", "host.ts", "theme.ts"];

// Names that also stand in quotes or are known to the browser, yet are never looked up on anything but our own values.
const OURS = [
  "actions",
  "camera",
  "capabilities",
  "edgeSource",
  "edgeTarget",
  "edgeWeight",
  "exportFigure",
  "influence",
  "inputTotal",
  "members",
  "placed",
  "renaming",
  "selection",
  "snapshot",
  "store",
  "thresholds",
  "visible",
];

/** The property names to shorten. */
export function shortened() {
  const used = new Set();
  const spoken = new Set();
  const known = new Set();
  for (const path of declarations()) addAll(known, names(readFileSync(path, "utf8")));
  for (const path of filesUnder(join(js, "src"), /\.tsx?$/)) {
    const text = readFileSync(path, "utf8");
    addAll(SPOKEN.some((name) => path.endsWith(name)) ? spoken : used, names(text));
    for (const [, quoted] of text.matchAll(/(?<!\b(?:class|data-test)=)"([A-Za-z_$][\w$]*)"/g)) known.add(quoted);
  }
  const ours = (name) => !spoken.has(name) && (!known.has(name) || OURS.includes(name));
  // A text such as `controls${count}` looks like a name with a dollar, which means something else to a pattern.
  return [...used].filter((name) => name.length > 2 && !name.includes("$") && ours(name)).sort();
}

/** What declares the names of the browser and of the libraries; the minified libraries too, for their own shortened ones. */
function declarations() {
  const browser = filesUnder(join(modules, "@typescript"), /\blib\.(es|dom|decorators)[\w.]*\.d\.ts$/);
  if (browser.length === 0) throw new Error("TypeScript's declarations of the browser were not found.");
  const libraries = ["preact", "@preact"].flatMap((name) => filesUnder(join(modules, name), /\.(mjs|d\.ts)$/));
  return [...browser, ...libraries];
}

function filesUnder(folder, pattern) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => pattern.test(path));
}

function names(text) {
  return text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*/gm, "").match(/[A-Za-z_$][\w$]*/g) ?? [];
}

function addAll(set, values) {
  for (const value of values) set.add(value);
}
