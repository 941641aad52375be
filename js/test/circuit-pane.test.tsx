import { describe, expect, it } from "vitest";
import { CircuitPane } from "../src/circuit/circuit-pane";
import { rename } from "../src/core/circuit";
import { whoOf } from "../src/store/interventions";
import { FakeModel, fixtureSnapshot, storeOn } from "./fake-model";
import { all, CIRCUIT, EFFECT, eventually, get, mount, pointer, press, TEXAS, texts } from "./panels";

function pane(traits: Record<string, unknown> = {}) {
  const model = new FakeModel({ circuit: CIRCUIT, ...traits });
  const store = storeOn(model);
  return { model, store, root: mount(<CircuitPane store={store} />) };
}

/** The interventions that were requested last. */
function requested(model: FakeModel): unknown {
  const request = model.sent[model.sent.length - 1];
  expect(request?.name).toBe("intervene");
  return (request.body as { readonly interventions: unknown }).interventions;
}

const box = (root: Element, id: string): SVGGElement => get<SVGGElement>(root, "box", { id });

/** The centre of a box, from where it is drawn. */
function centre(element: SVGGElement): readonly [number, number] {
  const [x, y] = (element.getAttribute("transform")?.match(/-?[\d.]+/g) ?? []).map(Number);
  const face = element.querySelector(".face");
  return [x + Number(face?.getAttribute("width")) / 2, y + Number(face?.getAttribute("height")) / 2];
}

function drag(from: Element, start: readonly [number, number], end: readonly [number, number]): void {
  pointer(from, "down", ...start);
  pointer(from, "move", start[0] + 10, start[1]);
  pointer(from, "move", ...end);
  pointer(from, "up", ...end);
}

/** The toolbar of a box, which comes with the focus. */
async function toolbarOf(root: Element, id: string): Promise<Element> {
  box(root, id).focus();
  return eventually(() => get(root, "toolbar"));
}

