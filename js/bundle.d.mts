import type { Metafile } from "esbuild";

export interface NotebookModules {
  readonly files: { readonly "widget.js": string; readonly "panels.js": string };
  /** Of the parts out/first.js, out/shared.js and out/second.js: the first two become widget.js. */
  readonly metafile: Metafile;
}

export function notebookModules(): Promise<NotebookModules>;
export function shrunk(code: string): Promise<string>;
