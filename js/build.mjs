// Bundles js/src/index.tsx into one ES module beside the Python package, and refuses a bundle over its size budget.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { options, squeeze } from "./bundle.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const watching = process.argv.includes("--watch");
const target = join(here, "..", "circuit_widget", "widget", "static");
const budget = 150_000;

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
    build.onEnd(async (result) => {
      if (result.errors.length > 0) return;
      const { text } = result.outputFiles[0];
      const contents = Buffer.from(watching ? text : await squeeze(text));
      const size = `${(contents.length / 1000).toFixed(1)} KB`;
      if (!existsSync(target)) mkdirSync(target, { recursive: true });
      writeAtomically(join(target, "widget.js"), contents);
      writeAtomically(join(target, "LICENSES.txt"), licences(result.metafile.inputs));
      if (process.argv.includes("--analyze")) console.log(await esbuild.analyzeMetafile(result.metafile));
      if (contents.length > budget) {
        return { errors: [{ text: `The bundle is ${size}; its budget is ${budget / 1000} KB. See: npm run analyze` }] };
      }
      console.log(`widget.js: ${size} of ${budget / 1000} KB`);
    });
  },
};

const delivered = { ...options, plugins: [...options.plugins, deliver] };

if (watching) {
  const context = await esbuild.context({ ...delivered, sourcemap: "inline" });
  await context.watch();
} else {
  await esbuild.build(delivered).catch((failure) => {
    // esbuild prints its own errors, but not those of a plugin's last step.
    for (const { pluginName, text } of failure.errors ?? [{ pluginName: "build", text: String(failure) }]) {
      if (pluginName) console.error(text);
    }
    process.exit(1);
  });
}