describe("the circuit", () => {
  it("says what to do when it is empty", () => {
    const { root } = pane({ circuit: { ...CIRCUIT, pinned: [], supernodes: [] } });
    expect(get(root, "circuit-hint").textContent).toBe("drag nodes here · drop one on another to group");
  });

  it("shows a box for each supernode and each pinned node, with cards for more members", () => {
    const { root } = pane();
    expect(all(root, "box").map(({ dataset }) => dataset.name)).toEqual([
      "Texas",
      "say Austin",
      "Texas",
      "Austin",
      "feature 0",
    ]);
    expect(box(root, "s1").querySelectorAll(".card").length).toBe(1);
    expect(box(root, "s2").querySelectorAll(".card").length).toBe(0);
  });

  it("shows an edge's sign by its form and its share in its title", () => {
    const { root } = pane();
    const links = all(root, "link");
    expect(links.length).toBeGreaterThan(0);
    for (const link of links) {
      expect(link.classList.contains(Number(link.dataset.share) > 0 ? "excites" : "inhibits")).toBe(true);
      expect(link.querySelector("title")?.textContent).toMatch(/ (excites|inhibits) .*: about [\d.]+% of its input\n/);
    }
  });

  it("says that a share is without edges that the page does not have, where it has not all", () => {
    const snapshot = fixtureSnapshot();
    const title = (total: number | null) =>
      all(pane({ snapshot: { ...snapshot, total_edges: total } }).root, "link")[0].querySelector("title")?.textContent;
    expect(title(5_000)).toMatch(/\nwithout the [\d,]+ weak edges of the graph that the page does not have/);
    expect(title(null)).toMatch(/: [\d.]+% of its input$/);
  });

  it("says the kernel's share without a word on missing edges, and a late one of another graph or box never", () => {
    const boxes = [TEXAS, ["2_9_5"]];
    const edges = { number: 1, boxes, outside: [2, 1], source: [0], target: [1], share: [0.1875] };
    const snapshot = { ...fixtureSnapshot(), total_edges: 5_000 };
    const title = (known: unknown) => {
      const { root } = pane({ snapshot, _box_edges: known });
      const between = all(root, "link").find(
        ({ dataset }) => dataset.source === "Texas" && dataset.target === "say Austin",
      );
      return between?.querySelector("title")?.textContent;
    };
    expect(title(edges)).toBe("Texas excites say Austin: 19% of its input");
    for (const late of [{ ...edges, number: 2 }, { ...edges, boxes: [[TEXAS[0]], ["2_9_5"]] }, {}, undefined])
      expect(title(late)).toMatch(/: about [\d.]+% of its input\nwithout the/);
  });

  it("writes what is left of a box above it where another box is in the way", () => {
    const at = (x: number) => {
      const positions = { s2: [0.3, 0.5] as const, s1: [x, 0.5] as const };
      const { root } = pane({ circuit: { ...CIRCUIT, positions }, effect: EFFECT });
      return Number(get(root, "box-outcome", { id: "s2" }).querySelector(".beside")?.getAttribute("y"));
    };
    expect(at(0.8)).toBeGreaterThan(0);
    expect(at(0.48)).toBeLessThan(0);
  });

  it("marks a name that came along and may not fit, until it is another one", async () => {
    const _doubtful_names = [
      { supernode: "s1", name: "Texas", reason: "1 of its 4 nodes are in this graph" },
      { supernode: "s2", name: "say Houston", reason: "of before it was renamed" },
    ];
    const { root, store } = pane({ _doubtful_names });
    const words = "Texas, supernode of 2, its name may not fit: 1 of its 4 nodes are in this graph";
    expect(box(root, "s1").getAttribute("aria-label")).toBe(words);
    expect(all(box(root, "s1"), "doubt").length).toBe(1);
    expect(all(root, "doubt").length).toBe(1);
    store.actions.edit((circuit) => rename(circuit, "s1", "California"), "rename");
    await eventually(() => expect(all(root, "doubt")).toEqual([]));
  });

  it("shows what an effect left of each box", () => {
    const { root } = pane({ effect: EFFECT });
    expect(box(root, "s1").dataset.percent).toBe("0");
    expect(box(root, "s2").dataset.percent).toBe("25");
    expect(box(root, "s2").classList.contains("faded")).toBe(true);
    expect(get(root, "box-outcome", { id: "s1" }).textContent).toBe("×0");
    expect(box(root, "E_4_4").dataset.percent).toBeUndefined();
  });

  it("shows the token that an effect made likely, as a box that nothing explains", () => {
    const { root } = pane({ effect: EFFECT });
    const answer = get(root, "new-answer");
    expect(answer.dataset.name).toBe("Dallas");
    expect(answer.textContent).toContain("0.13 → 0.50");
    expect(all(pane({ effect: null }).root, "new-answer")).toEqual([]);
    const empty = { ...CIRCUIT, pinned: [], supernodes: [] };
    expect(all(pane({ effect: EFFECT, circuit: empty }).root, "new-answer")).toEqual([]);
  });

  it("moves the toolbar to the box that is clicked, whatever is open at another", async () => {
    const { root, model } = pane();
    const toolbar = await toolbarOf(root, "s1");
    get(toolbar, "toolbar-members").click();
    await eventually(() => get(root, "member-list"));
    const at = centre(box(root, "s2"));
    pointer(box(root, "s2"), "down", ...at);
    pointer(box(root, "s2"), "up", ...at);
    box(root, "s2").focus();
    await eventually(() => expect(all(root, "member-list")).toEqual([]));
    get(await eventually(() => get(root, "toolbar")), "toolbar-0").click();
    expect(requested(model)).toEqual([{ kind: "ablate", nodes: ["2_9_5"] }]);
  });

  it("shows hostile names as text", async () => {
    const name = '<img src=x onerror="alert(1)">';
    const { root } = pane({ circuit: { ...CIRCUIT, supernodes: [{ ...CIRCUIT.supernodes[0], name }] } });
    expect(root.querySelector("img")).toBeNull();
    expect(box(root, "s1").dataset.name).toBe(name);
    expect(box(root, "s1").querySelector("title")?.textContent).toContain(name);
  });
});

