// Shows the widget outside a notebook: `node dev/serve.mjs SNAPSHOT [EFFECT]` prints an address; each reload builds anew.
// SNAPSHOT is the trait of that name as a saved notebook has it (as tests/fixtures/snapshot-message.json), EFFECT the JSON of an effect. The page's query sets width and theme.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { options } from "../bundle.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const [snapshotPath, effectPath] = process.argv.slice(2);
if (snapshotPath === undefined) {
  console.error("Give the path of a snapshot file.");
  process.exit(2);
}

async function bundle() {
  const { outputFiles } = await esbuild.build({ ...options, entryPoints: ["dev/host.js"], sourcemap: "inline" });
  return outputFiles[0].text;
}

const pages = {
  "/": ["text/html", () => readFileSync(join(here, "index.html"))],
  "/host.js": ["text/javascript", bundle],
  "/snapshot": ["application/json", () => readFileSync(snapshotPath)],
  "/effect": ["application/json", () => (effectPath === undefined ? "null" : readFileSync(effectPath))],
};

const server = createServer(async (request, response) => {
  const page = pages[new URL(request.url, "http://localhost").pathname];
  if (page === undefined) {
    response.writeHead(404).end();
    return;
  }
  try {
    const [type, contents] = page;
    response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(await contents());
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
});
server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/?width=900&theme=light`);
});
