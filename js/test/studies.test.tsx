import { beforeAll, describe, expect, it } from "vitest";
import type { Placed } from "../src/circuit/scene";
import { SwapForm } from "../src/circuit/swap-form";
import { Effects } from "../src/effects/effects";
import { spread, ticks } from "../src/effects/plot";
import type { GenerationMessage, SweepMessage, ValidationMessage } from "../src/messages/types";
import type { Panel } from "../src/store/store";
import { FakeModel, storeOn } from "./fake-model";
import { all, CIRCUIT, EFFECT, eventually, get, loaded, mount, press, TEXAS, texts } from "./panels";

const CODE = "import circuit_widget as cw\n";

const SWEEP: SweepMessage = {
  kind: "sweep",
  axis: "factor",
  name: "Texas",
  mode: "total",
  frozen: "nothing frozen",
  total: 3,
  nodes: TEXAS,
  values: [-1, 0, 1],
  labels: ["×−1", "×0", "×1"],
  tokens: [
    {
      token: "Austin",
      token_id: 40,
      before: 0.75,
      probability: [0, 0.25, 0.75],
      predicted_probability: [0, 0.5, 0.75],
      logit_before: 9,
      logit: [1, 4, 9],
      predicted_logit: [2, 5, 9],
    },
  ],
  boxes: [{ id: "s2", name: "say Austin", measured: [0, 0.5, 1], predicted: [0, 0.5, 1] }],
  code: CODE,
};

const GENERATED: GenerationMessage = {
  kind: "generation",
  name: "Texas ×0",
  new_tokens: false,
  temperature: 0,
  seed: null,
  ended: false,
  gap: " ",
  unsteered: [{ token: "Austin", probability: 0.75, differs: true }],
  steered: [],
  code: "",
};

const VALIDATION: ValidationMessage = {
  kind: "validation",
  mode: "total",
  frozen: "nothing frozen",
  groups: 2,
  pairs: [
    { source: "Texas", target: "say Austin", of: "feature", predicted: -0.5, measured: -0.75, direct: false },
    { source: "Texas", target: "Austin", of: "logit", predicted: -3, measured: -3.25, direct: true },
  ],
  agreement: [
    { of: "feature", part: "all", pairs: 1, spearman: null, sign_share: 1 },
    { of: "feature", part: "direct", pairs: 0, spearman: null, sign_share: null },
    { of: "logit", part: "all", pairs: 4, spearman: -0.4, sign_share: 0.75 },
  ],
  sentence: "This circuit alone keeps 80% of 'Austin' (0.9 → 0.72), and 3% of it is left without the circuit.",
  code: CODE,
};

function open(panel: Panel, traits: Record<string, unknown> = {}) {
  const model = new FakeModel({ circuit: CIRCUIT, ...traits });
  const store = storeOn(model);
  store.panel.value = panel;
  return { model, store, root: mount(<Effects store={store} />) };
}

beforeAll(async () => {
  const store = (panel: Panel) => {
    const opened = storeOn(new FakeModel({ circuit: CIRCUIT }));
    opened.panel.value = panel;
    return opened;
  };
  await loaded(<Effects store={storeOn(new FakeModel({ effect: EFFECT }))} />, "control");
  await loaded(<Effects store={store("sweep")} />, "sweep-form");
  await loaded(<Effects store={store("generate")} />, "generate-form");
  await loaded(<Effects store={store("validate")} />, "validate-run");
  await loaded(<Effects store={store("history")} />, "history");
});

const last = (model: FakeModel) => model.sent.at(-1) as unknown as { name: string; rid: string; body: object };

