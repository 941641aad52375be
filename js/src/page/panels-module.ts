/** The second module of a notebook's frontend: panels that are rarely open, unpacked when the first of them is. */

type Module = Readonly<Record<string, unknown>>;
type Panels = Readonly<Record<string, Module>>;

/** What the second module exports. */
interface PanelsModule {
  /** The build that it is of, which has to be that of the first module. */
  readonly build: string;
  /** Its panels, made with what they use of the first module. */
  readonly make: (shared: Module) => Panels;
}

const VERSIONS_DIFFER =
  "its code is of another version than the rest: reload the page and run the notebook's cells again";

let first: { readonly shared: Module; readonly build: string } = { shared: {}, build: "" };
let packed: BlobPart | undefined;
let panels: Promise<Panels> | null = null;

/** Sets what the second module uses of the first, and the build that both are of. */
export function share(shared: Module, build: string): void {
  first = { shared, build };
}

/** Sets the compressed code of the second module. */
export function offer(code: BlobPart | undefined): void {
  packed = code;
}

/** Returns the module of a panel. After a failure, the next call tries again. */
export async function panel(name: string): Promise<Module> {
  panels ??= unpack();
  try {
    return (await panels)[name];
  } catch (error) {
    panels = null;
    throw error;
  }
}

async function unpack(): Promise<Panels> {
  const code = new Blob(packed === undefined ? [] : [packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const script = new Blob([await new Response(code).blob()], { type: "text/javascript" });
  const address = URL.createObjectURL(script);
  try {
    const { build, make } = (await import(address)) as PanelsModule;
    if (build !== first.build) throw new Error(VERSIONS_DIFFER);
    return make(first.shared);
  } finally {
    URL.revokeObjectURL(address);
  }
}
