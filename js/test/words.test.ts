import { describe, expect, it } from "vitest";
import { readSnapshot } from "../src/core/snapshot";
import * as words from "../src/wording/words";
import { fixtureSnapshot } from "./fake-model";

const snapshot = readSnapshot(fixtureSnapshot());

describe("numbers in words", () => {
  it("keeps one decimal only where a share would round to nothing", () => {
    expect([0.224, 0.0043, -0.004, 0, 1.15].map(words.percent)).toEqual(["22%", "0.4%", "−0.4%", "0%", "115%"]);
  });

  it("always shows the sign of a signed share", () => {
    expect([0.2, -0.2, 0].map(words.signedPercent)).toEqual(["+20%", "−20%", "0%"]);
  });

  it("gives as many digits as matter", () => {
    expect([0.4712, 14.26, 231.4, -3.1, 0.0004].map(words.decimal)).toEqual(["0.47", "14.3", "231", "−3.10", "4e−4"]);
  });
});

describe("tokens in words", () => {
  it("makes what cannot be seen visible", () => {
    expect([" Dallas", "\n", "a\u202eb", "", "  "].map(words.tokenText)).toEqual([
      "Dallas",
      "\\n",
      "a\ufffdb",
      "∅",
      "··",
    ]);
  });
});

describe("interventions in words", () => {
  it("names ablation, scaling and the words that a swap brings in", () => {
    const nodes = ["1_8_4"];
    const say = (one: Parameters<typeof words.interventionWords>[1]) => words.interventionWords(snapshot, one, "Texas");
    expect(say({ kind: "ablate", nodes })).toBe("ablate Texas ×0");
    expect(say({ kind: "scale", nodes, factor: -1 })).toBe("scale Texas ×−1");
    expect(say({ kind: "swap_in", nodes, prompt: "the capital of California is" })).toBe(
      "swap Texas from “California”",
    );
    expect(say({ kind: "swap_in", nodes, prompt: "the capital of Texas is" })).toContain("the capital of Texas is");
    expect(say({ kind: "swap_in", nodes, prompt: [1, 4, 32] })).toBe("swap Texas from another prompt");
    const turn = { role: "user", content: "the capital" };
    expect(say({ kind: "swap_in", nodes, prompt: [turn] })).toBe("swap Texas from another prompt");
  });

  it("names a mode it does not know by its layers", () => {
    expect(words.modeName("frozen_attention")).toBe("frozen attention");
    expect(words.modeName("0-2")).toBe("constrained, layers 0–2");
  });
});

it("names a group by the commonest name of its nodes, the first of equals", () => {
  const name = (node: string): string => ({ a: "Texas", b: "Ohio", c: "Ohio" })[node] ?? node;
  expect(words.commonName(["a", "b", "c"], name)).toBe("Ohio");
  expect(words.commonName(["a", "b"], name)).toBe("Texas");
});
