import { expect, it } from "vitest";
import { searchNodes } from "../src/core/search";
import { positionOf, thresholdAt } from "../src/map/sliders";
import { describe as spoken } from "../src/map/speech";
import { FakeModel, storeOn } from "./fake-model";

const store = storeOn(new FakeModel());
const search = (query: string, limit = 10) => searchNodes(store.snapshot, store.nameOf, query, limit);

it("finds nodes by label, by token and by id, whatever the case", () => {
  expect(search("SAY aus")).toContain("2_9_5");
  expect(search("1_15_4")).toEqual(["1_15_4"]);
  expect(search("texas")).toEqual(expect.arrayContaining(["1_8_4", "E_4_4", "2_6_4"]));
  expect(search("capital feature").every((id) => id.endsWith("_2"))).toBe(true);
});

it("puts names that begin with the query first, then the most influential, and no more than requested", () => {
  const found = search("texas", 3);
  expect(new Set(found.slice(0, 2))).toEqual(new Set(["1_8_4", "E_4_4"]));
  expect(found).toHaveLength(3);
  const { influence, index } = store.snapshot;
  const rest = search("texas", 20)
    .slice(2)
    .map((id) => influence[index.get(id) as number]);
  expect(rest).toEqual([...rest].sort((a, b) => b - a));
});

it("finds nothing for nothing", () => {
  expect(search("  ")).toEqual([]);
  expect(search("zebra")).toEqual([]);
});

it("says a node once, with its place and state", () => {
  expect(spoken(store, "1_15_4")).toMatch(/^feature 15, layer 1, at “Texas”, influence \d/);
  store.actions.select(["1_8_4"], "replace");
  expect(spoken(store, "1_8_4")).toMatch(/^Texas <b>, feature 8, layer 1, .*, selected$/);
});

it("keeps a threshold through the slider's curve", () => {
  for (const threshold of [0, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 0.995, 1]) {
    expect(thresholdAt(positionOf(threshold))).toBe(threshold);
  }
});