describe("the toolbar", () => {
  it("ablates the features of the box, in the view's mode", async () => {
    const { root, model } = pane();
    const toolbar = await toolbarOf(root, "s1");
    get(toolbar, "toolbar-0").click();
    expect(model.sent.at(-1)).toMatchObject({
      name: "intervene",
      body: { interventions: [{ kind: "ablate", nodes: [...TEXAS] }], mode: "total" },
    });
  });

  it("scales by −1, by 2 and by any number typed, also with a comma or a minus sign", async () => {
    const { root, model } = pane();
    const toolbar = await toolbarOf(root, "s1");
    for (const [test, factor] of [["toolbar--1", -1] as const, ["toolbar-2", 2] as const]) {
      get(toolbar, test).click();
      expect(requested(model)).toEqual([{ kind: "scale", nodes: [...TEXAS], factor }]);
    }
    const any = get<HTMLInputElement>(toolbar, "toolbar-custom");
    for (const [typed, factor] of [["0,5", 0.5] as const, ["−3", -3] as const]) {
      any.value = typed;
      any.form?.requestSubmit();
      expect(requested(model)).toEqual([{ kind: "scale", nodes: [...TEXAS], factor }]);
    }
    const before = model.sent.length;
    any.value = "much";
    any.form?.requestSubmit();
    expect(model.sent.length).toBe(before);
  });

  it("adds to the displayed interventions with Shift, in place of those on the same nodes", async () => {
    const { root, model } = pane({ effect: EFFECT });
    const shift = new MouseEvent("click", { shiftKey: true, bubbles: true });
    get(await toolbarOf(root, "s2"), "toolbar-0").dispatchEvent(shift);
    expect(requested(model)).toEqual([
      { kind: "ablate", nodes: [...TEXAS] },
      { kind: "ablate", nodes: ["2_9_5"] },
    ]);
    box(root, "s1").focus();
    await eventually(() => expect(get(root, "toolbar").getAttribute("aria-label")).toContain("Texas"));
    get(root, "toolbar-2").dispatchEvent(new MouseEvent("click", { shiftKey: true, bubbles: true }));
    expect(requested(model)).toEqual([{ kind: "scale", nodes: [...TEXAS], factor: 2 }]);
  });

  it("ablates and scales a token, which has no activation to set or to be anywhere else", async () => {
    const { root, model } = pane();
    const toolbar = await toolbarOf(root, "E_4_4");
    expect(texts([...get(toolbar, "toolbar-kind").querySelectorAll("option")])).toEqual(["×"]);
    expect(all(toolbar, "toolbar-everywhere")).toEqual([]);
    get(toolbar, "toolbar-0").click();
    expect(model.sent.at(-1)).toMatchObject({ body: { interventions: [{ kind: "ablate", nodes: ["E_4_4"] }] } });
  });

  it("offers nothing to do with an output but to unpin it", async () => {
    const { root } = pane();
    const toolbar = await toolbarOf(root, "4_40_5");
    expect(all(toolbar, "toolbar-0")).toEqual([]);
    get(toolbar, "toolbar-unpin");
  });

  it("is named as everywhere also when the kernel spelled the positions out", () => {
    const { store } = pane();
    expect(whoOf(store, ["0_2_*", "1_8_*"])).toBe("Texas everywhere");
    expect(whoOf(store, [...TEXAS, "0_2_5"])).toBe("Texas everywhere");
    expect(whoOf(store, ["0_2_4", "1_8_5"])).not.toContain("everywhere");
    expect(whoOf(store, TEXAS)).toBe("Texas");
  });

  it("sets, adds to, and changes features everywhere", async () => {
    const { root, model } = pane();
    const toolbar = await toolbarOf(root, "s1");
    const type = (kind: string, number: string) => {
      const select = get<HTMLSelectElement>(toolbar, "toolbar-kind");
      select.value = kind;
      select.dispatchEvent(new Event("change", { bubbles: true }));
      const input = get<HTMLInputElement>(toolbar, "toolbar-custom");
      input.value = number;
      input.form?.requestSubmit();
      return (model.sent[model.sent.length - 1].body as { interventions: unknown[] }).interventions[0];
    };
    expect(type("set", "1,5")).toEqual({ kind: "set", nodes: TEXAS, value: 1.5 });
    expect(type("add", "−2")).toEqual({ kind: "add", nodes: TEXAS, value: -2 });
    get(toolbar, "toolbar-everywhere").click();
    await eventually(() => expect(get(toolbar, "toolbar-everywhere").textContent).toBe("everywhere"));
    get(toolbar, "toolbar-0").click();
    expect(model.sent.at(-1)).toMatchObject({
      body: { interventions: [{ kind: "ablate", nodes: ["0_2_*", "1_8_*"] }] },
    });
  });

  it("says why not when there is no kernel, and asks nothing of it", async () => {
    const why_not = "This notebook has no running kernel.";
    const { root, model, store } = pane({ capabilities: { intervene: false, why_not, figure: false } });
    get(await toolbarOf(root, "s1"), "toolbar-0").click();
    expect(store.failure.value?.message).toBe(why_not);
    expect(model.sent).toEqual([]);
  });

  it("swaps from a prompt that starts as this one, and keeps the form when the kernel refuses", async () => {
    const { root, model, store } = pane();
    get(await toolbarOf(root, "s1"), "toolbar-swap").click();
    const prompt = await eventually(() => get<HTMLTextAreaElement>(root, "swap-prompt"));
    expect(prompt.value).toBe("The capital of Texas is");
    prompt.value = "the capital of Ohio is";
    prompt.form?.requestSubmit();
    expect(requested(model)).toEqual([{ kind: "swap_in", nodes: [...TEXAS], prompt: "the capital of Ohio is" }]);
    model.answer({ type: "error", code: "prompt", message: "The model does not know the word “Ohio”." });
    await eventually(() => expect(store.failure.value?.code).toBe("prompt"));
    await eventually(() => expect(get<HTMLButtonElement>(root, "swap-run").disabled).toBe(false));
    expect(prompt.value).toBe("the capital of Ohio is");
    press(prompt, "Enter");
    model.answer({ type: "reply", body: { ...EFFECT, id: 5 } });
    await eventually(() => expect(all(root, "swap-form")).toEqual([]));
  });
});

