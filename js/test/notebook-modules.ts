/** The modules that ship for notebooks, as a test has them: no blob can be imported here, so each is a data address. */

import { vi } from "vitest";
import { type NotebookModules, notebookModules } from "../bundle.mjs";
import type widget from "../src/index";

export const modules: NotebookModules = await notebookModules();

const addressOf = (code: string) => `data:text/javascript,${encodeURIComponent(code)}`;

/** A new first module, to which the second has this code. */
export async function importFirst(second: string = modules.files["panels.js"]): Promise<{ default: typeof widget }> {
  vi.spyOn(URL, "createObjectURL").mockReturnValue(addressOf(second));
  // Another address makes another module.
  return import(/* @vite-ignore */ addressOf(`${modules.files["widget.js"]}// ${Math.random()}`));
}

/** What the page has of a module, compressed as the kernel does it. */
export async function packed(code: string): Promise<DataView> {
  const compressed = new Blob([code]).stream().pipeThrough(new CompressionStream("deflate"));
  return new DataView(await new Response(compressed).arrayBuffer());
}