describe("a sweep", () => {
  it("is requested of a box, the one that the experiment on show is on", () => {
    const { root, model } = open("sweep", { effect: EFFECT });
    expect(get<HTMLSelectElement>(root, "sweep-whom").value).toBe("s1");
    get(root, "sweep-run").click();
    expect(last(model)).toMatchObject({
      name: "sweep",
      body: { axis: "factor", interventions: [{ kind: "ablate", nodes: TEXAS }], mode: "total" },
    });
  });

  it("fills in while it runs, and goes back to the last one where it is cancelled", async () => {
    const { root, model, store } = open("sweep", { study: SWEEP });
    const done = () => get(root, "sweep").dataset.done;
    expect(done()).toBe("3");
    get(root, "sweep-run").click();
    const { rid } = last(model);
    const part = { ...SWEEP, values: [-1], labels: ["×−1"], tokens: [{ ...SWEEP.tokens[0], probability: [0] }] };
    model.emit("msg:custom", { type: "partial", rid, body: part });
    await eventually(() => expect(done()).toBe("1"));
    expect(all(root, "copy-code")).toEqual([]);
    store.actions.cancel();
    model.emit("msg:custom", { type: "error", rid, code: "cancelled", message: "Cancelled." });
    await eventually(() => expect(done()).toBe("3"));
    expect(store.failure.value).toBeNull();
  });

  it("can still be cancelled when something else was requested and answered meanwhile", async () => {
    const { root, model, store } = open("sweep", { study: SWEEP });
    get(root, "sweep-run").click();
    const { rid } = last(model);
    void store.kernel.recall({ id: 1 });
    expect(store.job.value?.rid).not.toBe(rid);
    model.emit("msg:custom", { type: "reply", rid: last(model).rid, body: {} });
    await eventually(() => expect(store.job.value?.rid).toBe(rid));
    store.actions.cancel();
    expect(last(model)).toMatchObject({ name: "cancel", body: { rid } });
  });

  it("plots probabilities, logits or activations, and runs the experiment of a point that is clicked", async () => {
    const { root, model } = open("sweep", { study: SWEEP });
    const line = get(root, "plot-line");
    expect(line.dataset.name).toBe("Austin");
    const titles = () => [...root.querySelectorAll("circle title")].map((title) => title.textContent);
    expect(titles()[1]).toBe("×0: Austin 0.25, predicted 0.50");
    const choice = get<HTMLSelectElement>(root, "sweep-quantity");
    choice.value = "activation";
    choice.dispatchEvent(new Event("change", { bubbles: true }));
    await eventually(() => expect(titles()[1]).toBe("×0: say Austin 0.50, predicted 0.50"));
    root
      .querySelector<SVGCircleElement>('circle[data-index="0"]')
      ?.dispatchEvent(new MouseEvent("click", { bubbles: true }));
    expect(last(model)).toMatchObject({
      name: "intervene",
      body: { interventions: [{ kind: "scale", nodes: TEXAS, factor: -1 }] },
    });
  });

  it("of boxes is a row for each", () => {
    const pairs = { ...SWEEP, axis: "pairs", values: [], labels: ["Texas", "say Austin", "Texas + say Austin"] };
    const { root } = open("sweep", { study: pairs });
    expect(texts(all(root, "sweep-row"))).toEqual(["Texas0.00", "say Austin0.25", "Texas + say Austin0.75"]);
  });

  it("says what is missing where the circuit has no box to change", () => {
    const { root } = open("sweep", { circuit: { ...CIRCUIT, supernodes: [], pinned: ["4_40_5"] } });
    expect(get(root, "effects").textContent).toContain("pin or group features first");
    expect(get<HTMLButtonElement>(root, "sweep-run").disabled).toBe(true);
  });
});

describe("a text", () => {
  it("is requested under the interventions on show, with its length, temperature and seed", () => {
    const { root, model } = open("generate", { effect: EFFECT });
    expect(get(root, "generate-what").textContent).toBe("ablate Texas ×0");
    get<HTMLInputElement>(root, "generate-seed").value = "7";
    get<HTMLInputElement>(root, "generate-temperature").value = "0.5";
    get<HTMLInputElement>(root, "generate-new").checked = true;
    get(root, "generate-run").click();
    expect(last(model)).toMatchObject({
      name: "generate",
      body: { interventions: EFFECT.interventions, new_tokens: true, max_new_tokens: 12, temperature: 0.5, seed: 7 },
    });
  });

  it("streams in beside the unsteered one, and what differs is marked", async () => {
    const { root, model } = open("generate", { effect: EFFECT });
    get(root, "generate-run").click();
    const { rid } = last(model);
    model.emit("msg:custom", { type: "partial", rid, body: GENERATED });
    await eventually(() => expect(texts(all(root, "generated"))).toEqual(["Austin", "nothing yet"]));
    const steered = [
      { token: "Texas", probability: 0.5, differs: true },
      { token: ".", probability: 1, differs: false },
    ];
    model.emit("msg:custom", { type: "reply", rid, body: { ...GENERATED, steered, ended: true, code: CODE } });
    await eventually(() => expect(texts(all(root, "generated"))).toEqual(["Austin", "Texas ."]));
    expect([...root.querySelectorAll("bdi")].map(({ className }) => className)).toEqual(["differs", "differs", ""]);
    get(root, "copy-code");
  });

  it("goes on as it is where no intervention is on show", () => {
    const { root, model } = open("generate");
    expect(get(root, "generate-what").textContent).toContain("as it is");
    get(root, "generate-run").click();
    expect(last(model)).toMatchObject({ body: { interventions: [], new_tokens: false, seed: null } });
  });
});

it("a validation shows how well the graph predicts, with direct edges hollow", () => {
  const { root, model } = open("validate", { study: VALIDATION });
  expect(texts(all(root, "agreement"))).toEqual(["boxes, all1–100%", "outputs, all4−0.4075%"]);
  expect(get(root, "scatter").querySelectorAll("circle:not(.hollow)").length).toBe(1);
  expect(get(root, "faithfulness").textContent).toBe(VALIDATION.sentence);
  get(root, "validate-run").click();
  expect(last(model)).toMatchObject({ name: "validate", body: { mode: "total" } });
});

