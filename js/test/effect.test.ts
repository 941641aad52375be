import { expect, it } from "vitest";
import { ratio } from "../src/core/effect";
import type { EffectMessage } from "../src/messages/types";

const EFFECT: EffectMessage = {
  id: 1,
  name: "Texas ×0",
  interventions: [{ kind: "ablate", nodes: ["1_4_3"] }],
  mode: "total",
  frozen: "nothing frozen",
  seconds: 0.04,
  device: "cpu",
  dtype: "float32",
  kl: 0,
  code: "",
  tokens: [],
  targets: [],
  nodes: {
    ids: ["1_4_3", "2_9_3", "2_7_3", "3_0_4"],
    before: [2, 4, 1, 0],
    after: [0, 1, 2, 3],
    predicted: [0, 2, 0.5, 3],
  },
  injected: [],
};

it("sums activations before it divides", () => {
  expect(ratio(EFFECT, ["2_9_3", "2_7_3"])).toEqual({ measured: 3 / 5, predicted: 2.5 / 5 });
});

it("counts a node once and leaves out nodes without an activation", () => {
  expect(ratio(EFFECT, ["2_9_3", "2_9_3", "E_5_1"])).toEqual({ measured: 1 / 4, predicted: 2 / 4 });
});

it("is nothing where nothing was active before", () => {
  expect(ratio(EFFECT, ["3_0_4"])).toBeNull();
  expect(ratio(EFFECT, ["E_5_1"])).toBeNull();
  expect(ratio(EFFECT, [])).toBeNull();
});

it("counts neurons of either sign in the direction that they had before", () => {
  const nodes = { ids: ["1_1_1", "1_2_1"], before: [2, -3], after: [4, -6], predicted: [1, 3] };
  expect(ratio({ ...EFFECT, nodes }, nodes.ids)).toEqual({ measured: 2, predicted: -2 / 5 });
});