describe("dragging", () => {
  it("moves a box to where it is dropped", () => {
    const { root, store } = pane();
    const face = box(root, "s1");
    const [x, y] = centre(face);
    drag(face, [x + 5, y], [105, 60]);
    expect(store.circuit.value.positions.s1[0]).toBeCloseTo(100 / 560, 3);
    expect(store.circuit.value.positions.s1[1]).toBeCloseTo(60 / 360, 3);
    expect(store.undoName.value).toBe("move");
  });

  it("selects instead when the pointer has not moved", () => {
    const { root, store } = pane();
    const face = box(root, "s1");
    const [x, y] = centre(face);
    pointer(face, "down", x, y);
    pointer(face, "move", x + 2, y + 1);
    pointer(face, "up", x + 2, y + 1);
    expect(store.selected.value).toEqual([...TEXAS]);
    expect(store.inspected.value).toBe("s1");
    expect(store.undoName.value).toBeNull();
  });

  it("lets go when the button came up elsewhere", () => {
    const { root, store } = pane();
    const face = box(root, "s1");
    pointer(face, "down", ...centre(face));
    pointer(face, "move", 200, 200);
    pointer(face, "move", 220, 220, { buttons: 0 });
    pointer(face, "up", 220, 220);
    expect(store.circuit.value).toEqual(CIRCUIT);
  });

  it("puts a box dropped on a supernode into it, and undo takes it out again", () => {
    const { root, store } = pane();
    const face = box(root, "2_0_5");
    drag(face, centre(face), centre(box(root, "s1")));
    expect(store.circuit.value.supernodes[0]).toMatchObject({ name: "Texas", nodes: [...TEXAS, "2_0_5"] });
    store.actions.undo();
    expect(store.circuit.value.supernodes).toEqual(CIRCUIT.supernodes);
  });

  it("lets a supernode dropped on a node by itself take that node in", () => {
    const { root, store } = pane();
    const face = box(root, "s1");
    drag(face, centre(face), centre(box(root, "2_0_5")));
    expect(store.circuit.value.supernodes[0]).toMatchObject({ id: "s1", name: "Texas", nodes: [...TEXAS, "2_0_5"] });
  });

  it("keeps logits by themselves, and says so", () => {
    const { root, store } = pane();
    const face = box(root, "2_0_5");
    drag(face, centre(face), centre(box(root, "4_40_5")));
    expect(store.failure.value?.message).toContain("logits stay by themselves");
    expect(store.circuit.value).toEqual(CIRCUIT);
  });

  it("pins what is dropped from the map on empty ground, where it is dropped", async () => {
    const { root, store } = pane();
    store.drag.value = { nodes: ["1_23_5"], x: 40, y: 30, dropped: false };
    await eventually(() => expect(root.querySelector(".receiving")).not.toBeNull());
    store.drag.value = { nodes: ["1_23_5"], x: 40, y: 30, dropped: true };
    await eventually(() => expect(store.circuit.value.pinned).toContain("1_23_5"));
    expect(store.circuit.value.positions["1_23_5"]).toEqual([40 / 560, 30 / 360]);
  });

  it("groups what is dropped from the map on a box", async () => {
    const { root, store } = pane();
    const [x, y] = centre(box(root, "s2"));
    store.drag.value = { nodes: ["1_23_5"], x, y, dropped: true };
    await eventually(() => expect(store.circuit.value.supernodes[1].nodes).toEqual(["2_9_5", "1_23_5"]));
  });

  it("pays no attention to drags elsewhere on the page", () => {
    const { store } = pane();
    store.drag.value = { nodes: ["1_23_5"], x: 40, y: -300, dropped: true };
    expect(store.circuit.value).toEqual(CIRCUIT);
  });

  it("takes a member out of its supernode when it is dragged out of the list", async () => {
    const { root, store } = pane();
    get(await toolbarOf(root, "s1"), "toolbar-members").click();
    const member = await eventually(() => get(root, "member", { node: "1_8_4" }));
    drag(member, [300, 200], [30, 30]);
    expect(store.circuit.value.supernodes[0].nodes).toEqual(["0_2_4"]);
    expect(store.circuit.value.pinned).toContain("1_8_4");
    expect(store.circuit.value.positions["1_8_4"]).toEqual([30 / 560, 30 / 360]);
  });
});

