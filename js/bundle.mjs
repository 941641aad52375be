// How the frontend becomes ES modules: js/src/index.tsx one for notebooks, js/src/html-page.ts one for HTML files.
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { minify } from "terser";

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

/** The modules that ship, by their names, and where each begins. */
export const entries = { widget: "src/index.tsx", "html-page": "src/html-page.ts" };

/** What every build shares: the modules that ship, those whose changes rebuild it, and the page of js/dev. */
export const options = {
  absWorkingDir: dirname(fileURLToPath(import.meta.url)),
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  charset: "utf8",
  write: false,
  plugins: [cssAsText],
  logLevel: "warning",
};

/** What makes a bundle small. */
export const minified = { minify: true, legalComments: "none" };

/** Code after esbuild's minifier, without what that leaves: some 3 KB of the gzipped bundle. */
export async function shrunk(code) {
  // A signal that is read subscribes its reader: such a read does something, also where nothing is done with the value.
  const compress = { passes: 2, ecma: 2022, module: true, pure_getters: false, unsafe_arrows: true };
  return (await minify(code, { module: true, ecma: 2022, compress, mangle: { toplevel: true } })).code;
}

/** The code of the bundle that ships. */
export async function bundle() {
  const { outputFiles } = await esbuild.build({ ...options, ...minified, entryPoints: [entries.widget] });
  return shrunk(outputFiles[0].text);
}
