/// <reference types="node" />
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { signal } from "@preact/signals";
import { describe, expect, it } from "vitest";
import { EMPTY_CIRCUIT } from "../src/core/circuit";
import { readSnapshot } from "../src/core/snapshot";
import type { ComparedToken, EffectMessage, HtmlContent } from "../src/messages/types";
import { createStore } from "../src/store/store";
import { RecordedModel } from "../src/wire/html-file";
import { Rpc } from "../src/wire/rpc";
import { fixtureSnapshot } from "./fake-model";

const WHY_NOT = "This file has no model: open the graph in Python to run it.";
const snapshot = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../tests/fixtures/snapshot-message.json"), "utf8"),
);
const effect = (id: number) => ({ id, name: `experiment ${id}`, interventions: [], nodes: { ids: ["1_8_4"] } });

const CONTENT = {
  version: 1,
  traits: {
    snapshot,
    circuit: EMPTY_CIRCUIT,
    selected: [],
    effect: effect(2),
    study: null,
    experiments: [],
    settings: { theme: "auto", height: 420 },
    capabilities: { intervene: false, why_not: WHY_NOT, figure: false, recorded: true },
  },
  effects: [effect(1), effect(2)] as unknown as readonly EffectMessage[],
  comparisons: [{ id: 1, beside: 2, tokens: [{ token: "Austin" } as ComparedToken] }],
  cards: [],
  table: "id,name\n1,“é”\n",
  name: "the-prompt",
} satisfies HtmlContent;

function opened() {
  const model = new RecordedModel(CONTENT, new DataView(new TextEncoder().encode("<svg/>").buffer));
  const abort = new AbortController();
  const rpc = new Rpc(model, abort.signal);
  const store = createStore(
    model,
    readSnapshot(model.get("snapshot")),
    rpc,
    signal<"light" | "dark">("light"),
    abort.signal,
  );
  return { model, rpc, store };
}

const text = (buffers: readonly DataView[] | undefined) => new TextDecoder().decode(buffers?.[0]);

describe("an HTML file", () => {
  it("has the graph of the kernel's message", () => {
    const { store } = opened();
    expect(store.snapshot).toEqual(readSnapshot(fixtureSnapshot()));
  });

  it("shows a recorded experiment again, and takes it away", async () => {
    const { store } = opened();
    await store.kernel.recall({ id: 1 });
    expect(store.effect.value?.name).toBe("experiment 1");
    store.actions.clearEffect();
    expect(store.effect.value).toBeNull();
    store.actions.undo();
    await expect.poll(() => store.effect.value?.id).toBe(1);
  });

  it("puts a recorded experiment beside another", async () => {
    const { store } = opened();
    await store.actions.compare(1);
    expect(store.compared.value).toMatchObject({ id: 1, beside: 2, name: "experiment 1", nodes: { ids: ["1_8_4"] } });
  });

  it("keeps edits in the page", () => {
    const { model, store } = opened();
    store.actions.edit((circuit) => ({ ...circuit, pinned: ["1_8_4"] }), "pin");
    expect(store.circuit.value.pinned).toEqual(["1_8_4"]);
    expect(model.get("circuit").pinned).toEqual(["1_8_4"]);
    store.actions.undo();
    expect(store.circuit.value.pinned).toEqual([]);
  });

  it("hands over its table and its picture", async () => {
    const { store } = opened();
    const table = await store.kernel.table({});
    expect([table?.body.filename, text(table?.buffers)]).toEqual(["the-prompt-experiments.csv", CONTENT.table]);
    const figure = await store.kernel.figure({ format: "svg", width: 6.75, part: "both", theme: "paper" });
    expect([figure?.body.filename, text(figure?.buffers)]).toEqual(["the-prompt.svg", "<svg/>"]);
  });

  it.each([
    ["intervene", { interventions: [], mode: "total" }, WHY_NOT],
    ["align", { prompt: "x" }, WHY_NOT],
    ["forget", { id: 1 }, WHY_NOT],
    ["recall", { id: 9 }, "This experiment is not in this file."],
    ["compare", { id: 9, beside: 1 }, "This experiment is not in this file."],
    [
      "compare",
      { id: 2, beside: 1 },
      "This file compares its latest experiments alone: open the graph in Python to compare these two.",
    ],
    [
      "check_nodes",
      { nodes: ["9_9_1", "9_9_2", "9_9_3", "9_9_4"] },
      "The circuit was not opened. It is of another graph, or names nodes that this file does not have: 9_9_1, 9_9_2, 9_9_3 …",
    ],
    ["card", { node: "1_8_4" }, "This file has no card of this feature: open the graph in Python to see one."],
  ] as const)("refuses %s %j in one sentence", async (name, body, message) => {
    const { rpc } = opened();
    await expect(rpc.request(name, body as never).reply).rejects.toMatchObject({ message });
  });
});
