import { beforeAll, describe, expect, it } from "vitest";
import { Inspector } from "../src/inspector/inspector";
import type { SnapshotMessage } from "../src/messages/types";
import { FakeModel, fixtureSnapshot, storeOn } from "./fake-model";
import { all, CIRCUIT, EFFECT, eventually, get, loaded, mount, press, texts } from "./panels";

beforeAll(async () => {
  for (const id of ["1_8_4", "s1"]) {
    const store = storeOn(new FakeModel({ circuit: CIRCUIT }));
    store.actions.select([id], "replace");
    await loaded(<Inspector store={store} />, "inspector-facts");
  }
});

function inspector(inspected: string | null, traits: Record<string, unknown> = {}) {
  const model = new FakeModel({ circuit: CIRCUIT, ...traits });
  const store = storeOn(model);
  if (inspected !== null) store.actions.select([inspected], "replace");
  return { model, store, root: mount(<Inspector store={store} />) };
}

/** The fixture graph with the features taken for neurons, and "1_8_4" negative. */
function onNeurons(): SnapshotMessage {
  const snapshot = fixtureSnapshot();
  const { data } = snapshot.columns.activation;
  data.setFloat32(4 * snapshot.ids.indexOf("1_8_4"), -0.25, true);
  return { ...snapshot, basis: "neurons" };
}

const facts = (root: Element): string => get(root, "inspector-facts").textContent ?? "";
const title = (root: Element): string => get(root, "inspector-title").querySelector("span")?.textContent ?? "";

