import { beforeAll, describe, expect, it } from "vitest";
import { AT_FIRST_TOKENS } from "../src/core/constants";
import { standing } from "../src/inspector/card-histogram";
import { ExampleLine, sideOf } from "../src/inspector/example-line";
import { Inspector } from "../src/inspector/inspector";
import type { Card, SnapshotMessage } from "../src/messages/types";
import { FakeModel, fixtureSnapshot, storeOn } from "./fake-model";
import { all, CIRCUIT, eventually, get, loaded, mount, texts } from "./panels";

const CARD = {
  node: "1_8_4",
  layer: 1,
  feature: 8,
  label: null,
  frequency: 0.012,
  maximum: 4,
  examples: [
    { tokens: ["a", "b", "c", "d", "e", "f", "Texas", "<script>", "."], activations: [0, 0, 0, 0, 0, 0, 4, 1, 0] },
  ],
  promoted: [{ token: " Austin", logit: 1.5 }],
  suppressed: [],
  negative: false,
  first_token: false,
  minimum: null,
  mean: null,
  lowest: [],
  levels: [],
  histogram: null,
  origin: "texts that come with the transcoders",
  label_origin: null,
  label_is_automatic: false,
  contributors: [],
};

const COLLECTED = {
  ...CARD,
  minimum: -2,
  mean: 0.5,
  lowest: [{ tokens: ["x", "y"], activations: [-2, 1] }],
  levels: [
    { least: 2, most: 4, share: 0.25, examples: CARD.examples, name: null },
    { least: -2, most: -1, share: 0.5, examples: [{ tokens: ["low"], activations: [-1.5] }], name: null },
  ],
  histogram: { least: -2, width: 1, counts: [4, 4, 0, 6, 2, 2] },
  origin: "120 tokens of <b>texts</b>.jsonl",
};

beforeAll(async () => {
  for (const id of ["1_8_4", "s1"]) {
    const store = storeOn(new FakeModel({ circuit: CIRCUIT }));
    store.actions.select([id], "replace");
    await loaded(<Inspector store={store} />, "inspector-facts");
  }
});

async function card(id: string, body: object) {
  const found = inspector(id);
  await eventually(() => expect(found.model.sent.length).toBe(1));
  found.model.answer({ type: "reply", body });
  await eventually(() => get(found.root, "feature-card"));
  return found.root;
}

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

