import { describe, expect, it } from "vitest";
import { ComparisonBar } from "../src/comparison/comparison-bar";
import { circuitThere, counterpartOf, fromThere, readCompared, shareThere, whereIs } from "../src/core/compared";
import { KIND } from "../src/core/constants";
import { readSnapshot, shareOfInput } from "../src/core/snapshot";
import { Inspector } from "../src/inspector/inspector";
import { nodeMarks } from "../src/map/marks";
import type { HtmlContent, OtherGraphMessage } from "../src/messages/types";
import { Footer } from "../src/shell/footer";
import { Panes } from "../src/shell/panes";
import { otherStore } from "../src/store/other-store";
import { RecordedModel } from "../src/wire/html-file";
import { FakeModel, fixtureSnapshot, storeOn } from "./fake-model";
import { frame, painted, setUp } from "./map-page";
import { all, CIRCUIT, eventually, get, mount, texts } from "./panels";

const [HERE, THERE, SHARED] = ["0_3_1", "0_13_1", "1_8_4"];

/** The fixture graph beside itself, with one feature under another number there, and twice the weight over one edge. */
function message(): OtherGraphMessage {
  const snapshot = fixtureSnapshot();
  const ids = snapshot.ids.map((id) => (id === HERE ? THERE : id));
  const same = snapshot.ids.filter((id) => id !== HERE);
  const column = snapshot.columns.influence;
  const influence = new Float32Array(snapshot.ids.length).fill(0.5);
  return {
    snapshot: {
      ...snapshot,
      ids,
      columns: { ...snapshot.columns, influence: { ...column, data: new DataView(influence.buffer) } },
    },
    here: same,
    there: same,
    both: 15,
    only_here: 1,
    only_there: 1,
    overlap: 0.7123,
    notes: ["Both graphs are pruned <b>."],
  };
}

const snapshot = readSnapshot(fixtureSnapshot());
const compared = readCompared(message());

describe("a comparison", () => {
  it("knows which nodes are in both graphs, from either side", () => {
    const back = fromThere(compared, snapshot);
    expect([HERE, SHARED].map((id) => whereIs(compared, id))).toEqual(["only here", "both"]);
    expect([THERE, SHARED].map((id) => whereIs(back, id))).toEqual(["only there", "both"]);
    expect(compared.other.ids[counterpartOf(compared, SHARED) ?? -1]).toBe(SHARED);
    expect(counterpartOf(compared, HERE)).toBeNull();
  });

  it("has the share over the same edge there, and none where the edge or an end of it is not there", () => {
    const node = snapshot.index.get(SHARED) as number;
    const here = snapshot.ids.indexOf(HERE);
    const edge = [...snapshot.edgeTarget.keys()].find(
      (one) => snapshot.edgeTarget[one] === node && snapshot.edgeSource[one] !== here,
    ) as number;
    const source = snapshot.ids[snapshot.edgeSource[edge]];
    expect(shareThere(compared, source, SHARED)).toBeCloseTo(shareOfInput(snapshot, edge), 6);
    expect(shareThere(compared, HERE, SHARED)).toBeNull();
    expect(shareThere(compared, SHARED, source)).toBeNull();
  });

  it("takes of the circuit to the other graph what is in both", () => {
    const circuit = {
      ...CIRCUIT,
      pinned: [HERE, SHARED],
      supernodes: [{ id: "s1", name: "a", color: 1, nodes: [HERE] }],
    };
    const found = circuitThere({ ...circuit, labels: { [SHARED]: "Texas", [HERE]: "the" } }, compared);
    expect(found).toMatchObject({ pinned: [SHARED], supernodes: [], labels: { [SHARED]: "Texas" } });
  });
});

function both() {
  const model = new FakeModel({ comparison: message() });
  const store = storeOn(model);
  const abort = new AbortController();
  const there = otherStore(store, store.comparison.value as NonNullable<typeof store.comparison.value>, abort.signal);
  return { model, store, there, abort };
}

