// How js/src/index.tsx becomes one short ES module.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { minify } from "terser";
import { shortened } from "./minify/properties.mjs";
import { withoutRepeats } from "./minify/repeats.mjs";

const here = dirname(fileURLToPath(import.meta.url));

const cssAsText = {
  name: "css-as-text",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(readFileSync(path, "utf8"), { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

export const options = {
  absWorkingDir: here,
  entryPoints: ["src/index.tsx"],
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "none",
  define: { "Number.POSITIVE_INFINITY": "Infinity" },
  mangleCache: {},
  mangleProps: new RegExp(`^(${shortened().join("|")})$`),
  inject: [join(here, "shorthand.mjs")],
  tsconfigRaw: {
    compilerOptions: {
      jsx: "react",
      jsxFactory: "jsxElement",
      jsxFragmentFactory: "jsxFragment",
      verbatimModuleSyntax: true,
    },
  },
  metafile: true,
  write: false,
  plugins: [cssAsText],
  logLevel: "warning",
};

// esbuild shortens each statement; a second pass over the whole saves more, and more yet what minifiers do not do.
export async function squeeze(code) {
  const format = { ecma: 2020, wrap_func_args: false };
  const compress = { ecma: 2020, passes: 10, keep_fargs: false, unsafe_arrows: true, unsafe_methods: true };
  const compressed = await minify(code, { module: true, compress, mangle: false, format });
  const rewritten = withoutRepeats(compressed.code);
  const { code: short } = await minify(rewritten, { module: true, compress: false, format });
  return short;
}

/** The module's code, and the property names that were shortened in it. */
export async function bundle() {
  const { outputFiles, mangleCache } = await esbuild.build(options);
  return { code: await squeeze(outputFiles[0].text), shortened: Object.keys(mangleCache) };
}
