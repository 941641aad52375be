import { describe, expect, it } from "vitest";
import { Header } from "../src/shell/header";
import { FakeModel, storeOn } from "./fake-model";
import { all, EFFECT, mount, texts } from "./panels";

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
});
