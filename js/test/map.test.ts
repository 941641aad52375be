import { describe, expect, it } from "vitest";
import { frame, setUp } from "./map-page";

const GROUND = { x: 60, y: 40 };

describe("the pointer", () => {
  it("selects a node by a click, toggles it with Shift, and clears by a click on the ground", () => {
    const { store, click, pointer } = setUp();
    click("1_4_2");
    expect(store.selected.value).toEqual(["1_4_2"]);
    click("0_3_1", { shiftKey: true });
    expect(store.selected.value).toEqual(["1_4_2", "0_3_1"]);
    click("1_4_2", { ctrlKey: true });
    expect(store.selected.value).toEqual(["0_3_1"]);
    pointer("pointerdown", GROUND);
    pointer("pointerup", GROUND);
    expect(store.selected.value).toEqual([]);
  });

  it("groups two nodes when one is dropped on the other", () => {
    const { store, at, drag } = setUp();
    drag(at("0_3_1"), at("1_4_2"));
    expect(store.circuit.value.supernodes[0].nodes).toEqual(["1_4_2", "0_3_1"]);
    expect(store.drag.value).toBeNull();
  });

  it("carries the whole selection, and tells the other panes of the drop", async () => {
    const { store, at, pointer } = setUp({ selected: ["0_3_1", "0_7_2"] });
    pointer("pointerdown", at("0_3_1"));
    pointer("pointermove", { x: 300, y: 700 }, { buttons: 1 });
    expect(store.drag.value).toEqual({ nodes: ["0_3_1", "0_7_2"], x: 300, y: 700, dropped: false });
    pointer("pointerup", { x: 300, y: 700 });
    expect(store.drag.value?.dropped).toBe(true);
    await frame();
    await frame();
    expect(store.drag.value).toBeNull();
    expect(store.selected.value).toEqual(["0_3_1", "0_7_2"]);
  });

  it("lets go of a drag on Escape", () => {
    const { store, at, pointer, key } = setUp();
    pointer("pointerdown", at("0_3_1"));
    pointer("pointermove", at("1_4_2"), { buttons: 1 });
    key("Escape");
    pointer("pointerup", at("1_4_2"));
    expect(store.circuit.value.supernodes).toEqual([]);
    expect(store.drag.value).toBeNull();
  });

  it("selects what a rectangle drawn with Shift encloses", () => {
    const { store, view, drag } = setUp();
    drag({ x: 38, y: 2 }, { x: 556, y: view.scene.value.layout.rows[3].y + 20 }, { shiftKey: true });
    const expected = store.snapshot.ids.filter((id) => (view.positionOf(id)?.y ?? 999) < 140);
    expect(expected.length).toBeGreaterThan(2);
    expect(new Set(store.selected.value)).toEqual(new Set(expected));
  });
});

describe("the camera", () => {
  it("leaves the wheel to the page until the map has focus, or with Ctrl", () => {
    const { view, canvas, wheel } = setUp();
    expect(wheel(-100)).toBe(false);
    expect(view.camera.value.k).toBe(1);
    expect(wheel(-100, { ctrlKey: true })).toBe(true);
    const zoomed = view.camera.value.k;
    expect(zoomed).toBeGreaterThan(1);
    canvas.dispatchEvent(new FocusEvent("focus"));
    expect(wheel(-100)).toBe(true);
    expect(view.camera.value.k).toBeGreaterThan(zoomed);
  });

  it("keeps the point under the pointer, never looks past the edge, and comes back by a double click", () => {
    const { view, wheel, drag, pointer } = setUp();
    wheel(-400, { ctrlKey: true });
    const { k, x } = view.camera.value;
    expect(k).toBeGreaterThan(1.5);
    expect(k * 200 + x).toBeCloseTo(200, 6);
    drag(GROUND, { x: 900, y: 900 });
    expect([view.camera.value.x, view.camera.value.y]).toEqual([0, 0]);
    pointer("dblclick", { x: 45, y: 5 });
    expect(view.camera.value).toEqual({ k: 1, x: 0, y: 0 });
  });

  it("still finds nodes where they are drawn", () => {
    const { view, at, wheel } = setUp();
    wheel(-400, { ctrlKey: true });
    expect(view.camera.value.k).toBeGreaterThan(1.5);
    const place = at("1_4_2");
    expect(view.nodeAt(place.x, place.y)).toBe("1_4_2");
    expect(view.nodeAt(place.x + place.radius + 8, place.y)).not.toBe("1_4_2");
  });
});

describe("the keys", () => {
  it("walk from the most influential feature to its neighbours, and select", () => {
    const { store, view, key, at } = setUp();
    key("ArrowUp");
    const first = view.cursor.value as string;
    const { influence, index, kind } = store.snapshot;
    const features = store.snapshot.ids.filter((id) => kind[index.get(id) as number] === 0);
    expect(features.every((id) => influence[index.get(id) as number] <= influence[index.get(first) as number])).toBe(
      true,
    );
    key("ArrowUp");
    const second = view.cursor.value as string;
    expect(at(second).y).toBeLessThan(at(first).y);
    key("Enter");
    expect(store.selected.value).toEqual([second]);
    key("ArrowDown");
    key(" ");
    expect(store.selected.value).toHaveLength(2);
    key("Escape");
    expect(store.selected.value).toEqual([]);
  });
});
