// Bundles the frontend into ES modules beside the Python package, and refuses one for notebooks over its size budget.
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { entries, minified, options, shrunk } from "./bundle.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const watching = process.argv.includes("--watch");
const target = join(here, "..", "circuit_widget", "widget", "static");
const budget = { raw: 256_000, gzipped: 80_000 };

const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} KB`;

// Written under another name first, so that a kernel starting meanwhile never reads half a file.
function writeAtomically(path, contents) {
  const draft = `${path}.${process.pid}.draft`;
  writeFileSync(draft, contents);
  renameSync(draft, path);
}

function licences(inputs) {
  const names = new Set();
  for (const input of Object.keys(inputs)) {
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
  return `widget.js contains these libraries:\n\n${notices.join("\n----\n\n")}`;
}

const deliver = {
  name: "deliver",
  setup(build) {
    build.onEnd(async ({ errors, metafile, outputFiles }) => {
      if (errors.length > 0) return;
      mkdirSync(target, { recursive: true });
      const size = {};
      for (const { path, contents, text } of outputFiles) {
        const code = watching ? contents : Buffer.from(await shrunk(text));
        // A kernel that watches the file, for anywidget's hot reload, loses one that is moved away.
        (watching ? writeFileSync : writeAtomically)(path, code);
        if (basename(path) === "widget.js") Object.assign(size, { raw: code.length, gzipped: gzipSync(code).length });
      }
      writeAtomically(join(target, "LICENSES.txt"), licences(metafile.inputs));
      if (process.argv.includes("--analyze")) console.log(await esbuild.analyzeMetafile(metafile));
      if (watching) return;
      const sizes = `${kilobytes(size.raw)} of ${kilobytes(budget.raw)}, gzipped ${kilobytes(size.gzipped)} of ${kilobytes(budget.gzipped)}`;
      if (size.raw > budget.raw || size.gzipped > budget.gzipped) {
        return { errors: [{ text: `The bundle is over its budget: ${sizes}. See: npm run analyze` }] };
      }
      console.log(`widget.js: ${sizes}`);
    });
  },
};

const delivered = {
  ...options,
  entryPoints: entries,
  outdir: target,
  metafile: true,
  plugins: [...options.plugins, deliver],
};

if (watching) {
  const context = await esbuild.context({ ...delivered, sourcemap: "inline" });
  await context.watch();
} else {
  await esbuild.build({ ...delivered, ...minified }).catch((failure) => {
    // esbuild prints its own errors, but not those of a plugin's last step.
    for (const { pluginName, text } of failure.errors ?? [{ pluginName: "build", text: String(failure) }]) {
      if (pluginName) console.error(text);
    }
    process.exit(1);
  });
}
