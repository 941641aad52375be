import { describe, expect, it } from "vitest";
import { label, pin } from "../src/core/circuit";
import { labelArea, type MapDot, mapLabels, withLabelOf } from "../src/layout/map-labels";
import { setUp } from "./map-page";

describe("the labels", () => {
  const texts = ({ view }: ReturnType<typeof setUp>) => view.labels.value.map(({ text }) => text);
  const at = ({ store, view }: ReturnType<typeof setUp>) =>
    view.labels.value.map(({ dot }) => store.snapshot.ids[view.scene.value.visible.nodes[dot]]);

  it("are those of the graph, in the order of influence, and none for nodes without", () => {
    const map = setUp();
    expect(texts(map)).toContain("Texas <b>");
    const { influence, index } = map.store.snapshot;
    const influences = at(map).map((id) => influence[index.get(id) as number]);
    expect(influences).toEqual([...influences].sort((a, b) => b - a));
    expect(texts(map).filter((text) => /^(feature|error) /.test(text))).toEqual([]);
  });

  it("change with the user's labels, which go before the graph's", () => {
    const map = setUp();
    map.store.actions.edit((circuit) => label(circuit, "1_8_4", "Lone Star"), "label");
    expect(texts(map)).toContain("Lone Star");
    expect(texts(map)).not.toContain("Texas <b>");
    map.store.actions.edit((circuit) => label(circuit, "1_8_4", ""), "label");
    expect(texts(map)).toContain("Texas <b>");
  });

  it("begin with selected and pinned nodes", () => {
    const map = setUp();
    for (const id of ["0_3_1", "0_7_2"]) map.store.actions.edit((one) => label(one, id, `about ${id}`), "label");
    map.store.actions.edit((circuit) => pin(circuit, ["0_3_1"]), "pin");
    expect(at(map)[0]).toBe("0_3_1");
    map.store.actions.select(["0_7_2"], "replace");
    expect(new Set(at(map).slice(0, 2))).toEqual(new Set(["0_3_1", "0_7_2"]));
  });

  it("stay where they are while a node with a label is hovered", () => {
    const map = setUp();
    const before = map.view.labels.value;
    map.store.actions.hover("1_8_4");
    expect(map.view.labels.value).toBe(before);
    map.store.actions.hover("1_15_4");
    expect(map.view.labels.value).toBe(before);
  });

  it("have room for more of their text when zoomed in", () => {
    const map = setUp();
    const long = "a very long label for what this feature does";
    map.store.actions.edit((circuit) => label(circuit, "1_8_4", long), "label");
    map.store.actions.select(["1_8_4"], "replace");
    const length = () => texts(map)[0].length;
    const short = length();
    expect(texts(map)[0]).toMatch(/^a very long.*…$/);
    const { x, y } = map.at("1_8_4");
    map.view.camera.value = { k: 2, x: -x, y: -y };
    expect(length()).toBeGreaterThan(short);
  });
});

describe("a label of a hovered node", () => {
  const frame = { x0: 0, y0: 0, x1: 400, y1: 200 };
  const dot = (x: number, y: number, text: string, influence: number): MapDot => ({
    ...{ x, y, radius: 4, text, influence, first: false },
  });

  it("takes the place of those that it covers, and of no others", () => {
    const dots = [dot(100, 100, "most influential", 3), dot(160, 113, "hovered", 1), dot(300, 50, "far away", 2)];
    const placed = mapLabels({ dots, frame, taken: [], zoom: 1, size: 10.5 });
    const others = placed.filter((label) => label.dot !== 1);
    const room = { x0: 0, y0: 118, x1: 400, y1: 200 };
    const labels = withLabelOf(1, others, { dots, frame, taken: [room], zoom: 1, size: 10.5 });
    expect(labels.map((label) => label.dot)).toContain(1);
    expect(labels.map((label) => label.dot)).toContain(2);
    const areas = labels.map((label) => labelArea(label, 10.5));
    for (const [at, one] of areas.entries()) {
      for (const other of areas.slice(at + 1)) {
        expect(one.x0 < other.x1 && other.x0 < one.x1 && one.y0 < other.y1 && other.y0 < one.y1).toBe(false);
      }
    }
  });

  it("is left out where dots leave no room", () => {
    const crowd = [90, 100, 110].flatMap((x) => [90, 100, 110].map((y) => dot(x, y, x === y ? `${x}` : "", 1)));
    const frameOfCrowd = { x0: 80, y0: 80, x1: 120, y1: 120 };
    const labelled = { dots: crowd, frame: frameOfCrowd, taken: [], zoom: 1, size: 10.5 };
    expect(withLabelOf(4, [], labelled)).toEqual([]);
  });
});