describe("the two views", () => {
  it("have one selection: the counterparts, and what has none by itself", () => {
    const { store, there } = both();
    store.actions.select([SHARED, HERE], "replace");
    expect(there.selected.value).toEqual([SHARED]);
    expect(store.selected.value).toEqual([SHARED, HERE]);
    there.actions.select(["2_9_5"], "replace");
    expect(store.selected.value).toEqual(["2_9_5"]);
    there.actions.select([THERE], "replace");
    expect(store.selected.value).toEqual([]);
    expect(there.selected.value).toEqual([THERE]);
    store.actions.select([SHARED], "replace");
    expect(there.selected.value).toEqual([SHARED]);
    store.actions.select([], "replace");
    expect(there.selected.value).toEqual([]);
  });

  it("light up the same node, and none once the pointer has left", () => {
    const { store, there } = both();
    there.actions.hover(SHARED);
    expect(store.hovered.value).toBe(SHARED);
    there.actions.hover(THERE);
    expect([store.hovered.value, there.hovered.value]).toEqual([null, THERE]);
    there.actions.hover(SHARED);
    there.actions.hover(null);
    expect([store.hovered.value, there.hovered.value]).toEqual([null, null]);
  });

  it("have the groups and thresholds of one circuit, which the other view cannot edit", () => {
    const { store, there } = both();
    store.actions.edit(() => ({ ...CIRCUIT, node_threshold: 0.5 }), "open");
    expect(there.circuit.value.supernodes.map(({ name }) => name)).toEqual(["Texas", "say Austin"]);
    expect(there.thresholds.value.node).toBe(0.5);
    const before = there.circuit.value;
    there.actions.edit((circuit) => ({ ...circuit, pinned: [THERE] }), "pin");
    expect(there.circuit.value).toBe(before);
  });

  it("part once the comparison is closed", () => {
    const { store, there, abort } = both();
    abort.abort();
    store.actions.select([SHARED], "replace");
    expect(there.selected.value).toEqual([]);
  });

  it("mark nodes that one graph alone has by the half that is filled, and fade what is not emphasised", () => {
    const { store, there } = both();
    const at = snapshot.ids.indexOf(HERE);
    expect(nodeMarks(store).half[at]).toBe(-1);
    expect(nodeMarks(there).half[at]).toBe(1);
    expect(nodeMarks(store).half.filter((one) => one !== 0)).toHaveLength(1);
    store.emphasis.value = "only here";
    const { presence } = nodeMarks(store);
    expect(presence[at]).toBe(1);
    const feature = snapshot.index.get(SHARED) as number;
    expect(snapshot.kind[feature]).toBe(KIND.feature);
    expect(presence[feature]).toBeLessThan(0.3);
    expect(nodeMarks(there).presence[at]).toBeLessThan(0.3);
  });
});

describe("the line above the maps", () => {
  it("counts, as text, and each count emphasises what it counts until it is clicked again", async () => {
    const store = storeOn(new FakeModel({ comparison: message() }));
    const root = mount(<ComparisonBar store={store} />);
    expect(texts(all(root, "where-both"))[0].trim()).toBe("15 in both");
    expect(get(root, "overlap").textContent).toBe("0.71");
    expect(get(root, "comparison-notes").textContent).toBe("Both graphs are pruned <b>.");
    expect(get(root, "side-there").textContent).toContain("Austin 0.75");
    get(root, "where-only-here").click();
    expect(store.emphasis.value).toBe("only here");
    await eventually(() => expect(get(root, "where-only-here").getAttribute("aria-pressed")).toBe("true"));
    get(root, "where-only-here").click();
    expect(store.emphasis.value).toBeNull();
  });

  it("closes the comparison here and in the kernel", async () => {
    const model = new FakeModel({ comparison: message() });
    const store = storeOn(model);
    const root = mount(<ComparisonBar store={store} />);
    get(root, "close-comparison").click();
    expect(store.comparison.value).toBeNull();
    expect(model.get("comparison")).toBeNull();
    expect(model.saves).toBe(1);
    await eventually(() => expect(all(root, "comparison")).toEqual([]));
  });

  it("says why a graph beside cannot be displayed", async () => {
    const broken = { ...message(), snapshot: { ...message().snapshot, version: 99 } };
    const store = storeOn(new FakeModel({ comparison: broken }));
    expect(store.comparison.value).toBeNull();
    await eventually(() => expect(store.failure.value?.message).toContain("The graph beside cannot be displayed."));
  });
});

