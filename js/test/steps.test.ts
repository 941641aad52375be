import { describe, expect, it } from "vitest";
import { pin } from "../src/core/circuit";
import { FakeModel, storeOn } from "./fake-model";
import { EFFECT, eventually } from "./panels";

const numbered = (id: number) => ({ ...EFFECT, id, name: `experiment ${id}` });

function setUp() {
  const model = new FakeModel();
  const store = storeOn(model);
  return { model, store, actions: store.actions };
}

const requested = (model: FakeModel, name: string) => model.sent.filter((request) => request.name === name);

describe("undo and redo", () => {
  it("go back and forth over experiments and edits in the order they were made", async () => {
    const { model, store, actions } = setUp();
    actions.edit((circuit) => pin(circuit, ["0_3_1"]), "pin");
    model.set("effect", numbered(1));
    model.set("effect", numbered(2));
    expect(store.undoName.value).toBe("experiment 2");

    actions.undo();
    expect(requested(model, "recall").at(-1)?.body).toEqual({ id: 1 });
    model.set("effect", numbered(1));
    model.answer({ type: "reply", body: numbered(1) });
    actions.undo();
    await eventually(() => expect(store.effect.value).toBeNull());
    expect(store.circuit.value.pinned).toEqual(["0_3_1"]);
    actions.undo();
    expect(store.circuit.value.pinned).toEqual([]);
    expect(store.undoName.value).toBeNull();

    actions.redo();
    expect(store.circuit.value.pinned).toEqual(["0_3_1"]);
    expect(store.redoName.value).toBe("experiment 1");
    actions.redo();
    expect(requested(model, "recall").at(-1)?.body).toEqual({ id: 1 });
    expect(store.circuit.value.revision).toBe(3);
  });

  it("leave on show what is, where an experiment was deleted meanwhile, and say so", async () => {
    const { model, store, actions } = setUp();
    model.set("effect", numbered(1));
    model.set("effect", numbered(2));
    actions.undo();
    model.answer({ type: "error", code: "node", message: "There is no experiment 1; those kept are 2." });
    await eventually(() => expect(store.failure.value?.message).toContain("no experiment 1"));
    expect(store.effect.value?.id).toBe(2);
    // What is on show counts as the present: the next experiment is one step from it.
    model.set("effect", numbered(3));
    actions.undo();
    expect(requested(model, "recall").at(-1)?.body).toEqual({ id: 2 });
  });

  it("take away the work of the last run as one step, and bring it back", async () => {
    const { model, store, actions } = setUp();
    const kept = store.circuit.value;
    const { undoName } = store;
    model.set("effect", numbered(1));
    const before = undoName.value;
    void actions.replaceWork("start_afresh");
    expect(requested(model, "start_afresh")).toHaveLength(1);
    model.set("circuit", { ...kept, pinned: [], revision: kept.revision + 1 });
    model.set("effect", null);
    model.answer({ type: "reply", body: {} });
    await eventually(() => expect(undoName.value).toBe("starting afresh"));

    actions.undo();
    expect(requested(model, "bring_back")).toHaveLength(1);
    expect(requested(model, "recall")).toHaveLength(0);
    model.set("circuit", { ...kept, revision: kept.revision + 2 });
    model.set("effect", numbered(1));
    model.answer({ type: "reply", body: {} });
    await eventually(() => expect(store.redoName.value).toBe("starting afresh"));
    expect(undoName.value).toBe(before);
    actions.redo();
    expect(requested(model, "start_afresh")).toHaveLength(2);
  });

  it("go on to the graphs before and after, once the steps on this one are used up", () => {
    const { model, store, actions } = setUp();
    model.set("graphs", { earlier: "tracing Austin", later: "tracing another prompt" });
    expect([store.undoName.value, store.redoName.value]).toEqual(["tracing Austin", "tracing another prompt"]);
    actions.edit((circuit) => pin(circuit, ["0_3_1"]), "pin");
    expect(store.undoName.value).toBe("pin");
    actions.undo();
    expect(requested(model, "display_graph")).toHaveLength(0);
    expect([store.undoName.value, store.redoName.value]).toEqual(["tracing Austin", "pin"]);
    actions.undo();
    expect(requested(model, "display_graph").at(-1)?.body).toEqual({ to: "earlier" });
    actions.redo();
    expect(store.circuit.value.pinned).toEqual(["0_3_1"]);
    actions.redo();
    expect(requested(model, "display_graph").at(-1)?.body).toEqual({ to: "later" });
    model.set("graphs", { earlier: null, later: null });
    actions.redo();
    expect(requested(model, "display_graph")).toHaveLength(2);
    expect(store.redoName.value).toBeNull();
  });

  it("take no step where an experiment gets its controls or another name", () => {
    const { model, store } = setUp();
    model.set("effect", numbered(1));
    model.set("effect", { ...numbered(1), name: "renamed" });
    store.actions.undo();
    expect(store.effect.value).toBeNull();
    expect(store.undoName.value).toBeNull();
  });

  it("name taking an effect away", () => {
    const { model, store, actions } = setUp();
    model.set("effect", numbered(1));
    actions.clearEffect();
    expect(store.undoName.value).toBe("taking the effect away");
    actions.undo();
    expect(requested(model, "recall").at(-1)?.body).toEqual({ id: 1 });
  });
});
