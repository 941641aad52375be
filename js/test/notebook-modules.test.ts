import { afterEach, describe, expect, it, vi } from "vitest";
import { FakeModel } from "./fake-model";
import { importFirst, modules, packed } from "./notebook-modules";

const SECOND = modules.files["panels.js"];

/** Code of ours and of libraries in a part, without what only hands on the code of others. */
function inputsOf(part: string): string[] {
  const inputs = Object.entries(modules.metafile.outputs[`out/${part}.js`].inputs);
  return inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path);
}

describe("the two modules of a notebook", () => {
  const first = [...inputsOf("first"), ...inputsOf("shared")];
  const second = inputsOf("second");

  it("have nothing twice", () => {
    expect(second.filter((path) => first.includes(path))).toEqual([]);
  });

  it("have what is rarely open in the second, and everything that is shared in the first", () => {
    for (const panel of ["effects/sweep-panel.tsx", "effects/plot.tsx", "shell/keyboard-help.tsx"]) {
      expect(second).toContain(`src/${panel}`);
    }
    expect(second.filter((path) => path.includes("node_modules"))).toEqual([]);
    expect(modules.files["widget.js"]).not.toContain("sweep-form");
    expect(SECOND).toContain("sweep-form");
  });

  it("are of one build, of which the second says the name", () => {
    const build = /build="([0-9a-f]{8})"/.exec(SECOND)?.[1];
    expect(build).toBeDefined();
    expect(modules.files["widget.js"]).toContain(build);
  });
});

describe("a panel", () => {
  const closing: AbortController[] = [];

  async function open(second: string) {
    const { default: widget } = await importFirst(second);
    const el = document.createElement("div");
    document.body.append(el);
    const abort = new AbortController();
    closing.push(abort);
    widget.render({ model: new FakeModel({ _panels: await packed(second) }), el, signal: abort.signal });
    const find = (test: string) =>
      el.firstElementChild?.shadowRoot?.querySelector<HTMLElement>(`[data-test="${test}"]`) ?? null;
    find("panel-sweep")?.click();
    return find;
  }

  afterEach(() => {
    for (const abort of closing.splice(0)) abort.abort();
    document.body.replaceChildren();
    vi.restoreAllMocks();
  });

  it("is there once its code is", async () => {
    const find = await open(SECOND);
    await vi.waitFor(() => expect(find("sweep-form")).not.toBeNull());
    expect(find("load-failed")).toBeNull();
  });

  it("says that its code could not be loaded, and is there when it can be the next time", async () => {
    const find = await open("throw new Error('cut off');");
    await vi.waitFor(() => expect(find("load-failed")?.textContent).toContain("could not be loaded (cut off)."));
    vi.spyOn(URL, "createObjectURL").mockReturnValue(`data:text/javascript,${encodeURIComponent(SECOND)}`);
    find("load-again")?.click();
    await vi.waitFor(() => expect(find("sweep-form")).not.toBeNull());
    expect(find("load-failed")).toBeNull();
  });

  it("refuses the code of another build", async () => {
    const find = await open(SECOND.replace(/build="[0-9a-f]+"/, 'build="00000000"'));
    await vi.waitFor(() => expect(find("load-failed")?.textContent).toContain("of another version"));
    expect(find("sweep-form")).toBeNull();
  });
});
