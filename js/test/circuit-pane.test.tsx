import { describe, expect, it } from "vitest";
import { rename } from "../src/core/circuit";
import { box, pane, requested, toolbarOf } from "./circuit-pane";
import { fixtureSnapshot } from "./fake-model";
import { all, CIRCUIT, EFFECT, eventually, get, pointer, press, TEXAS } from "./panels";

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