describe("a feature's card", () => {
  it("is requested once, and shows examples by their strongest token, as text", async () => {
    const { root, model } = inspector("1_8_4");
    await eventually(() => expect(model.sent.map(({ name }) => name)).toEqual(["card"]));
    expect(model.sent[0].body).toEqual({ node: "1_8_4" });
    expect(root.querySelector('[aria-busy="true"]')).not.toBeNull();
    model.answer({ type: "reply", body: CARD });
    await eventually(() => get(root, "feature-card"));
    expect(texts([...get(root, "example").children])).toEqual(["…", "b", "c", "d", "e", "f", "Texas", "<script>", "."]);
    const warm = [...root.querySelectorAll<HTMLElement>(".warm")];
    expect(texts(warm)).toEqual(["Texas", "<script>"]);
    expect(warm[0].style.getPropertyValue("--warmth")).toBe("100%");
    expect(get(root, "direct-effect").textContent).toMatch(/^direct effect on logits\d+% of influence\+Austin$/);
    expect(root.querySelector("script")).toBeNull();
  });

  it("says where examples come from, as text, and marks this prompt's activation in their histogram", async () => {
    const root = await card("1_8_4", COLLECTED);
    expect(get(root, "card-origin").textContent).toBe("from 120 tokens of <b>texts</b>.jsonl");
    expect(root.querySelector("h3 .note")?.textContent).toBe("> 0 on 0.7% of tokens");
    expect(get(root, "card-here").textContent).toBe("here 0.25, stronger than 0%");
    expect(root.querySelector<HTMLElement>(".here")?.style.left).toBe("37.5%");
    const bins = [...root.querySelectorAll<HTMLElement>(".bin")].map(({ style }) => style.height);
    expect(bins[3]).toBe("100%");
    expect(bins[2]).toBe("0%");
    expect(texts(all(root, "card-level"))).toEqual(["2.00 to 4.00 · 25% of its activations…bcdefTexas<script>."]);
  });

  it("keeps examples at first tokens apart, and says where there are no others", async () => {
    const first = { least: -350, most: -120, share: 0.9, examples: COLLECTED.lowest, name: AT_FIRST_TOKENS };
    const root = await card("1_8_4", {
      ...COLLECTED,
      levels: [...COLLECTED.levels, { ...first, least: 120, most: 350 }],
    });
    expect(texts(all(root, "card-level"))[1]).toMatch(/^first tokens · 120 to 350 · 90% of its activations/);
    const explained = get(root, "card-levels").querySelector("h3")?.title;
    expect(explained).toMatch(/^drawn at random .*\. first tokens: the strongest there; the rest leaves them out$/);
    const side = sideOf({ ...COLLECTED, lowest: [], minimum: null, levels: [first] } as Card, -1);
    expect([side.peak, side.examples, side.levels]).toEqual([-350, [], [first]]);
    const alone = await card("1_8_4", { ...COLLECTED, examples: [], levels: [{ ...first, least: 120, most: 350 }] });
    expect(get(alone, "feature-card").textContent).toContain("no examples but those at first tokens of texts");
  });

  it("names groups of examples that others published, as text, without a share that is not known", async () => {
    const level = { least: 0, most: 1.5, share: null, examples: CARD.examples, name: "<b>Random</b>" };
    const root = await card("1_8_4", { ...COLLECTED, levels: [level, { ...level, least: -1, name: "mixed" }] });
    expect(texts(all(root, "card-level"))).toEqual([
      "<b>Random</b> · 0.00 to 1.50…bcdefTexas<script>.",
      "mixed · −1.00 to 1.50…bcdefTexas<script>.",
    ]);
  });

  it("places an activation among those of its own sign", () => {
    const { histogram } = COLLECTED;
    expect(standing(histogram, 2.5, false)).toBe("here 2.50, stronger than 70%");
    expect(standing(histogram, -1.5, false)).toBe("here −1.50, stronger than 75%");
    expect(standing({ least: 0, width: 1, counts: [1] }, -1, false)).toBe("here −1.00, none below zero");
    expect(standing({ least: 2, width: 1, counts: [1, 2] }, 0.5, false)).toBe("here 0.50, stronger than 0%");
    expect(standing({ least: 0, width: 1, counts: [99999, 1] }, 1.5, false)).toBe(
      "here 1.50, stronger than almost all",
    );
  });

  it("says that an activation is beyond all others, and marks it with an arrow behind the bars", async () => {
    const { histogram } = COLLECTED;
    expect(standing(histogram, 4.5, false)).toBe("here 4.50, beyond all 18 tokens");
    expect(standing({ least: -1, width: 1, counts: [1] }, -2, false)).toBe("here −2.00, beyond the only token");
    expect(standing(histogram, 4.5, true)).toBe("here 4.50, at the first token; these are of all others");
    const root = await card("1_8_4", { ...COLLECTED, histogram: { ...histogram, least: -5.9 } });
    expect(get(root, "card-here").textContent).toBe("here 0.25, beyond all 18 tokens");
    expect(root.querySelector(".histogram")?.classList).toContain("outside-right");
    expect(root.querySelector<HTMLElement>(".here")?.style.left).toBe("");
    expect(get(root, "card-histogram").querySelector(".note")?.textContent).toBe("mean 0.50 · bars on a log scale");
  });

  it("shows the lowest examples where the activation is below zero", () => {
    const side = sideOf(COLLECTED, -1);
    expect([side.peak, side.examples, side.levels.length]).toEqual([-2, COLLECTED.lowest, 1]);
    const root = mount(<ExampleLine example={side.examples[0]} peak={side.peak} />);
    expect(texts([...root.querySelectorAll(".warm")])).toEqual(["x"]);
  });

  it("shows where a label is from, and that a rule made it", async () => {
    const origin = "by rule: 91% of 120 tokens that it names, 64% of where it is active";
    const labelled = { ...CARD, label: "<b>Texas", label_origin: origin, label_is_automatic: true };
    const root = await card("1_8_4", labelled);
    expect(get(root, "card-label").textContent).toBe(`automatic label · ${origin}`);
    const imported = await card("1_1_5", { ...labelled, label_origin: "imported: a.json", label_is_automatic: false });
    expect(get(imported, "card-label").textContent).toBe("label “<b>Texas” · imported: a.json");
  });

  it("explains a label that was measured on this prompt, also where there is no card", async () => {
    const labels = { "1_8_4": "here: +Austin −the" };
    const { root, model } = inspector("1_8_4", { circuit: { ...CIRCUIT, labels } });
    await eventually(() => expect(model.sent.length).toBe(1));
    expect(get(root, "card-local-label").textContent).toContain("makes tokens with + likelier");
    const other = inspector("1_8_4");
    expect(other.root.querySelector("[data-test=card-local-label]")).toBeNull();
  });

  it("shows no origin of a label that the user typed", async () => {
    const { root, model } = inspector("1_8_4", { circuit: { ...CIRCUIT, labels: { "1_8_4": "mine" } } });
    await eventually(() => expect(model.sent.length).toBe(1));
    model.answer({ type: "reply", body: { ...CARD, label: "theirs", label_origin: "by rule, not measured" } });
    await eventually(() => get(root, "feature-card"));
    expect(root.textContent).not.toContain("by rule");
  });

  it("tells a feature that never fired from one that nobody has examples of", async () => {
    const none = { ...CARD, examples: [], frequency: 0 };
    const never = await card("1_8_4", { ...none, origin: "9 tokens of your texts" });
    expect(never.querySelector(".none")?.textContent).toBe("no examples: never active on 9 tokens of your texts");
    const other = await card("1_8_4", { ...COLLECTED, examples: [], maximum: 0, levels: [] });
    expect(other.querySelector(".none")?.textContent).toBe(
      "no examples: never above zero on 120 tokens of <b>texts</b>.jsonl",
    );
    const unknown = await card("1_8_4", { ...none, frequency: null, origin: null });
    expect(unknown.querySelector(".none")?.textContent).toBe(
      "no examples come with these transcoders; model.collect_examples collects some from your texts",
    );
  });

  it("says that a negative activation reverses what its neuron writes", async () => {
    const snapshot = onNeurons();
    const { root, model } = inspector("1_8_4", { snapshot });
    await eventually(() => expect(model.sent.length).toBe(1));
    const suppressed = [{ token: " London", logit: -0.75 }];
    model.answer({ type: "reply", body: { ...CARD, examples: [], origin: null, suppressed, negative: true } });
    await eventually(() => get(root, "card-reversed"));
    expect(facts(root)).toContain("neuron 8 · layer 1 · at “Texas” · activation −0.25");
    expect(get(root, "card-reversed").textContent).toBe(
      "The activation is negative here (−0.25): the neuron writes the reverse of its output row. " +
        "With a positive one these lists would be swapped.",
    );
    expect(get(root, "promoted").textContent).toBe("+Austin");
    expect(get(root, "suppressed").textContent).toBe("−London");
    const [up, down] = ["promoted", "suppressed"].map((what) => get(root, what).querySelector<HTMLElement>(".token"));
    expect(up?.title).toBe("1.50 to the logit, for each unit of activation below zero");
    expect(down?.title).toBe("−0.75 to the logit, for each unit of activation below zero");
    expect(get(root, "feature-card").textContent).toContain(
      "no examples come with neurons; model.collect_examples collects some from your texts",
    );
  });

  it("says nothing of signs where the activation is positive", async () => {
    const { root, model } = inspector("1_8_4");
    await eventually(() => expect(model.sent.length).toBe(1));
    model.answer({ type: "reply", body: CARD });
    await eventually(() => get(root, "direct-effect"));
    expect(all(root, "card-reversed")).toEqual([]);
    const token = get(root, "promoted").querySelector<HTMLElement>(".token");
    expect(token?.title).toBe("1.50 to the logit, for each unit of activation");
  });

  it("lists what contributes to attention scores, as text, and a click goes to what is a node", async () => {
    const row = { query: "", key: "", query_label: "", key_label: "", attribution: 0.5 };
    const pair = { ...row, query: "9_cro_1_1", query_label: "<b>gone</b>", key: "0_2_4", attribution: -0.75 };
    const queries = [1, 2, 3, 4].map((number) => ({ ...row, query: `9_cro_${number}_1` }));
    const contributors = [
      { side: "pair", total: 1, rows: [pair] },
      { side: "query", total: 90, rows: queries },
    ];
    const { root, model, store } = inspector("1_8_4");
    await eventually(() => expect(model.sent.length).toBe(1));
    model.answer({ type: "reply", body: { ...CARD, contributors } });
    const listed = await eventually(() => get(root, "qk-contributors"));
    expect(listed.textContent).toContain("kept, not drawn");
    expect(texts([...all(root, "qk-row")[0].children])).toEqual(["<b>gone</b>", "feature 2", "−0.75"]);
    expect(listed.querySelector("b")).toBeNull();
    expect(all(root, "qk-row").length).toBe(4);
    const more = listed.querySelector<HTMLElement>('[aria-label^="4 of 90"]');
    more?.click();
    await eventually(() => expect(all(root, "qk-row").length).toBe(5));
    all(root, "qk-row")[0].querySelector("button")?.click();
    expect(store.inspected.value).toBe("0_2_4");
  });

  it("says why it could not be had", async () => {
    const { root, model } = inspector("1_8_4");
    await eventually(() => expect(model.sent.length).toBe(1));
    model.answer({ type: "error", code: "node", message: "There is no card for this feature." });
    await eventually(() => expect(get(root, "card-status").textContent).toBe("There is no card for this feature."));
  });

  it("of a node looked at before does not show up late on another", async () => {
    const { root, model, store } = inspector("1_8_4");
    await eventually(() => expect(model.sent.length).toBe(1));
    const late = model.sent[0].rid;
    store.actions.select(["2_9_5"], "replace");
    await eventually(() => expect(model.sent.length).toBe(2));
    model.emit("msg:custom", { type: "reply", rid: late, body: CARD }, []);
    await eventually(() => expect(title(root)).toBe("say “Austin” 🤠"));
    expect(all(root, "feature-card")).toEqual([]);
  });
});
