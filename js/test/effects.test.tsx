import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Effects } from "../src/effects/effects";
import { Footer } from "../src/shell/footer";
import { ExportButton, HelpButton } from "../src/shell/popovers";
import { FakeModel, storeOn } from "./fake-model";
import { all, CIRCUIT, EFFECT, eventually, get, loaded, mount, press, TEXAS, texts } from "./panels";

const setUp = (traits: Record<string, unknown> = {}) => {
  const model = new FakeModel({ circuit: CIRCUIT, ...traits });
  return { model, store: storeOn(model) };
};

function effects(traits: Record<string, unknown> = {}) {
  const { model, store } = setUp(traits);
  return { model, store, root: mount(<Effects store={store} />) };
}

beforeAll(async () => {
  for (const part of ["activation-row", "intervention", "control"]) {
    await loaded(<Effects store={setUp({ effect: EFFECT }).store} />, part);
  }
});

describe("without an effect", () => {
  it("shows the tokens of the prompt as it is, and how to intervene", () => {
    const { root } = effects();
    expect(texts(all(root, "token-row"))).toEqual(["Austin0.759.5", "Dallas0.137.8"]);
    expect(get(root, "effect-empty").textContent).toContain("press ×0");
  });

  it("says why interventions are not possible", () => {
    const why_not = "This graph was loaded without its model: pass model= to show().";
    const { root } = effects({ capabilities: { intervene: false, why_not, figure: true } });
    expect(get(root, "effect-empty").textContent).toContain(why_not);
  });
});

