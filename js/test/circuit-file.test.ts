/// <reference types="node" />
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import names from "../../tests/fixtures/file_names.json";
import { EMPTY_CIRCUIT, pin } from "../src/core/circuit";
import { circuitText, fileStem, LARGEST_FILE } from "../src/core/circuit-file";
import { parseCircuit } from "../src/core/circuit-json";
import type { Circuit } from "../src/core/types";
import { openCircuit } from "../src/store/circuit-file";
import { FakeModel, storeOn } from "./fake-model";

const SAVED = readFileSync(join(import.meta.dirname, "../../tests/fixtures/saved_circuit.json"), "utf8");
const [A, LOGIT] = ["1_8_4", "4_40_5"];
const PINNED = pin(EMPTY_CIRCUIT, [A]);

const file = (content: string | Uint8Array<ArrayBuffer>) => new File([content], "a.json");
const json = (value: unknown) => file(JSON.stringify(value));

function setUp(circuit: Circuit = PINNED) {
  const model = new FakeModel({ circuit });
  return { model, store: storeOn(model) };
}

it("is saved as the text that Python loads", () => {
  expect(circuitText(parseCircuit(JSON.parse(SAVED)))).toBe(SAVED);
});

it.each(names)("has a name from the prompt: $stem", ({ tokens, stem }) => {
  expect(fileStem(tokens)).toBe(stem);
});

describe("a file that is opened", () => {
  it("replaces the circuit as one step, under a revision of its own", async () => {
    const { model, store } = setUp();
    await openCircuit(store, json({ ...EMPTY_CIRCUIT, revision: 90, pinned: [LOGIT], node_threshold: 0.5 }));
    expect(model.get("circuit")).toEqual({
      ...EMPTY_CIRCUIT,
      revision: PINNED.revision + 1,
      pinned: [LOGIT],
      node_threshold: 0.5,
    });
    expect([model.sent.length, store.undoName.value]).toEqual([0, "open a circuit"]);
    store.actions.undo();
    expect(model.get("circuit")).toEqual({ ...PINNED, revision: PINNED.revision + 2 });
  });

  it("may be one that a widget keeps", async () => {
    const { store } = setUp();
    await openCircuit(store, json({ format: "circuit-widget work", version: 2, circuit: EMPTY_CIRCUIT, made: 3 }));
    expect([store.circuit.value.pinned, store.failure.value]).toEqual([[], null]);
  });

  it("takes an earlier failure off the screen", async () => {
    const { store } = setUp();
    await openCircuit(store, file("{"));
    await openCircuit(store, json(EMPTY_CIRCUIT));
    expect(store.failure.value).toBeNull();
  });

  it.each([
    [
      "cut off",
      file('{"version": 1, "pinned": ['),
      /^“a.json” was not opened. It is not a JSON file, or it was cut off./,
    ],
    ["no text", file(new Uint8Array([0x22, 0xff, 0x22])), /It is not a JSON file/],
    ["too large", file(new Uint8Array(LARGEST_FILE + 1)), /It has 5 MB, and at most 4 MB are opened here. In Python/],
    ["a number", json(3), /A circuit is a JSON object; given 3./],
    ["another object", json({ cells: [] }), /A circuit has no “cells”/],
    ["a graph", json({ metadata: {}, nodes: [], links: [] }), /It is the JSON of a graph. In Python/],
    ["a newer work", json({ format: "circuit-widget work", version: 3 }), /of version 3, and .* up to 2. Update/],
    ["a work without a circuit", json({ format: "circuit-widget work", version: 2 }), /A circuit is a JSON object/],
    ["half of a character", file(SAVED.replace("東京", "\\ud83d")), /one line without control characters/],
    [
      "a logit in a supernode",
      json({ ...EMPTY_CIRCUIT, supernodes: [{ id: "s1", name: "x", color: 0, nodes: [LOGIT] }] }),
      /Supernode “x” contains a logit/,
    ],
  ])("changes nothing and says why: %s", async (_, given, message) => {
    const { model, store } = setUp();
    await openCircuit(store, given);
    expect(store.failure.value?.message).toMatch(message);
    expect(model.get("circuit")).toBe(PINNED);
    expect([store.undoName.value, model.saves]).toEqual([null, 0]);
  });

  it.each([
    ["has", { type: "reply", body: {} }, ["9_9_9"], undefined],
    ["lacks", { type: "error", code: "circuit", message: "of another graph" }, [A], "of another graph"],
  ])("names a node that the page does not have and the graph %s", async (_, answer, pinned, message) => {
    const { model, store } = setUp();
    const opening = openCircuit(store, json(pin(EMPTY_CIRCUIT, ["9_9_9"])));
    await expect.poll(() => model.sent.length).toBe(1);
    expect([model.sent[0].name, model.sent[0].body]).toEqual(["check_nodes", { nodes: ["9_9_9"] }]);
    expect(store.circuit.value.pinned).toEqual([A]);
    model.answer(answer);
    await opening;
    expect([store.circuit.value.pinned, store.failure.value?.message]).toEqual([pinned, message]);
  });
});