describe("the history", () => {
  const entry = (id: number) => ({
    id,
    name: `name ${id}`,
    mode: "total",
    token: "Austin",
    before: 0.75,
    after: 0.125,
    likeliest: "Dallas",
    likeliest_probability: 0.5,
  });
  const traits = { effect: EFFECT, experiments: [entry(1), entry(4)] };

  it("lists the experiments, the last one first, and marks the one on show", () => {
    const { root } = open("history", traits);
    expect(texts(all(root, "recall"))).toEqual(["4name 4", "1name 1"]);
    expect(get(root, "experiment-entry", { id: "4" }).getAttribute("aria-current")).toBe("true");
    expect(get(root, "experiment-entry", { id: "1" }).textContent).toContain("Austin 0.75 → 0.13, now Dallas 0.50");
  });

  it("shows one again, compares, names and deletes", async () => {
    const { root, model, store } = open("history", traits);
    const first = () => get(root, "experiment-entry", { id: "1" });
    get(first(), "name-experiment").click();
    const field = await eventually(() => get<HTMLInputElement>(root, "rename"));
    field.value = "🤠".repeat(201);
    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
    press(field, "Enter");
    await eventually(() => expect(get(root, "name-fault").textContent).toContain("at most 200 characters; given 201"));
    expect(model.sent).toEqual([]);
    field.value = "without Texas";
    press(field, "Enter");
    expect(last(model)).toMatchObject({ name: "rename", body: { id: 1, name: "without Texas" } });
    await eventually(() => get(first(), "forget")).then((button) => button.click());
    expect(last(model)).toMatchObject({ name: "forget", body: { id: 1 } });
    get(root, "history-table").click();
    expect(last(model)).toMatchObject({ name: "table" });
    get(first(), "compare").click();
    expect(last(model)).toMatchObject({ name: "compare", body: { id: 1, beside: 4 } });
    expect(store.panel.value).toBe("effect");
  });

  it("runs one again where there is a model", async () => {
    const { root, model, store } = open("history", traits);
    get(get(root, "experiment-entry", { id: "1" }), "repeat").click();
    expect(last(model)).toMatchObject({ name: "repeat", body: { id: 1 } });
    expect(store.panel.value).toBe("effect");
    const capabilities = { intervene: false, why_not: "no model", figure: true, recorded: false };
    expect(all(open("history", { ...traits, capabilities }).root, "repeat")).toEqual([]);
  });

  it("says that there is none yet", () => {
    const { root } = open("history");
    expect(get(root, "history").textContent).toBe("no experiment yet");
  });
});

it("a swap shows which tokens stand for those it touches, and sends what was changed", async () => {
  const { model, store } = open("effect");
  const placed = { box: store.boxes.value[0], name: "Texas" } as Placed;
  const root = mount(<SwapForm store={store} placed={placed} onClose={() => {}} />);
  const prompt = get<HTMLTextAreaElement>(root, "swap-prompt");
  prompt.value = "the capital of Ohio is";
  prompt.dispatchEvent(new Event("input", { bubbles: true }));
  await eventually(() => expect(last(model)).toMatchObject({ name: "align", body: { prompt: prompt.value } }));
  const others = ["<bos>", "the", "capital", "of", "Ohio", "is"];
  const pairs = others.map((_, place) => [place, place]);
  model.answer({ type: "reply", body: { tokens: others, others, pairs } });
  const counterpart = await eventually(() => get<HTMLSelectElement>(root, "counterpart"));
  expect([counterpart.dataset.position, counterpart.value]).toEqual(["4", "4"]);
  get(root, "swap-run").click();
  expect(last(model).body).toMatchObject({ interventions: [{ kind: "swap_in", prompt: prompt.value }] });
  expect(last(model).body).not.toHaveProperty("interventions.0.alignment");
  await eventually(() => expect(get<HTMLButtonElement>(root, "swap-run").disabled).toBe(true));
  model.answer({ type: "error", code: "intervention", message: "Not like this." });
  await eventually(() => expect(get<HTMLButtonElement>(root, "swap-run").disabled).toBe(false));
  counterpart.value = "2";
  counterpart.dispatchEvent(new Event("change", { bubbles: true }));
  get(root, "swap-run").click();
  const [swap] = (last(model).body as { interventions: { alignment: unknown }[] }).interventions;
  expect(swap.alignment).toEqual([
    [0, 0],
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 2],
    [5, 5],
  ]);
});

describe("plots", () => {
  it("have round numbers on their axes", () => {
    expect(ticks([0, 1], 4)).toEqual([0, 0.5, 1]);
    expect(ticks([-5, 5], 6, true)).toEqual([-4, -2, 0, 2, 4]);
    expect(ticks([0, 3], 6, true)).toEqual([0, 1, 2, 3]);
    expect(ticks([2, 2], 4)).toEqual([2]);
  });

  it("keep the names of lines apart", () => {
    const placed = [...spread([150, 150, 149, 20])];
    const sorted = [...placed].sort((one, other) => one - other);
    for (let place = 1; place < sorted.length; place++)
      expect(sorted[place] - sorted[place - 1]).toBeGreaterThanOrEqual(12);
    expect(placed[3]).toBe(20);
    expect(Math.max(...placed)).toBeLessThanOrEqual(150);
  });
});