describe("the panes", () => {
  it("have two maps while two graphs are compared, and show a node that only the other one has", async () => {
    setUp();
    const model = new FakeModel({ comparison: message() });
    const store = storeOn(model);
    const root = mount(<Panes store={store} onFrame={() => undefined} />);
    await eventually(() => get(root, "other-map"));
    expect(root.querySelector(".panes")?.classList.contains("comparing")).toBe(true);
    store.there.value?.actions.select([THERE], "replace");
    await eventually(() => expect(get(root, "inspector-facts").textContent).toContain("only there"));
    store.actions.closeComparison();
    await eventually(() => expect(all(root, "other-map")).toEqual([]));
    expect(store.there.value).toBeNull();
    await eventually(() => get(root, "inspector-empty"));
  });
});

describe("the inspector of compared graphs", () => {
  it("has the influence and the weights here and there", async () => {
    const store = storeOn(new FakeModel({ comparison: message() }));
    const root = mount(<Inspector store={store} />);
    store.actions.select([SHARED], "replace");
    await eventually(() => expect(get(root, "inspector-facts").textContent).toContain("in both, there influence 50%"));
    const rows = all(root, "input-row");
    expect(rows.length).toBeGreaterThan(2);
    for (const row of rows) {
      const [here, beside] = [...row.querySelectorAll(".number")].map((one) => one.textContent);
      expect(beside).toBe(row.dataset.node === HERE ? "–" : here);
    }
    store.actions.select([HERE], "replace");
    await eventually(() => expect(get(root, "inspector-facts").textContent).toContain("only here"));
  });
});

describe("the earlier graph", () => {
  it("is compared from the bottom row, where there is one", async () => {
    const model = new FakeModel({ graphs: { earlier: "tracing Dallas", later: null } });
    const root = mount(<Footer store={storeOn(model)} />);
    get(root, "compare-earlier").click();
    expect(model.sent.at(-1)).toMatchObject({ name: "compare_earlier", body: {} });
    expect(all(mount(<Footer store={storeOn(new FakeModel())} />), "compare-earlier")).toEqual([]);
  });
});

it("half of a node is filled where only one graph has it", async () => {
  setUp({ comparison: message() });
  await frame();
  expect(painted.some(({ path }) => path.includes("clip"))).toBe(true);
  painted.length = 0;
  setUp();
  await frame();
  expect(painted.some(({ path }) => path.includes("clip") && path.includes("fillRect"))).toBe(false);
});

it("an HTML file has the graph beside with its columns", () => {
  const { snapshot: other, ...rest } = message();
  const packed = Object.entries(other.columns).map(([name, { dtype, data }]) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return [name, { dtype, data: Buffer.from(bytes).toString("base64") }];
  });
  const pack = { ...other, columns: Object.fromEntries(packed) };
  const traits = { snapshot: pack, comparison: { ...rest, snapshot: pack }, circuit: {}, capabilities: {} };
  const content = { version: 1, traits, effects: [], comparisons: [], cards: [], table: "", name: "a" };
  const model = new RecordedModel(content as unknown as HtmlContent, new DataView(new ArrayBuffer(0)));
  expect(readCompared(model.get("comparison")).other.ids).toContain(THERE);
});
