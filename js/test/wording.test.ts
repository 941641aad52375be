/** Numbers, interventions, names and outcomes in words, as the kernel words them: both are checked against tests/fixtures. */

import { describe, expect, test } from "vitest";
import experiments from "../../tests/fixtures/experiments.json";
import names from "../../tests/fixtures/names.json";
import wording from "../../tests/fixtures/wording.json";
import { boxes, EMPTY_CIRCUIT } from "../src/core/circuit";
import { readSnapshot } from "../src/core/snapshot";
import type { Circuit } from "../src/core/types";
import type { InterventionJson, NodeId } from "../src/messages/types";
import { whoOf } from "../src/store/interventions";
import type { Store } from "../src/store/store";
import { nodeName } from "../src/wording/names";
import * as words from "../src/wording/words";
import { fixtureSnapshot } from "./fake-model";

const snapshot = readSnapshot(fixtureSnapshot());

type Case = [number | string, string];

test.each(wording.layer_name as [string[], number, string][])("layer of %o: %s", (layerNames, layer, expected) => {
  expect(words.layerName({ layerNames }, layer)).toBe(expected);
});

test("several layers, and where a node is, by the names of layers", () => {
  expect(words.layersBetween(snapshot, 1, 1)).toBe("layer 1");
  expect(words.layersBetween(snapshot, 0, 2)).toBe("layers 0–2");
  const parts = { ...snapshot, layerNames: ["0 attention", "0 MLP", "1 attention"] };
  const node = parts.ids.indexOf("1_8_4");
  expect(words.layersBetween(parts, 0, 2)).toBe("layers 0 attention – 1 attention");
  expect(words.placeOf(parts, node)).toBe("L0 MLP Texas");
  expect(words.identityOf(parts, node)).toEqual(["feature 8", "layer 0 MLP", "at “Texas”"]);
});

describe("numbers", () => {
  test.each(wording.percent as unknown as Case[])("share %s", (share, expected) => {
    expect(words.percent(Number(share))).toBe(expected);
  });

  test.each(wording.probability as unknown as Case[])("probability %s", (value, expected) => {
    expect(words.probability(Number(value))).toBe(expected);
  });

  test.each(wording.plain_number as unknown as Case[])("factor or value %s", (value, expected) => {
    expect(words.plainNumber(Number(value))).toBe(expected);
  });
});

describe("interventions", () => {
  test.each(wording.mark as unknown as [InterventionJson, string][])("%o", (intervention, expected) => {
    expect(words.interventionMark(intervention)).toBe(expected);
  });
});

describe("modes", () => {
  test.each(wording.frozen as [string, string][])("%s", (mode, expected) => {
    expect(words.frozenBy(mode)).toBe(expected);
  });
});

describe("tones", () => {
  test.each(wording.probability_tone as [number, number, string][])("probability %s, now %s", (before, after, tone) => {
    expect(words.probabilityTone(before, after)).toBe(tone);
  });

  test.each(wording.ratio_tone as [number, string][])("share %s", (share, tone) => {
    expect(words.ratioTone(share)).toBe(tone);
  });
});

test.each(names)("name of $case", ({ basis, node, labels, name }) => {
  const graph = { ...snapshot, basis: basis === "neurons" ? ("neurons" as const) : snapshot.basis };
  expect(nodeName(graph, { ...EMPTY_CIRCUIT, labels } as Circuit, node)).toBe(name);
});

/** What names of experiments need of a store. */
function storeOf(circuit: Circuit): Store {
  const nameOfNode = (node: NodeId) => nodeName(snapshot, circuit, node);
  return { snapshot, boxes: { value: boxes(circuit) }, nameOf: nameOfNode } as unknown as Store;
}

test.each(experiments)("experiment: $case", ({ circuit, interventions, descriptions }) => {
  const store = storeOf({ ...EMPTY_CIRCUIT, ...circuit } as Circuit);
  const made = interventions as unknown as InterventionJson[];
  expect(made.map((one) => words.interventionWords(snapshot, one, whoOf(store, one.nodes)))).toEqual(descriptions);
});