describe("the inspector", () => {
  it("says what to do when nothing is selected", () => {
    const { root } = inspector(null);
    expect(get(root, "inspector-empty").textContent).toContain("Select a node on the map");
  });

  it("says what a feature is, its label as plain text", () => {
    const { root } = inspector("1_8_4");
    expect(title(root)).toBe("Texas <b>");
    expect(root.querySelector("b")).toBeNull();
    expect(facts(root)).toBe(
      "feature 8 · layer 1 · at “Texas” · activation 0.25 · influence 5% · stays in 12 of 20 prunings",
    );
  });

  it("shows an effect on the activation and what the graph predicted", () => {
    const { root } = inspector("2_9_5", { effect: EFFECT });
    expect(facts(root)).toContain("activation 1.75 → 0.44 (predicted 0.88)");
  });

  it("says what tokens, errors and logits are", () => {
    expect(facts(inspector("E_4_4").root)).toBe("token · position 4 · id 4 · influence 8%");
    expect(facts(inspector("1_-1_3").root)).toMatch(/^error · layer 1 · at “of”/);
    expect(facts(inspector("4_40_5").root)).toBe("logit · probability 0.75 · logit 9.5");
    expect(facts(inspector("4_40_5", { effect: EFFECT }).root)).toBe(
      "logit · probability 0.75 → 0.13 · logit 9.5 → 6.3 (predicted 6.0)",
    );
  });

  it("has outputs, their contrast and tokens of the prompt explained instead", () => {
    const explained = (id: string, traits: Record<string, unknown> = {}) => {
      const { root, model } = inspector(id, traits);
      for (const button of all(root, "explain")) button.click();
      return [texts(all(root, "explain")), model.sent.map(({ name, body }) => [name, body])];
    };
    expect(explained("4_40_5")).toEqual([["Explain Austin"], [["retrace", { token: 40 }]]]);
    expect(explained("E_4_4")[0]).toEqual(["Explain this token"]);
    expect(explained("E_4_4")[1]).toContainEqual(["retrace", { token_position: 4 }]);
    expect(explained("E_1_1")[0]).toEqual([]);
    expect(explained("1_8_4")[0]).toEqual([]);
    expect(explained("4_40_5", { capabilities: { intervene: true, why_not: "", recorded: true } })[0]).toEqual([]);

    const { model, store } = inspector("4_41_5");
    store.actions.select(["4_40_5"], "add");
    const both = mount(<Inspector store={store} />);
    expect(texts(all(both, "explain"))).toEqual(["Explain Austin", "Explain Austin − Dallas"]);
    all(both, "explain")[1]?.click();
    expect(model.sent.at(-1)?.body).toEqual({ token: 40, other: 41 });
  });

  it("says why a token is a number where the file of the graph has no texts", () => {
    const snapshot = fixtureSnapshot();
    const tokens = snapshot.tokens.map((token, at) =>
      at === 4 ? { ...token, text: `[token ${token.token_id}]` } : token,
    );
    expect(inspector("E_4_4", { snapshot: { ...snapshot, tokens } }).root.textContent).toContain(
      "The file of this graph has numbers of tokens and no texts",
    );
    expect(inspector("E_4_4").root.textContent).not.toContain("no texts");
  });

  it("says that other neurons are those without a node", () => {
    const { root } = inspector("1_-1_3", { snapshot: onNeurons() });
    expect(root.textContent).toContain("What those neurons of this MLP write that are no nodes of the graph.");
    expect(inspector("1_-1_3").root.textContent).toContain("What the transcoder did not reconstruct");
  });

  it("lists the five strongest inputs and all of them on demand, and a click goes there", async () => {
    const { root, store } = inspector("4_40_5");
    const rows = all(root, "input-row");
    expect(rows.length).toBe(5);
    const sizes = rows.map((row) => Math.abs(Number(row.dataset.share)));
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    for (const row of rows) {
      expect(row.classList.contains(Number(row.dataset.share) < 0 ? "inhibits" : "excites")).toBe(true);
    }
    root.querySelector<HTMLElement>('[aria-label$=" inputs"]')?.click();
    const node = store.snapshot.index.get("4_40_5");
    const entering = store.snapshot.edgeTarget.filter((target) => target === node).length;
    await eventually(() => expect(all(root, "input-row").length).toBe(entering));
    const first = all(root, "input-row")[0];
    first.click();
    expect(store.inspected.value).toBe(first.dataset.node);
  });

  it("has no inputs for a token and no outputs for a logit", () => {
    expect(all(inspector("E_4_4").root, "input-row")).toEqual([]);
    expect(all(inspector("4_40_5").root, "output-row")).toEqual([]);
  });

  it("highlights the node of the row under the pointer", async () => {
    const { root, store } = inspector("2_9_5");
    const row = all(root, "input-row")[0];
    row.dispatchEvent(new PointerEvent("pointerenter"));
    expect(store.hovered.value).toBe(row.dataset.node);
    row.dispatchEvent(new PointerEvent("pointerleave"));
    expect(store.hovered.value).toBeNull();
  });

  it("labels a node with the pencil", async () => {
    const { root, store } = inspector("2_9_5");
    get(root, "inspector-rename").click();
    const field = await eventually(() => get<HTMLInputElement>(root, "rename"));
    field.value = "say a capital";
    press(field, "Enter");
    expect(store.circuit.value.labels["2_9_5"]).toBe("say a capital");
    await eventually(() => expect(title(root)).toBe("say a capital"));
  });

  it("opens the name of a node without a box when requested, and leaves boxes to the circuit", async () => {
    const { root, store } = inspector("1_23_5");
    store.renaming.value = "1_23_5";
    press(await eventually(() => get(root, "rename")), "Escape");
    expect(store.renaming.value).toBeNull();
    store.actions.select(["s1"], "replace");
    store.renaming.value = "s1";
    await eventually(() => expect(title(root)).toBe("Texas"));
    expect(all(root, "rename")).toEqual([]);
  });
});

describe("a supernode", () => {
  it("says what it holds and lists its members", () => {
    const { root } = inspector("s1");
    expect(title(root)).toBe("Texas");
    expect(facts(root)).toBe("supernode · 2 features · layers 0–1 · summed activation 1.25 · influence 12%");
    expect(all(root, "member-row").map(({ dataset }) => dataset.node)).toEqual(["0_2_4", "1_8_4"]);
  });

  it("adds up sizes where activations have either sign", () => {
    const { root } = inspector("s1", { snapshot: onNeurons() });
    expect(facts(root)).toBe("supernode · 2 neurons · layers 0–1 · summed size of activations 1.25 · influence 12%");
  });

  it("lets go of a member at a button", async () => {
    const { root, store } = inspector("s1");
    root.querySelector<HTMLElement>('[aria-label="Take Texas <b> out of Texas"]')?.click();
    expect(store.circuit.value.supernodes[0].nodes).toEqual(["0_2_4"]);
  });
});
