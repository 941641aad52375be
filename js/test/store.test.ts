import { afterEach, describe, expect, it, vi } from "vitest";
import { EMPTY_CIRCUIT, group, pin } from "../src/core/circuit";
import { dropOnNode, groupNodes, togglePins, ungroupNodes } from "../src/store/commands";
import { run } from "../src/store/interventions";
import { FakeModel, storeOn } from "./fake-model";

const [A, B, C] = ["1_8_4", "2_9_5", "0_3_1"];
const LOGIT = "4_40_5";

const EFFECT = { id: 1, name: "Texas ×0", nodes: { ids: [], before: [], after: [], predicted: [] } };

function setUp(traits: Record<string, unknown> = {}) {
  const model = new FakeModel(traits);
  return { model, store: storeOn(model) };
}

describe("edits", () => {
  it("are written to the trait with a higher revision, and can be undone and redone", () => {
    const { model, store } = setUp();
    store.actions.edit((circuit) => group(circuit, "Texas", [A, B]), "group Texas");
    store.actions.edit((circuit) => pin(circuit, [C]), "pin");
    expect(model.get("circuit").supernodes[0].nodes).toEqual([A, B]);
    expect(model.get("circuit").revision).toBe(2);
    expect(model.saves).toBe(2);

    expect(store.undoName.value).toBe("pin");
    store.actions.undo();
    store.actions.undo();
    expect(model.get("circuit").supernodes).toEqual([]);
    expect(model.get("circuit").revision).toBe(4);
    expect(store.undoName.value).toBeNull();

    store.actions.redo();
    expect(model.get("circuit").supernodes[0].name).toBe("Texas");
    expect(store.redoName.value).toBe("pin");
  });

  it("that break a rule leave the document as it is and say why", () => {
    const { model, store } = setUp();
    groupNodes(store, [A, LOGIT]);
    expect(model.get("circuit")).toBe(EMPTY_CIRCUIT);
    expect(store.failure.value?.message).toMatch(/logit/);
    expect(store.undoName.value).toBeNull();
    store.actions.dismiss();
    expect(store.failure.value).toBeNull();
  });

  it("name a group after its nodes in no more characters than a name has", () => {
    const { model, store } = setUp();
    const label = "🤠".repeat(80);
    store.actions.edit((circuit) => ({ ...circuit, labels: { [A]: label, [B]: label } }), "label");
    groupNodes(store, [A]);
    groupNodes(store, [B]);
    const names = model.get("circuit").supernodes.map(({ name }: { name: string }) => name);
    expect(names).toEqual([label, `${"🤠".repeat(73)}… 2`]);
    expect(store.failure.value).toBeNull();
  });

  it("leave the name of an experiment to the kernel", async () => {
    const { model, store } = setUp();
    void run(store, [{ kind: "ablate", nodes: [A] }]);
    expect(model.sent[0].body).toEqual({ interventions: [{ kind: "ablate", nodes: [A] }], mode: "total" });
  });

  it("read from a stored document contain no half of a character", () => {
    const stored = { ...group(EMPTY_CIRCUIT, "Texas", [A]), labels: { [A]: "x" } };
    const broken = JSON.parse(JSON.stringify(stored).replace('"x"', '"\\ud83d"').replace("Texas", "Texas\\udc80"));
    const { store } = setUp({ circuit: broken });
    expect(store.circuit.value.labels[A]).toBe("\ufffd");
    expect(store.circuit.value.supernodes[0].name).toBe("Texas\ufffd");
    expect(store.failure.value).toBeNull();
  });

  it("made in Python are seen, and undo takes them back without losing one's own", () => {
    const { model, store } = setUp();
    store.actions.edit((circuit) => pin(circuit, [C]), "pin");
    model.set("circuit", { ...group(model.get("circuit"), "Texas", [A]), revision: 7 });
    expect(store.boxes.value.map(({ name }) => name)).toEqual(["Texas", null]);
    store.actions.undo();
    expect(store.circuit.value.pinned).toEqual([C]);
    expect(store.circuit.value.supernodes).toEqual([]);
    expect(store.circuit.value.revision).toBe(8);
    store.actions.redo();
    expect(store.circuit.value.supernodes[0].name).toBe("Texas");
  });

  it("made elsewhere that break a rule are refused, and the last good document stays and can be edited on", () => {
    const { model, store } = setUp();
    store.actions.edit((circuit) => pin(circuit, [C]), "pin");
    const good = store.circuit.value;
    const malformed = [
      { ...good, revision: 9, pinned: "all" },
      { ...good, revision: 9, supernodes: [{ id: "s1", name: "<img>\u202e", color: 0, nodes: [A] }] },
      { ...good, revision: 9, supernodes: [{ id: "s1", name: "out", color: 0, nodes: [LOGIT] }] },
      null,
    ];
    for (const document of malformed) {
      store.actions.dismiss();
      model.set("circuit", document);
      expect(store.circuit.value).toBe(good);
      expect(store.failure.value?.message).toMatch(/^A change of the circuit was not taken over: /);
      expect(store.undoName.value).toBe("pin");
    }
    store.actions.edit((circuit) => pin(circuit, [A]), "pin");
    expect(model.get("circuit").pinned).toEqual([C, A]);
    expect(model.get("circuit").revision).toBe(2);
  });

  it("begin from an empty document where the one to start from breaks a rule", () => {
    const { store } = setUp({ circuit: { version: 5 } });
    expect(store.circuit.value).toEqual(EMPTY_CIRCUIT);
    expect(store.failure.value?.message).toMatch(/version 5.*version 1, 2, 3 or 4 is expected/);
  });

  it("on their way to the kernel are not undone by an older version that comes from there", () => {
    const { model, store } = setUp();
    const before = model.get("circuit");
    store.actions.edit((circuit) => pin(circuit, [C]), "pin");
    store.actions.edit((circuit) => pin(circuit, [A]), "pin");
    model.set("circuit", { ...group(before, "Texas", [B]), revision: 1 });
    expect(store.circuit.value.pinned).toEqual([C, A]);
    expect(model.get("circuit")).toBe(store.circuit.value);
    model.set("circuit", { ...group(before, "Texas", [B]), revision: 2 });
    expect(store.circuit.value.supernodes[0].name).toBe("Texas");
  });

  it("made in one view are seen in the other", () => {
    const model = new FakeModel();
    const [first, second] = [storeOn(model), storeOn(model)];
    togglePins(first, [A]);
    expect(second.circuit.value.pinned).toEqual([A]);
    second.actions.undo();
    expect(first.circuit.value.pinned).toEqual([]);
  });
});

