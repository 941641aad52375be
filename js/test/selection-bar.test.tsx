import { beforeAll, describe, expect, it } from "vitest";
import { Inspector } from "../src/inspector/inspector";
import { FakeModel, storeOn } from "./fake-model";
import { all, CIRCUIT, eventually, get, loaded, mount, texts } from "./panels";

beforeAll(async () => {
  const store = storeOn(new FakeModel({ selected: ["1_8_4", "2_9_5"] }));
  await loaded(<Inspector store={store} />, "selection-bar");
});

function inspector(inspected: string | null, traits: Record<string, unknown> = {}) {
  const store = storeOn(new FakeModel({ circuit: CIRCUIT, ...traits }));
  if (inspected !== null) store.actions.select([inspected], "replace");
  return { store, root: mount(<Inspector store={store} />) };
}

describe("several selected nodes", () => {
  it("are counted, and grouped or pinned together, outputs aside", () => {
    const { root, store } = inspector(null, { circuit: { ...CIRCUIT, pinned: [], supernodes: [] } });
    store.actions.select(["0_2_4", "4_40_5", "1_8_4"], "replace");
    return eventually(() => expect(texts([get(root, "selection-bar")])).toEqual(["3 nodes selectedGroupPinhide"])).then(
      async () => {
        get(root, "pin-selected").click();
        expect(store.circuit.value.pinned).toEqual(["0_2_4", "4_40_5", "1_8_4"]);
        get(root, "group-selected").click();
        expect(store.circuit.value.supernodes.map(({ nodes }) => nodes)).toEqual([["0_2_4", "1_8_4"]]);
      },
    );
  });

  it("are hidden by hand, those of the circuit and outputs aside, as one step", async () => {
    const { root, store } = inspector(null, { circuit: { ...CIRCUIT, pinned: ["1_8_4"], supernodes: [] } });
    store.actions.select(["0_2_4", "4_40_5", "1_8_4"], "replace");
    (await eventually(() => get(root, "hide-selected"))).click();
    expect(store.circuit.value.filters).toEqual({ hidden: ["0_2_4"] });
    expect(store.selected.value).toEqual([]);
    expect(store.visible.value.filtered.get(store.snapshot.index.get("0_2_4") as number)).toBe("hidden");
    store.actions.undo();
    expect(store.circuit.value.filters ?? {}).toEqual({});
  });

  it("are not where one node, or a supernode, is selected", async () => {
    const { root } = inspector("s1");
    await eventually(() => get(root, "inspector-title"));
    expect(all(root, "selection-bar")).toEqual([]);
  });
});

describe("the hue of a supernode", () => {
  it("is the pressed one, and can be undone", async () => {
    const { root, store } = inspector("s1");
    const hue = await eventually(() => get(root, "hue-4"));
    hue.click();
    expect(store.circuit.value.supernodes[0].color).toBe(4);
    await eventually(() => expect(get(root, "hue-4").getAttribute("aria-pressed")).toBe("true"));
    store.actions.undo();
    expect(store.circuit.value.supernodes[0].color).toBe(0);
  });
});