describe("with an effect", () => {
  it("shows probabilities and logits before and after", () => {
    const { root } = effects({ effect: EFFECT });
    expect(texts(all(root, "token-row"))).toEqual([
      "Austin0.75 → 0.139.5 → 6.3",
      "Dallas0.13 → 0.507.8 → 8.5",
      "Ohio\\n0.06 → 0.033.0 → 2.0",
    ]);
    const [austin] = all(root, "token-row");
    expect(austin.dataset).toMatchObject({ token: "Austin", before: "0.75", after: "0.125" });
    expect(austin.classList.contains("below")).toBe(true);
  });

  it("shows measured beside predicted for each box with features", () => {
    const { root } = effects({ effect: EFFECT });
    const rows = all(root, "activation-row");
    expect(rows.map(({ dataset }) => [dataset.name, dataset.measured, dataset.predicted])).toEqual([
      ["say Austin", "0.25", "0.5"],
      ["feature 0", "1.25", "1"],
      ["Texas", "0", "0"],
    ]);
    expect(rows[0].querySelector<HTMLElement>(".measured")?.style.width).toBe("20%");
    expect(rows[0].querySelector<HTMLElement>(".predicted")?.style.left).toBe("40%");
    expect(get(root, "frozen").textContent).toBe("nothing frozen");
  });

  it("says of predictions for neurons that they may have the wrong sign, and nothing of those for features", () => {
    expect(all(effects({ effect: EFFECT }).root, "caution")).toEqual([]);
    const { store } = setUp({ effect: EFFECT });
    const onNeurons = { ...store, snapshot: { ...store.snapshot, basis: "neurons" as const } };
    const root = mount(<Effects store={onNeurons} />);
    expect(get(root, "caution").textContent).toBe("predicted indirect effects may have the wrong sign");
  });

  it("puts what was predicted as a tick on each output bar", () => {
    const { root } = effects({ effect: EFFECT });
    const ticks = all(root, "token-row").map((row) => row.querySelector<HTMLElement>(".tick")?.style.left);
    expect(ticks).toEqual(["6.25%", "12.5%", "6.25%"]);
    expect(get(root, "kl").textContent).toBe("KL 0.75 nats");
  });

  it("asks for random controls, and shows them as bands", async () => {
    const { root, model } = effects({ effect: EFFECT });
    expect(all(root, "band")).toEqual([]);
    get(root, "control").click();
    expect(model.sent.at(-1)).toMatchObject({ name: "controls", body: { id: 4, n: 20 } });
    const tokens = [{ token_id: 40, low: 0.5, median: 0.625, high: 0.75, p_value: 0.0476 }];
    const boxes = [
      { id: "s2", size: 1, low: 0.75, high: 1.25 },
      { id: "s1", size: 9, low: 0, high: 2 },
    ];
    model.set("effect", { ...EFFECT, controls: { n: 20, seed: 0, similarity: "Alike.", tokens, boxes } });
    await eventually(() =>
      expect(get(root, "controls").textContent).toBe("20 random controls · p 0.05, the least possible"),
    );
    // The band of a box that has got other members since is gone.
    expect(all(root, "band").map(({ style }) => [style.left, style.width])).toEqual([
      ["50%", "25%"],
      ["60%", "40%"],
    ]);
  });

  it("shows another experiment beside it", async () => {
    const { root, model, store } = effects({ effect: EFFECT });
    const comparing = store.actions.compare(2);
    expect(model.sent.at(-1)).toMatchObject({ name: "compare", body: { id: 2, beside: 4 } });
    const tokens = [
      { token: "Austin", token_id: 40, before: 0.75, after: 0.125, compared: 0.25 },
      { token: "Boise", token_id: 43, before: 0, after: 0, compared: 0.5 },
    ];
    const nodes = { ...EFFECT.nodes, after: [2, 0.5, 0.875, 3] };
    const body = { id: 2, beside: 4, name: "Texas ×2", tokens, nodes };
    model.answer({ type: "reply", body });
    await comparing;
    await eventually(() => expect(get(root, "compared").textContent).toContain("2 Texas ×2"));
    expect(all(root, "token-row").map(({ dataset }) => [dataset.token, dataset.compared])).toEqual([
      ["Austin", "0.25"],
      ["Boise", "0.5"],
    ]);
    expect(texts(all(root, "activation-row"))[0]).toContain("25% · 50%");
    // Another experiment on show ends the comparison.
    model.set("effect", { ...EFFECT, id: 5 });
    await eventually(() => expect(all(root, "compared")).toEqual([]));
  });

  it("follows an effect that comes from Python", async () => {
    const { root, model } = effects();
    model.set("effect", EFFECT);
    await eventually(() => expect(get(root, "intervention").textContent).toContain("ablate Texas ×0"));
  });

  it("clears the effect when its only intervention is taken back", async () => {
    const { root, model } = effects({ effect: EFFECT });
    get(root, "intervention").click();
    expect(model.get("effect")).toBeNull();
    expect(model.sent).toEqual([]);
    await eventually(() => get(root, "effect-empty"));
  });

  it("re-runs with the others when one of several is taken back", () => {
    const two = { kind: "scale", nodes: ["2_9_5"], factor: 2 };
    const { root, model } = effects({ effect: { ...EFFECT, interventions: [...EFFECT.interventions, two] } });
    all(root, "intervention")[0].click();
    expect(model.sent.at(-1)?.body).toEqual({ interventions: [two], mode: "total" });
  });

  it("re-runs in the mode chosen", async () => {
    const { root, model } = effects({ effect: EFFECT });
    const mode = get<HTMLSelectElement>(root, "mode");
    const choose = (value: string): void => {
      mode.value = value;
      mode.dispatchEvent(new Event("change", { bubbles: true }));
    };
    choose("direct");
    expect(model.sent.at(-1)?.body).toMatchObject({
      interventions: [{ kind: "ablate", nodes: [...TEXAS] }],
      mode: "direct",
    });
    choose("constrained");
    expect(model.sent.at(-1)?.body).toMatchObject({ mode: "0-1" });
    await eventually(() => expect(root.querySelector('[aria-label="last frozen layer"]')).not.toBeNull());
  });

  it("goes on in the mode of an effect that comes from Python", async () => {
    const { root, model } = effects();
    model.set("effect", { ...EFFECT, mode: "frozen_attention" });
    await eventually(() => expect(get<HTMLSelectElement>(root, "mode").value).toBe("frozen_attention"));
  });

  it("shows that it is being replaced", async () => {
    const { root, store } = effects({ effect: EFFECT });
    void store.actions.intervene(EFFECT.interventions, "total");
    await eventually(() => expect(get(root, "effects").getAttribute("aria-busy")).toBe("true"));
  });
});

describe("the footer", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("names the experiment, its mode and its cost", () => {
    const { store } = setUp({ effect: EFFECT });
    const root = mount(<Footer store={store} />);
    expect(get(root, "experiment").textContent).toBe("Texas ×0");
    expect(get(root, "cost").textContent).toBe("38 ms · cpu · float32");
  });

  it("copies the lines that do it again", async () => {
    const written: string[] = [];
    vi.stubGlobal("navigator", { clipboard: { writeText: async (text: string) => void written.push(text) } });
    const { store } = setUp({ effect: EFFECT });
    const root = mount(<Footer store={store} />);
    get(root, "copy-code").click();
    await eventually(() => expect(get(root, "copy-code").textContent).toBe("copied"));
    expect(written).toEqual([EFFECT.code]);
  });

  it("shows the lines where the page may not write to the clipboard", async () => {
    vi.stubGlobal("navigator", {});
    const { store } = setUp({ effect: EFFECT });
    const root = mount(<Footer store={store} />);
    get(root, "copy-code").click();
    const code = await eventually(() => get<HTMLTextAreaElement>(root, "code"));
    expect(code.value).toBe(EFFECT.code);
  });
});