describe("commands", () => {
  it("group under the commonest name, made unlike the names there are, and open it for editing", () => {
    const { store } = setUp();
    groupNodes(store, [A, C]);
    groupNodes(store, [B]);
    store.actions.edit((circuit) => group(circuit, "feature 3 2", ["0_2_4"]), "group");
    const [first, second] = store.circuit.value.supernodes;
    expect([first.name, second.name]).toEqual(["Texas <b>", "say “Austin” 🤠"]);
    expect(store.renaming.value).toBe(second.id);
    expect(store.inspected.value).toBe(second.id);
    groupNodes(store, [C]);
    groupNodes(store, [C]);
    expect(new Set(store.circuit.value.supernodes.map(({ name }) => name)).size).toBe(
      store.circuit.value.supernodes.length,
    );
  });

  it("drop a node on a node to group both, and on a member to join its supernode", () => {
    const { store } = setUp();
    dropOnNode(store, [A], B);
    expect(store.circuit.value.supernodes[0].nodes).toEqual([B, A]);
    dropOnNode(store, [C], A);
    expect(store.circuit.value.supernodes).toHaveLength(1);
    expect(store.circuit.value.supernodes[0].nodes).toEqual([B, A, C]);
    ungroupNodes(store, [B, C]);
    expect(store.circuit.value.supernodes[0].nodes).toEqual([A]);
  });

  it("pin what is not pinned, and unpin only when all are", () => {
    const { store } = setUp();
    togglePins(store, [A]);
    togglePins(store, [A, B]);
    expect(store.circuit.value.pinned).toEqual([A, B]);
    togglePins(store, [A, B]);
    expect(store.circuit.value.pinned).toEqual([]);
  });
});

describe("selection", () => {
  it("replaces, toggles and adds; a supernode stands for its members and is what is inspected", () => {
    const { model, store } = setUp();
    store.actions.edit((circuit) => group(circuit, "Texas", [A, B]), "group");
    store.actions.select([C], "replace");
    store.actions.select(["s1"], "add");
    expect(model.get("selected")).toEqual([C, A, B]);
    expect(store.inspected.value).toBe("s1");
    store.actions.select([B], "toggle");
    expect(model.get("selected")).toEqual([C, A]);
    expect(store.inspected.value).toBe(A);
  });

  it("follows Python", () => {
    const { model, store } = setUp();
    model.set("selected", [B]);
    expect(store.selected.value).toEqual([B]);
    expect(store.inspected.value).toBe(B);
    store.actions.edit((circuit) => group(circuit, "Texas", [A, C]), "group");
    model.set("selected", [C, A]);
    expect(store.inspected.value).toBe("s1");
  });

  it("makes a node visible that the thresholds hide", () => {
    const { store } = setUp({ circuit: { ...EMPTY_CIRCUIT, node_threshold: 0 } });
    const node = store.snapshot.index.get("2_31_5") as number;
    expect(store.visible.value.mask[node]).toBe(0);
    store.actions.select(["2_31_5"], "replace");
    expect(store.visible.value.mask[node]).toBe(1);
  });
});

