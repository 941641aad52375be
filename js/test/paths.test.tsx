import { beforeAll, describe, expect, it } from "vitest";
import { Inspector } from "../src/inspector/inspector";
import { PALETTES } from "../src/page/constants";
import { findPaths, selectedPair } from "../src/store/paths";
import { FakeModel, storeOn } from "./fake-model";
import { frame, painted, setUp } from "./map-page";
import { all, CIRCUIT, eventually, get, loaded, mount, TEXAS } from "./panels";

const PATHS = [
  { nodes: ["E_4_4", "1_8_4", "4_40_5"], edges: [0.5, -0.25], share: -0.5 },
  { nodes: ["E_4_4", "9_9_9", "4_40_5"], edges: [0.2, 0.1], share: 0.125 },
];

function inspector(selected: string[], traits: Record<string, unknown> = {}) {
  const model = new FakeModel({ circuit: CIRCUIT, selected, ...traits });
  const store = storeOn(model);
  return { model, store, root: mount(<Inspector store={store} />) };
}

beforeAll(async () => {
  const store = storeOn(new FakeModel({ selected: ["1_8_4", "2_9_5"] }));
  await loaded(<Inspector store={store} />, "inspector-facts");
  await loaded(<Inspector store={store} />, "selection-bar");
});

describe("questions about paths", () => {
  it("are sent for what feeds a node, and what it feeds", () => {
    const { model, root } = inspector(["1_8_4"]);
    get(root, "paths-inputs").click();
    expect(model.sent.at(-1)).toMatchObject({ name: "paths", body: { sources: [], targets: ["1_8_4"] } });
    get(root, "paths-outputs").click();
    expect(model.sent.at(-1)).toMatchObject({ name: "paths", body: { sources: ["1_8_4"], targets: [] } });
  });

  it("are for two nodes or supernodes, from the one further from the outputs", () => {
    const { model, root } = inspector(["4_40_5", "2_9_5"]);
    get(root, "find-paths").click();
    expect(model.sent.at(-1)).toMatchObject({ name: "paths", body: { sources: ["2_9_5"], targets: ["4_40_5"] } });
    expect(selectedPair(inspector(["4_40_5", ...TEXAS]).store)?.map(({ name }) => name)).toEqual(["Texas", "Austin"]);
    expect(selectedPair(inspector(["4_40_5", "2_9_5", TEXAS[0]]).store)).toBeNull();
    expect(selectedPair(inspector([...TEXAS]).store)).toBeNull();
  });

  it("are not offered in an HTML file for readers, which has no kernel", () => {
    const capabilities = { intervene: false, why_not: "", figure: true, recorded: true };
    const { root } = inspector(["2_9_5", "4_40_5"], { capabilities });
    expect(root.querySelector('[data-test="find-paths"], [data-test="paths-inputs"]')).toBeNull();
  });
});

describe("the answer", () => {
  it("lists each path with its share and what they are together; what the map lacks has no click", async () => {
    const { model, store, root } = inspector(["4_40_5"]);
    get(root, "paths-inputs").click();
    model.answer({ type: "reply", body: { paths: PATHS } });
    await eventually(() => get(root, "paths"));
    expect(get(root, "paths").textContent).toContain("what feeds Austin: the 2 strongest paths, 63% of its input");
    expect(all(root, "path").map((row) => row.textContent)).toEqual([
      "Texas → Texas <b> → Austin−50%",
      "Texas → feature 9 → Austin+13%",
    ]);
    expect(all(root, "path").map((row) => row.querySelectorAll("button").length)).toEqual([3, 2]);
    expect(store.visible.value.nodes).toContain(store.snapshot.index.get("1_8_4"));
    root.querySelector<HTMLElement>('[aria-label="Close the paths"]')?.click();
    await eventually(() => expect(root.querySelector('[data-test="paths"]')).toBeNull());
  });

  it("says where no path leads", async () => {
    const { model, root } = inspector(["2_9_5", "4_40_5"]);
    get(root, "find-paths").click();
    model.answer({ type: "reply", body: { paths: [] } });
    await eventually(() => get(root, "paths"));
    expect(get(root, "paths").textContent).toContain("to Austin: no path leads there");
  });

  it("is all that the map draws in full until Escape, which leaves the selection as it is", async () => {
    const { model, store, key, view } = setUp({ selected: ["4_40_5"] });
    void findPaths(store, null, { name: "Austin", nodes: ["4_40_5"] });
    model.answer({ type: "reply", body: { paths: PATHS } });
    await eventually(() => expect(store.paths.value).not.toBeNull());
    await frame();
    painted.length = 0;
    view.size.value = { ...view.size.value };
    await frame();
    const { excite, inhibit } = PALETTES.light;
    const inFront = painted.filter(
      ({ path, opacity, what }) => what === "stroke" && path.includes("bezierCurveTo") && opacity > 0.5,
    );
    expect(inFront.slice(-2).map(({ color }) => color)).toEqual([inhibit, excite]);
    key("Escape");
    expect(store.paths.value).toBeNull();
    expect(store.selected.value).toEqual(["4_40_5"]);
    key("Escape");
    expect(store.selected.value).toEqual([]);
  });
});