describe("the export menu", () => {
  it("asks for what was chosen", async () => {
    const { model, store } = setUp();
    const root = mount(<ExportButton store={store} />);
    get(root, "export").click();
    const menu = get(root, "export").parentElement as HTMLElement;
    await eventually(() => get(menu, "export-pdf"));
    menu.querySelector<HTMLInputElement>('input[value="circuit"]')?.click();
    menu.querySelector<HTMLInputElement>('input[value="3.25"]')?.click();
    await eventually(() => {
      expect(menu.querySelector<HTMLInputElement>('input[value="3.25"]')?.checked).toBe(true);
    });
    get(menu, "export-pdf").click();
    expect(model.sent.at(-1)).toMatchObject({
      name: "figure",
      body: { format: "pdf", width: 3.25, part: "circuit", theme: "paper" },
    });
    await eventually(() => expect(all(root, "export-menu")).toEqual([]));
  });

  it("offers the intervention while an effect is displayed, in a theme", async () => {
    const { model, store } = setUp();
    const root = mount(<ExportButton store={store} />);
    get(root, "export").click();
    const menu = get(root, "export").parentElement as HTMLElement;
    const choice = (value: string) => menu.querySelector<HTMLInputElement>(`input[value="${value}"]`);
    await eventually(() => get(menu, "export-pdf"));
    expect(choice("intervention")).toBeNull();
    model.set("effect", EFFECT);
    await eventually(() => expect(choice("intervention")).not.toBeNull());
    choice("intervention")?.click();
    choice("grey")?.click();
    await eventually(() => expect(choice("grey")?.checked && choice("intervention")?.checked).toBe(true));
    model.set("effect", null);
    await eventually(() => expect(choice("intervention")).toBeNull());
    expect(choice("both")?.checked).toBe(true);
    model.set("effect", EFFECT);
    await eventually(() => expect(choice("intervention")?.checked).toBe(true));
    get(menu, "export-svg").click();
    const body = { format: "svg", width: 6.75, part: "intervention", theme: "grey" };
    expect(model.sent.at(-1)).toMatchObject({ name: "figure", body });
  });

  it("copies the lines that the kernel writes, and writes them again", async () => {
    const written: string[] = [];
    vi.stubGlobal("navigator", { clipboard: { writeText: async (text: string) => void written.push(text) } });
    const { model, store } = setUp();
    const root = mount(<ExportButton store={store} />);
    get(root, "export").click();
    const button = await eventually(() => get(root, "copy-everything"));
    for (const code of ["first", "second"]) {
      button.click();
      await eventually(() => expect(model.sent.at(-1)).toMatchObject({ name: "code", body: { what: "everything" } }));
      model.answer({ type: "reply", body: { code } });
      await eventually(() => expect(written.at(-1)).toBe(code));
    }
    expect([button.textContent, get(root, "copy-circuit").textContent]).toEqual(["copied", "Circuit"]);
  });

  it("copies nothing where the kernel cannot write the lines, and says why", async () => {
    const { model, store } = setUp();
    const root = mount(<ExportButton store={store} />);
    get(root, "export").click();
    (await eventually(() => get(root, "copy-circuit"))).click();
    await eventually(() => expect(model.sent.at(-1)).toMatchObject({ name: "code", body: { what: "circuit" } }));
    model.answer({ type: "error", code: "intervention", message: "its targets are malformed" });
    await eventually(() => expect(store.failure.value?.message).toBe("its targets are malformed"));
    expect(get(root, "copy-circuit").textContent).toBe("Circuit");
    expect(all(root, "code")).toEqual([]);
  });

  it("says why not when there is no kernel", async () => {
    const why_not = "Run the notebook's cells to connect a kernel.";
    const { store } = setUp({ capabilities: { intervene: false, why_not, figure: false } });
    const root = mount(<ExportButton store={store} />);
    get(root, "export").click();
    await eventually(() => expect(get(root, "export-why-not").textContent).toBe(why_not));
    expect(get<HTMLButtonElement>(root, "export-svg").disabled).toBe(true);
  });
});

it("the help opens, lists the keys, and Escape gives the focus back", async () => {
  const { store } = setUp();
  const root = mount(<HelpButton store={store} />);
  get(root, "help").click();
  const page = await eventually(() => get(root, "help-page"));
  await eventually(() => expect(page.textContent).toContain("undo · redo"));
  press(page, "Escape");
  await eventually(() => expect(all(root, "help-page")).toEqual([]));
  expect(document.activeElement).toBe(get(root, "help"));
});