describe("thresholds", () => {
  it("show while a slider moves and become one undoable step when it rests", () => {
    const { model, store } = setUp();
    const before = store.visible.value.nodes.length;
    store.actions.previewThresholds({ node: 0.5, edge: 0.98 });
    store.actions.previewThresholds({ node: 0.2, edge: 0.98 });
    expect(store.visible.value.nodes.length).toBeLessThan(before);
    expect(model.saves).toBe(0);
    store.actions.keepThresholds();
    expect(model.get("circuit").node_threshold).toBe(0.2);
    store.actions.undo();
    expect(store.thresholds.value.node).toBe(0.8);
    expect(store.visible.value.nodes.length).toBe(before);
  });
});

describe("interventions", () => {
  afterEach(() => vi.useRealTimers());

  it("show the job while they run, then the effect", async () => {
    const { model, store } = setUp();
    const done = store.actions.intervene([{ kind: "ablate", nodes: [A] }], "total");
    expect(model.sent[0]).toMatchObject({ name: "intervene", body: { mode: "total" } });
    expect(store.job.value?.label).toBe("Experiment");
    model.answer({ type: "accepted", label: "Texas ×0" });
    model.answer({ type: "progress", fraction: 0.5, text: "layer 2 of 4" });
    expect(store.job.value).toMatchObject({ label: "Texas ×0", fraction: 0.5, text: "layer 2 of 4", waiting: false });
    model.answer({ type: "reply", body: EFFECT });
    await done;
    expect(store.job.value).toBeNull();
    expect(store.effect.value).toEqual(EFFECT);
    expect(model.get("effect")).toEqual(EFFECT);
  });

  it("say why they failed", async () => {
    const { model, store } = setUp();
    const done = store.actions.intervene([{ kind: "ablate", nodes: [A] }], "total");
    model.answer({ type: "error", code: "intervention", message: "Only features can be changed." });
    await done;
    expect(store.failure.value).toEqual({ code: "intervention", message: "Only features can be changed." });
    expect(store.job.value).toBeNull();
  });

  it("superseded by a newer click end in silence and do not take its line away", async () => {
    const { model, store } = setUp();
    const older = store.actions.intervene([{ kind: "ablate", nodes: [A] }], "total");
    const { rid } = model.sent[0];
    const newer = store.actions.intervene([{ kind: "ablate", nodes: [B] }], "total");
    model.answer({ type: "accepted", label: "newer" });
    model.emit("msg:custom", { type: "error", rid, code: "superseded", message: "A newer one came." }, []);
    await older;
    expect(store.failure.value).toBeNull();
    expect(store.job.value?.label).toBe("newer");
    model.answer({ type: "reply", body: EFFECT });
    await newer;
    expect(store.job.value).toBeNull();
  });

  it("of two that answer in order leave the newer effect, also when the older answers late", async () => {
    const { model, store } = setUp();
    const older = store.actions.intervene([{ kind: "ablate", nodes: [A] }], "total");
    const { rid } = model.sent[0];
    const newer = store.actions.intervene([{ kind: "ablate", nodes: [B] }], "total");
    model.answer({ type: "reply", body: { ...EFFECT, id: 2, name: "newer" } });
    await newer;
    model.emit("msg:custom", { type: "reply", rid, body: { ...EFFECT, id: 1, name: "older" } }, []);
    await older;
    expect(store.effect.value?.name).toBe("newer");
  });

  it("wait aloud while a cell runs, and are cancelled by the button", async () => {
    vi.useFakeTimers();
    const { model, store } = setUp();
    const done = store.actions.intervene([{ kind: "ablate", nodes: [A] }], "total");
    vi.advanceTimersByTime(600);
    expect(store.job.value).toMatchObject({ waiting: true, text: "Waiting for the running cell." });
    const { rid } = model.sent[0];
    store.actions.cancel();
    expect(model.sent[1]).toMatchObject({ name: "cancel", body: { rid } });
    model.emit("msg:custom", { type: "error", rid, code: "cancelled", message: "Cancelled." }, []);
    await done;
    expect(store.job.value).toBeNull();
    expect(store.failure.value).toBeNull();
  });

  it("without a kernel's model say what is missing and send nothing", async () => {
    const why_not = "This graph has no model. Load the model and call graph.show(model).";
    const { model, store } = setUp({ capabilities: { intervene: false, why_not, figure: false } });
    await store.actions.intervene([{ kind: "ablate", nodes: [A] }], "total");
    expect(store.failure.value?.message).toBe(why_not);
    expect(model.sent).toEqual([]);
  });
});

describe("cards", () => {
  it("are requested once, and again after a failure", async () => {
    const { model, store } = setUp();
    const first = store.actions.card(A);
    expect(store.actions.card(A)).toBe(first);
    model.answer({ type: "error", code: "node", message: "No." });
    await expect(first).rejects.toThrow("No.");
    const second = store.actions.card(A);
    expect(model.sent).toHaveLength(2);
    model.answer({ type: "reply", body: { node: A } });
    expect(await second).toEqual({ node: A });
  });
});
