import { describe, expect, it } from "vitest";
import { CircuitPane } from "../src/circuit/circuit-pane";
import { EMPTY_CIRCUIT } from "../src/core/circuit";
import type { ProposalMessage } from "../src/messages/types";
import { propose } from "../src/store/proposals";
import { FakeModel, storeOn } from "./fake-model";
import { all, eventually, get, mount, press, texts } from "./panels";

const PROPOSALS: readonly ProposalMessage[] = [
  { name: "Texas", nodes: ["0_2_4", "1_8_4"], reason: "They read Dallas.", evidence: "alike 0.58" },
  { name: "say Austin", nodes: ["2_9_5"], reason: "It raises Austin.", evidence: "direct effect +1.00" },
  { name: null, nodes: ["4_40_5"], reason: "A likely output.", evidence: "" },
];

/** A circuit pane to which the kernel has proposed these. */
async function proposed(proposals = PROPOSALS, circuit = EMPTY_CIRCUIT) {
  const model = new FakeModel({ circuit });
  const store = storeOn(model);
  const root = mount(<CircuitPane store={store} />);
  get(root, "propose").click();
  expect(model.sent.at(-1)?.name).toBe("propose");
  model.answer({ type: "reply", body: { proposals } });
  await eventually(() => expect(all(root, "ghost").length).toBe(proposals.length));
  return { model, store, root };
}

const ghost = (root: Element, name: string): SVGGElement => get<SVGGElement>(root, "ghost", { name });

async function open(root: Element, name: string): Promise<HTMLElement> {
  ghost(root, name).dispatchEvent(new MouseEvent("click", { bubbles: true }));
  return eventually(() => get(root, "proposal"));
}

describe("proposals", () => {
  it("are ghosts with the boxes, in no document", async () => {
    const { model, root, store } = await proposed();
    expect(all(root, "ghost").map(({ dataset }) => dataset.name)).toEqual(["Texas", "say Austin", "Austin"]);
    expect(all(root, "box")).toEqual([]);
    expect(store.circuit.value).toEqual(EMPTY_CIRCUIT);
    expect(model.get("circuit")).toBe(EMPTY_CIRCUIT);
    expect(store.undoName.value).toBeNull();
  });

  it("say why, and become a group under the name in the field", async () => {
    const { root, store } = await proposed();
    const panel = await open(root, "Texas");
    expect(texts([get(panel, "reason"), get(panel, "evidence")])).toEqual(["They read Dallas.", "alike 0.58"]);
    get<HTMLInputElement>(panel, "proposal-name").value = "the state";
    press(get(panel, "proposal-name"), "Enter");
    await eventually(() => expect(all(root, "ghost").length).toBe(2));
    expect(store.circuit.value.supernodes).toMatchObject([{ name: "the state", nodes: ["0_2_4", "1_8_4"] }]);
    expect(all(root, "proposal")).toEqual([]);
    store.actions.undo();
    await eventually(() => expect(ghost(root, "Texas")).toBeDefined());
    expect(store.circuit.value.supernodes).toEqual([]);
  });

  it("are accepted together as one step, under names that are free", async () => {
    const taken = { id: "s1", name: "Texas", color: 0, nodes: ["2_0_5"] };
    const { root, store } = await proposed(PROPOSALS, { ...EMPTY_CIRCUIT, supernodes: [taken] });
    get(root, "accept-all").click();
    await eventually(() => expect(all(root, "ghost")).toEqual([]));
    expect(store.circuit.value.supernodes.map(({ name }) => name)).toEqual(["Texas", "Texas 2", "say Austin"]);
    expect(store.circuit.value.pinned).toEqual(["4_40_5"]);
    expect(store.undoName.value).toBe("accept all proposals");
    store.actions.undo();
    expect(store.circuit.value.supernodes).toEqual([taken]);
    expect(store.circuit.value.pinned).toEqual([]);
    expect(store.undoName.value).toBeNull();
  });

  it("are refused one by one, or dismissed", async () => {
    const { root, store } = await proposed();
    get(await open(root, "say Austin"), "refuse").click();
    await eventually(() => expect(all(root, "ghost").length).toBe(2));
    expect(store.circuit.value).toEqual(EMPTY_CIRCUIT);
    get(root, "dismiss-proposals").click();
    await eventually(() => expect(all(root, "ghost")).toEqual([]));
    expect(get(root, "propose").textContent).toBe("propose a circuit");
  });

  it("go when one of their nodes is grouped by hand", async () => {
    const { store } = await proposed();
    const others = [{ id: "s1", name: "mine", color: 0, nodes: ["1_8_4"] }];
    store.actions.edit((circuit) => ({ ...circuit, supernodes: others, revision: 1 }), "group");
    expect(store.ghosts.value.map(({ name }) => name)).toEqual(["say Austin", null]);
  });

  it("open and close by key, and light their nodes on the map as long as they are there", async () => {
    const { root, store } = await proposed();
    ghost(root, "Texas").focus();
    expect(store.pointed.value).toBe(store.ghosts.value[0].id);
    press(ghost(root, "Texas"), "Enter");
    const panel = await eventually(() => get(root, "proposal"));
    expect(document.activeElement).toBe(get(panel, "accept"));
    expect(store.pointed.value).toBe(store.ghosts.value[0].id);
    press(get(panel, "accept"), "Escape");
    await eventually(() => expect(document.activeElement).toBe(ghost(root, "Texas")));
    expect(all(root, "proposal")).toEqual([]);
  });

  it("do not come where the kernel has none, after the view was closed, or in a file for readers", async () => {
    const model = new FakeModel();
    const abort = new AbortController();
    const store = storeOn(model, abort);
    const failing = propose(store);
    model.answer({ type: "error", code: "circuit", message: "There is nothing to propose." });
    await failing;
    expect(store.failure.value?.message).toBe("There is nothing to propose.");
    const late = propose(store);
    abort.abort();
    model.answer({ type: "reply", body: { proposals: PROPOSALS } });
    await late;
    expect(store.ghosts.value).toEqual([]);

    const file = new FakeModel({ capabilities: { intervene: false, why_not: "", figure: true, recorded: true } });
    const root = mount(<CircuitPane store={storeOn(file)} />);
    expect(all(root, "propose")).toEqual([]);
    await propose(storeOn(file));
    expect(file.sent).toEqual([]);
  });
});
