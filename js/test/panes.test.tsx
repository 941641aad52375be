import { describe, expect, it } from "vitest";
import { arrangementOf, heightOf, shareAt, shareMoved } from "../src/shell/pane-sizes";
import { Panes } from "../src/shell/panes";
import { FakeModel, storeOn } from "./fake-model";
import { all, CIRCUIT, eventually, get, mount, press } from "./panels";

function panes(traits: Record<string, unknown> = {}) {
  const store = storeOn(new FakeModel(traits));
  return { store, root: mount(<Panes store={store} onFrame={() => undefined} />) };
}

const frame = (root: Element) => root.querySelector<HTMLElement>(".panes") as HTMLElement;

describe("the panes", () => {
  it("give the map the room of an empty circuit, until something is in it", async () => {
    const { root, store } = panes();
    expect(frame(root).classList.contains("no-circuit")).toBe(true);
    expect(all(root, "edge-map-circuit")).toEqual([]);
    store.actions.edit(() => CIRCUIT, "open");
    await eventually(() => expect(frame(root).classList.contains("no-circuit")).toBe(false));
    expect(all(root, "edge-map-circuit")).toHaveLength(1);
  });

  it("have an edge that keys move and a double click puts back", async () => {
    const { root } = panes({ circuit: CIRCUIT });
    const edge = await eventually(() => get(root, "edge-map-circuit"));
    press(edge, "ArrowDown");
    await eventually(() => expect(frame(root).style.getPropertyValue("--moved-map")).toBe("0.54fr"));
    press(edge, "ArrowUp");
    press(edge, "ArrowUp");
    await eventually(() => expect(frame(root).style.getPropertyValue("--moved-circuit")).toBe("0.54fr"));
    edge.dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
    await eventually(() => expect(frame(root).style.getPropertyValue("--moved-map")).toBe(""));
  });

  it("have no edge between panes of which one is folded", async () => {
    const { root } = panes({ circuit: CIRCUIT });
    await eventually(() => get(root, "edge-map-circuit"));
    get(root, "fold-circuit").click();
    await eventually(() => expect(all(root, "edge-map-circuit")).toEqual([]));
    get(root, "fold-circuit").click();
    await eventually(() => get(root, "edge-map-circuit"));
  });
});

describe("their sizes", () => {
  it("never move a pane out of sight", () => {
    expect(shareAt(-50, 700)).toBe(0.15);
    expect(shareAt(350, 700)).toBe(0.5);
    expect(shareAt(9000, 700)).toBe(0.85);
    expect(shareAt(0, 0)).toBe(0.5);
    expect(shareMoved(0.84, 0.04)).toBe(0.85);
    expect(heightOf(3)).toBe(320);
    expect(heightOf(1e6)).toBe(2400);
  });

  it("are arranged by the width of the cell", () => {
    expect([480, 759, 760, 1179, 1180].map(arrangementOf)).toEqual(["narrow", "narrow", "stacked", "stacked", "wide"]);
  });
});