describe("by keyboard", () => {
  it("walks, selects, and takes a box out without losing the focus", async () => {
    const { root, store } = pane();
    box(root, "s1").focus();
    press(box(root, "s1"), "Enter");
    expect(store.inspected.value).toBe("s1");
    press(box(root, "s1"), "ArrowUp");
    const next = document.activeElement as HTMLElement;
    expect(next.dataset.test).toBe("box");
    expect(next.dataset.id).not.toBe("s1");
    press(box(root, "s1"), "Delete");
    expect(store.circuit.value.supernodes.map(({ id }) => id)).toEqual(["s2"]);
    await eventually(() => expect((document.activeElement as HTMLElement).dataset.test).toBe("box"));
  });

  it("ablates with a, and ungroups with u so that the members stay", async () => {
    const { root, model, store } = pane();
    press(box(root, "s1"), "a");
    expect(model.sent.at(-1)?.name).toBe("intervene");
    press(box(root, "s1"), "u");
    expect(store.circuit.value.supernodes.map(({ id }) => id)).toEqual(["s2"]);
    await eventually(() => expect(all(root, "box").map(({ dataset }) => dataset.id)).toContain("1_8_4"));
  });

  it("moves a box with Alt and an arrow", () => {
    const { root, store } = pane();
    const [x] = centre(box(root, "s1"));
    press(box(root, "s1"), "ArrowRight", { altKey: true });
    expect(store.circuit.value.positions.s1[0]).toBeCloseTo(x / 560 + 0.025, 3);
  });

  it("goes along the toolbar with the arrows, and back to the box with Escape", async () => {
    const { root } = pane();
    const toolbar = await toolbarOf(root, "s1");
    get(toolbar, "toolbar-0").focus();
    press(get(toolbar, "toolbar-0"), "ArrowRight");
    expect(document.activeElement).toBe(get(toolbar, "toolbar--1"));
    press(get(toolbar, "toolbar--1"), "Escape");
    expect(document.activeElement).toBe(box(root, "s1"));
  });

  it("leaves keys with Ctrl to others", () => {
    const { root, model } = pane();
    press(box(root, "s1"), "a", { ctrlKey: true });
    expect(model.sent).toEqual([]);
  });
});
