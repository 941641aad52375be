import { describe, expect, it } from "vitest";
import { Header } from "../src/shell/header";
import { FakeModel, storeOn } from "./fake-model";
import { all, EFFECT, eventually, get, mount, texts } from "./panels";

const header = (effect: unknown) => mount(<Header store={storeOn(new FakeModel({ effect }))} />);

describe("the answers in the header", () => {
  it("are the likeliest explained token alone while there is no effect", () => {
    expect(texts(all(header(null), "answer"))).toEqual(["Austin 0.75"]);
  });

  it("are that one before and after, and the one that is likeliest after", () => {
    const chips = all(header(EFFECT), "answer");
    expect(texts(chips)).toEqual(["Austin 0.75 → 0.13", "Dallas 0.50"]);
    expect(chips.map((chip) => chip.classList.contains("faded"))).toEqual([true, false]);
  });

  it("are one where the likeliest stays the likeliest", () => {
    const tokens = [{ ...EFFECT.tokens[0], after: 0.7 }, EFFECT.tokens[1]];
    expect(texts(all(header({ ...EFFECT, tokens }), "answer"))).toEqual(["Austin 0.75 → 0.70"]);
  });

  it("have a new one explained at a click", () => {
    const tokens = [EFFECT.tokens[0], { ...EFFECT.tokens[1], token: "Ohio", token_id: 7 }];
    const model = new FakeModel({ effect: { ...EFFECT, tokens } });
    const root = mount(<Header store={storeOn(model)} />);
    all(root, "answer")[1]?.click();
    expect(model.sent.at(-1)).toMatchObject({ name: "retrace", body: { token: 7 } });
  });
});

describe("the form beside the prompt", () => {
  function form() {
    const model = new FakeModel();
    const root = mount(<Header store={storeOn(model)} />);
    get(root, "retrace").click();
    const field = async () => {
      await eventually(() => get(root, "retrace-run"));
      return root.querySelector("textarea") as HTMLTextAreaElement;
    };
    return { model, field, root };
  }

  it("has another prompt traced, with fewer features", async () => {
    const { model, root, field } = form();
    const prompt = await field();
    expect(prompt.value).toBe("The capital of Texas is");
    prompt.value = "The capital of Ohio is";
    (root.querySelector("input[name=most]") as HTMLInputElement).value = "12";
    get(root, "retrace-run").click();
    expect(model.sent.at(-1)?.body).toEqual({ prompt: "The capital of Ohio is", max_features: 12 });
  });

  it("leaves out what is as before, and Enter does the same as its button", async () => {
    const { model, field } = form();
    const prompt = await field();
    prompt.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
    expect(model.sent.at(-1)?.body).toEqual({ prompt: null, max_features: null });
  });

  it("is not there for readers of a file", () => {
    const store = storeOn(new FakeModel({ capabilities: { intervene: true, why_not: "", recorded: true } }));
    expect(all(mount(<Header store={store} />), "retrace")).toEqual([]);
  });
});
