// How the frontend becomes ES modules: one for HTML files and for a kernel that watches its file, two for notebooks.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { minify } from "terser";

const here = dirname(fileURLToPath(import.meta.url));
const sources = join(here, "src");

/** Style sheets are imported as text, which the widget puts into its shadow root. */
const cssAsText = {
  name: "css-as-text",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(readFileSync(path, "utf8"), { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

const DYNAMIC_IMPORT = /\bimport\("(\.[^"]+)"\)/g;

/** The name of the panel that a file imports on first use: its path in src, without the ending. */
const panelName = (file, specifier) => relative(sources, join(dirname(file), specifier));

/** The panels that the sources import on first use. */
function panelNames() {
  const files = readdirSync(sources, { recursive: true }).filter((file) => file.endsWith(".tsx"));
  const names = files.flatMap((file) => {
    const path = join(sources, file);
    return [...readFileSync(path, "utf8").matchAll(DYNAMIC_IMPORT)].map(([, specifier]) => panelName(path, specifier));
  });
  return [...new Set(names)].sort();
}

/** Has something else in place of each import on first use, with a line of imports that it needs. */
function panelImports(name, inPlace) {
  return {
    name,
    setup(build) {
      build.onLoad({ filter: /\.tsx$/ }, ({ path }) => {
        const needed = new Set();
        const contents = readFileSync(path, "utf8").replace(DYNAMIC_IMPORT, (_, specifier) => {
          const { expression, imported } = inPlace(panelName(path, specifier));
          needed.add(imported);
          return expression;
        });
        return { contents: [...needed, contents].join(" "), loader: "tsx" };
      });
    },
  };
}

/** In one module, all panels are there from the beginning. */
const panelsWithin = panelImports("panels-within", (panel) => {
  const namespace = `panel_${panel.replaceAll(/\W/g, "_")}`;
  return {
    expression: `Promise.resolve(${namespace})`,
    imported: `import * as ${namespace} from ${JSON.stringify(join(sources, panel))};`,
  };
});

/** In a notebook, they are in the second module. */
const panelsApart = panelImports("panels-apart", (panel) => ({
  expression: `loadPanel(${JSON.stringify(panel)})`,
  imported: `import { panel as loadPanel } from ${JSON.stringify(join(sources, "page/panels-module"))};`,
}));

const shared = {
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  charset: "utf8",
  write: false,
  logLevel: "warning",
};

/** The modules with everything in them, by their names, and where each begins. */
export const entries = { widget: "src/index.tsx", "html-page": "src/html-page.ts" };

/** What every build of one module shares: for HTML files, on each change of the sources, for the page of js/dev. */
export const options = { ...shared, plugins: [cssAsText, panelsWithin] };

/** What makes a bundle small. */
export const minified = { minify: true, legalComments: "none" };

/** Code after esbuild's minifier, without what that leaves: some 3 KB of the gzipped bundle. */
export async function shrunk(code) {
  // A signal that is read subscribes its reader: such a read does something, also where nothing is done with the value.
  const compress = { passes: 2, ecma: 2022, module: true, pure_getters: false, unsafe_arrows: true };
  return (await minify(code, { module: true, ecma: 2022, compress, mangle: { toplevel: true } })).code;
}

/** Files that are in memory alone: names that begin with `memory:`, and the chunks that one of them imports. */
const inMemory = (files) => ({
  name: "in-memory",
  setup(build) {
    build.onResolve({ filter: /^memory:|^\.\/shared\.js$/ }, ({ path }) => ({
      path: path.replace(/^memory:|^\.\//, ""),
      namespace: "memory",
    }));
    build.onLoad({ filter: /.*/, namespace: "memory" }, ({ path }) => ({ contents: files[path], resolveDir: here }));
  },
});

async function joined(files, entry, settings = {}) {
  const plugins = [inMemory(files)];
  const { outputFiles } = await esbuild.build({ ...shared, ...minified, ...settings, entryPoints: [entry], plugins });
  return outputFiles[0].text;
}

/** The two modules of a notebook, by the names of their files, and what esbuild says of the parts that they are made of. */
export async function notebookModules() {
  const panels = panelNames().map((name) => `export * as "${name}" from "./src/${name}";`);
  const { outputFiles, metafile } = await esbuild.build({
    ...shared,
    ...minified,
    splitting: true,
    metafile: true,
    outdir: "out",
    chunkNames: "shared",
    entryPoints: [
      { in: "src/notebook.ts", out: "first" },
      { in: "memory:panels", out: "second" },
    ],
    plugins: [cssAsText, panelsApart, inMemory({ panels: panels.join("\n") })],
  });
  const code = Object.fromEntries(outputFiles.map(({ path, text }) => [relative(join(here, "out"), path), text]));
  const imports = /^import\{([^}]*)\}from"\.\/shared\.js";/.exec(code["second.js"]);
  if (Object.keys(code).length !== 3 || imports === null) throw new Error("The panels have no one module in common.");
  // A blob's module imports no other by a relative path: the second is a function of what it uses of the first.
  const names = imports[1].split(",").map((name) => name.split(" as ")[0]);
  const build = createHash("sha256").update(Object.values(code).join()).digest("hex").slice(0, 8);
  const first = `import first, { share } from "memory:first.js";
    import { ${names} } from "memory:shared.js";
    share({ ${names} }, "${build}");
    export default first;`;
  const made = await joined({ ...code, "shared.js": `export const { ${names} } = shared;` }, "memory:second.js", {
    format: "iife",
    globalName: "panels",
  });
  const second = `export const build = "${build}"; export function make(shared) { ${made} return panels; }`;
  return {
    files: {
      "widget.js": await shrunk(await joined({ ...code, first }, "memory:first")),
      "panels.js": await shrunk(second),
    },
    metafile,
  };
}
