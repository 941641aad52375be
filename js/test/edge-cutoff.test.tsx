import { describe, expect, it } from "vitest";
import { CircuitPane } from "../src/circuit/circuit-pane";
import { FakeModel, storeOn } from "./fake-model";
import { all, CIRCUIT, eventually, get, mount, texts } from "./panels";

function pane() {
  const model = new FakeModel({ circuit: CIRCUIT });
  const store = storeOn(model);
  return { model, store, root: mount(<CircuitPane store={store} />) };
}

describe("the circuit", () => {
  it("says how many edges are drawn, and from which share of a box's input on", async () => {
    const { model, root, store } = pane();
    const shares = all(root, "link").map(({ dataset }) => Math.abs(Number(dataset.share)));
    const count = () => get(root, "edge-count").textContent;
    const total = Number(count()?.split(" of ")[1]);
    expect(count()).toBe(`edges from 4% · ${shares.length} of ${total}`);

    const slider = get<HTMLInputElement>(root, "least-share");
    slider.value = "0";
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await eventually(() => expect(count()).toBe(`edges from 0% · ${total} of ${total}`));
    expect(store.undoName.value).toBeNull();
    slider.value = "50";
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    slider.dispatchEvent(new Event("change", { bubbles: true }));
    expect(model.get("circuit")).toMatchObject({ version: 3, filters: {}, least_share: 0.5 });
    await eventually(() => expect(count()).toBe(`edges from 50% · ${all(root, "link").length} of ${total}`));
    expect(all(root, "link").length).toBeLessThan(total);
    expect(slider.getAttribute("aria-valuetext")).toBe(count());
    expect(store.undoName.value).toBe("cutoff of edges");
    store.actions.undo();
    await eventually(() => expect(count()).toBe(`edges from 4% · ${shares.length} of ${total}`));
    expect(model.get("circuit").version).toBe(1);
  });

  it("writes the share of each drawn edge on it, on demand", async () => {
    const { model, root, store } = pane();
    expect(all(root, "edge-number")).toEqual([]);
    get(root, "edge-numbers").click();
    await eventually(() => expect(all(root, "edge-number").length).toBe(all(root, "link").length));
    expect(model.get("circuit")).toMatchObject({ version: 3, least_share: null, edge_numbers: true });
    expect(get(root, "edge-numbers").getAttribute("aria-pressed")).toBe("true");
    expect(store.undoName.value).toBe("numbers on edges");
    for (const number of texts(all(root, "edge-number"))) expect(number).toMatch(/^[+−][\d.]+%$/);
    store.actions.undo();
    await eventually(() => expect(all(root, "edge-number")).toEqual([]));
  });
});
