// Bundles the frontend into ES modules beside the Python package, and refuses those for notebooks over their size budgets.
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { entries, minified, notebookModules, options, shrunk } from "./bundle.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const watching = process.argv.includes("--watch");
const target = join(here, "..", "circuit_widget", "widget", "static");
// What a page gets of each widget, which a saved notebook keeps: with its first module it is displayed, and the second
// has the panels that are loaded when one of them is opened.
const budgets = {
  "widget.js": { raw: 256_000, gzipped: 80_000 },
  "panels.js": { raw: 100_000, gzipped: 32_000 },
};

const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} KB`;

// Written under another name first, so that a kernel starting meanwhile never reads half a file.
function writeAtomically(path, contents) {
  const draft = `${path}.${process.pid}.draft`;
  writeFileSync(draft, contents);
  renameSync(draft, path);
}

function licences(inputs) {
  const names = new Set();
  for (const input of inputs) {
    const match = input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//);
    if (match) names.add(match[1]);
  }
  const notices = [...names].sort().map((name) => {
    const folder = join(here, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file ? readFileSync(join(folder, file), "utf8").trim() : "";
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return `The frontend contains these libraries:\n\n${notices.join("\n----\n\n")}`;
}

const deliver = (name, contents) => {
  mkdirSync(target, { recursive: true });
  // A kernel that watches the file, for anywidget's hot reload, loses one that is moved away.
  (watching ? writeFileSync : writeAtomically)(join(target, name), contents);
};

const wholeModules = {
  ...options,
  entryPoints: watching ? entries : { "html-page": entries["html-page"] },
  outdir: target,
  metafile: true,
};

/** Writes the modules while the sources change: one for notebooks too, with everything in it. */
async function watch() {
  const written = {
    name: "written",
    setup(build) {
      build.onEnd(({ outputFiles }) => {
        for (const { path, contents } of outputFiles ?? []) deliver(basename(path), contents);
      });
    },
  };
  const plugins = [...options.plugins, written];
  const context = await esbuild.context({ ...wholeModules, plugins, sourcemap: "inline" });
  await context.watch();
}

/** Writes the modules that ship, unless one of them is over its budget. */
async function build() {
  const { metafile, outputFiles } = await esbuild.build({ ...wholeModules, ...minified });
  const notebook = await notebookModules();
  if (process.argv.includes("--analyze")) console.log(await esbuild.analyzeMetafile(notebook.metafile));
  const sizes = Object.entries(notebook.files).map(([name, code]) => {
    const [raw, gzipped] = [Buffer.byteLength(code), gzipSync(code).length];
    const budget = budgets[name];
    const words = `${name}: ${kilobytes(raw)} of ${kilobytes(budget.raw)}, gzipped ${kilobytes(gzipped)} of ${kilobytes(budget.gzipped)}`;
    return { words, over: raw > budget.raw || gzipped > budget.gzipped };
  });
  console.log(sizes.map(({ words }) => words).join("\n"));
  if (sizes.some(({ over }) => over)) throw new Error("A module is over its budget. See: npm run analyze");
  for (const [name, code] of Object.entries(notebook.files)) deliver(name, code);
  deliver("html-page.js", await shrunk(outputFiles[0].text));
  deliver("LICENSES.txt", licences(Object.keys(metafile.inputs)));
}

if (watching) {
  await watch();
} else {
  await build().catch(({ message, errors }) => {
    // esbuild prints its own errors.
    if (errors === undefined) console.error(message);
    process.exit(1);
  });
}
