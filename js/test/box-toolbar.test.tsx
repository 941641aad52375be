import { describe, expect, it } from "vitest";
import { whoOf } from "../src/store/interventions";
import { box, pane, requested, toolbarOf } from "./circuit-pane";
import { all, EFFECT, eventually, get, press, TEXAS, texts } from "./panels";

describe("the toolbar", () => {
  it("ablates the features of the box, in the view's mode", async () => {
    const { root, model } = pane();
    const toolbar = await toolbarOf(root, "s1");
    get(toolbar, "toolbar-0").click();
    expect(model.sent.at(-1)).toMatchObject({
      name: "intervene",
      body: { interventions: [{ kind: "ablate", nodes: [...TEXAS] }], mode: "total" },
    });
  });

  it("scales by −1, by 2 and by any number typed, also with a comma or a minus sign", async () => {
    const { root, model } = pane();
    const toolbar = await toolbarOf(root, "s1");
    for (const [test, factor] of [["toolbar--1", -1] as const, ["toolbar-2", 2] as const]) {
      get(toolbar, test).click();
      expect(requested(model)).toEqual([{ kind: "scale", nodes: [...TEXAS], factor }]);
    }
    const any = get<HTMLInputElement>(toolbar, "toolbar-custom");
    for (const [typed, factor] of [["0,5", 0.5] as const, ["−3", -3] as const]) {
      any.value = typed;
      any.form?.requestSubmit();
      expect(requested(model)).toEqual([{ kind: "scale", nodes: [...TEXAS], factor }]);
    }
    const before = model.sent.length;
    any.value = "much";
    any.form?.requestSubmit();
    expect(model.sent.length).toBe(before);
  });

  it("adds to the displayed interventions with Shift, in place of those on the same nodes", async () => {
    const { root, model } = pane({ effect: EFFECT });
    const shift = new MouseEvent("click", { shiftKey: true, bubbles: true });
    get(await toolbarOf(root, "s2"), "toolbar-0").dispatchEvent(shift);
    expect(requested(model)).toEqual([
      { kind: "ablate", nodes: [...TEXAS] },
      { kind: "ablate", nodes: ["2_9_5"] },
    ]);
    box(root, "s1").focus();
    await eventually(() => expect(get(root, "toolbar").getAttribute("aria-label")).toContain("Texas"));
    get(root, "toolbar-2").dispatchEvent(new MouseEvent("click", { shiftKey: true, bubbles: true }));
    expect(requested(model)).toEqual([{ kind: "scale", nodes: [...TEXAS], factor: 2 }]);
  });

  it("ablates and scales a token, which has no activation to set or to be anywhere else", async () => {
    const { root, model } = pane();
    const toolbar = await toolbarOf(root, "E_4_4");
    expect(texts([...get(toolbar, "toolbar-kind").querySelectorAll("option")])).toEqual(["×"]);
    expect(all(toolbar, "toolbar-everywhere")).toEqual([]);
    get(toolbar, "toolbar-0").click();
    expect(model.sent.at(-1)).toMatchObject({ body: { interventions: [{ kind: "ablate", nodes: ["E_4_4"] }] } });
  });

  it("offers nothing to do with an output but to unpin it", async () => {
    const { root } = pane();
    const toolbar = await toolbarOf(root, "4_40_5");
    expect(all(toolbar, "toolbar-0")).toEqual([]);
    get(toolbar, "toolbar-unpin");
  });

  it("is named as everywhere also when the kernel spelled the positions out", () => {
    const { store } = pane();
    expect(whoOf(store, ["0_2_*", "1_8_*"])).toBe("Texas everywhere");
    expect(whoOf(store, [...TEXAS, "0_2_5"])).toBe("Texas everywhere");
    expect(whoOf(store, ["0_2_4", "1_8_5"])).not.toContain("everywhere");
    expect(whoOf(store, TEXAS)).toBe("Texas");
  });

  it("sets, adds to, and changes features everywhere", async () => {
    const { root, model } = pane();
    const toolbar = await toolbarOf(root, "s1");
    const type = (kind: string, number: string) => {
      const select = get<HTMLSelectElement>(toolbar, "toolbar-kind");
      select.value = kind;
      select.dispatchEvent(new Event("change", { bubbles: true }));
      const input = get<HTMLInputElement>(toolbar, "toolbar-custom");
      input.value = number;
      input.form?.requestSubmit();
      return (model.sent[model.sent.length - 1].body as { interventions: unknown[] }).interventions[0];
    };
    expect(type("set", "1,5")).toEqual({ kind: "set", nodes: TEXAS, value: 1.5 });
    expect(type("add", "−2")).toEqual({ kind: "add", nodes: TEXAS, value: -2 });
    get(toolbar, "toolbar-everywhere").click();
    await eventually(() => expect(get(toolbar, "toolbar-everywhere").textContent).toBe("everywhere"));
    get(toolbar, "toolbar-0").click();
    expect(model.sent.at(-1)).toMatchObject({
      body: { interventions: [{ kind: "ablate", nodes: ["0_2_*", "1_8_*"] }] },
    });
  });

  it("says why not when there is no kernel, and asks nothing of it", async () => {
    const why_not = "This notebook has no running kernel.";
    const { root, model, store } = pane({ capabilities: { intervene: false, why_not, figure: false } });
    get(await toolbarOf(root, "s1"), "toolbar-0").click();
    expect(store.failure.value?.message).toBe(why_not);
    expect(model.sent).toEqual([]);
  });

  it("swaps from a prompt that starts as this one, and keeps the form when the kernel refuses", async () => {
    const { root, model, store } = pane();
    get(await toolbarOf(root, "s1"), "toolbar-swap").click();
    const prompt = await eventually(() => get<HTMLTextAreaElement>(root, "swap-prompt"));
    expect(prompt.value).toBe("The capital of Texas is");
    prompt.value = "the capital of Ohio is";
    prompt.form?.requestSubmit();
    expect(requested(model)).toEqual([{ kind: "swap_in", nodes: [...TEXAS], prompt: "the capital of Ohio is" }]);
    model.answer({ type: "error", code: "prompt", message: "The model does not know the word “Ohio”." });
    await eventually(() => expect(store.failure.value?.code).toBe("prompt"));
    await eventually(() => expect(get<HTMLButtonElement>(root, "swap-run").disabled).toBe(false));
    expect(prompt.value).toBe("the capital of Ohio is");
    press(prompt, "Enter");
    model.answer({ type: "reply", body: { ...EFFECT, id: 5 } });
    await eventually(() => expect(all(root, "swap-form")).toEqual([]));
  });
});
