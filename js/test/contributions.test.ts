import { describe, expect, it } from "vitest";
import { readSnapshot } from "../src/core/snapshot";
import { contributionsOf, directShare, inputsOf, outputsOf } from "../src/inspector/contributions";
import { fixtureSnapshot } from "./fake-model";

const snapshot = readSnapshot(fixtureSnapshot());
const at = (id: string): number => snapshot.index.get(id) ?? -1;
const boxes = [
  { id: "s1", name: "Texas", color: 0, nodes: ["1_8_4", "1_15_4"] },
  { id: "E_4_4", name: null, color: null, nodes: ["E_4_4"] },
];

describe("what feeds a node", () => {
  it("is signed, in shares of the node's whole input, strongest first", () => {
    const inputs = inputsOf(snapshot, at("0_3_1"));
    expect(inputs.map(({ id }) => id)).toEqual(["E_1_1", "E_0_0"]);
    expect(inputs.map(({ share }) => share)).toEqual([0.625 / 0.984375, 0.359375 / 0.984375]);
    const signs = inputsOf(snapshot, at("0_11_2")).map(({ share }) => Math.sign(share));
    expect(signs).toEqual([-1, -1, 1]);
  });

  it("is empty for a token", () => {
    expect(inputsOf(snapshot, at("E_4_4"))).toEqual([]);
  });
});

it("a feature of the last layer acts on the logits directly, one of the first mostly through others", () => {
  expect(directShare(snapshot, at("2_9_5"))).toBeCloseTo(1, 5);
  const logit = at("4_40_5");
  const other = at("4_41_5");
  const part = (target: number) => {
    const edge = snapshot.edgeSource.findIndex(
      (source, edge) => source === at("0_2_4") && snapshot.edgeTarget[edge] === target,
    );
    return edge < 0 ? 0 : Math.abs(snapshot.edgeWeight[edge]) / snapshot.inputTotal[target];
  };
  const direct = 0.75 * part(logit) + 0.125 * part(other);
  const share = directShare(snapshot, at("0_2_4"));
  expect(share).toBeCloseTo(direct / snapshot.influence[at("0_2_4")], 6);
  expect(share).toBeGreaterThan(0);
  expect(share).toBeLessThan(0.9);
});

it("what a node feeds is counted in shares of the target's input", () => {
  const outputs = outputsOf(snapshot, at("2_9_5"));
  const share = outputs.find(({ id }) => id === "4_40_5")?.share;
  const edge = snapshot.edgeSource.findIndex(
    (source, place) => source === at("2_9_5") && snapshot.edgeTarget[place] === at("4_40_5"),
  );
  expect(share).toBe(snapshot.edgeWeight[edge] / snapshot.inputTotal[at("4_40_5")]);
});

describe("a supernode's exchange", () => {
  const { inputs, outputs } = contributionsOf(snapshot, boxes, "s1");

  it("leaves out its own members", () => {
    expect([...inputs, ...outputs].map(({ id }) => id)).not.toContain("1_8_4");
    expect([...inputs, ...outputs].map(({ id }) => id)).not.toContain("s1");
  });

  it("adds what its members get from a source, over what they get from outside", () => {
    const summed = ["1_8_4", "1_15_4"].map((id) => inputsOf(snapshot, at(id)).find((one) => one.id === "E_4_4"));
    const wanted = summed.reduce((sum, one) => sum + (one?.share ?? 0), 0) / 2;
    expect(inputs.find(({ id }) => id === "E_4_4")?.share).toBeCloseTo(wanted, 6);
  });
});
