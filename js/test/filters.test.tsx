import { describe, expect, it } from "vitest";
import { EMPTY_CIRCUIT, filter } from "../src/core/circuit";
import { openedBy } from "../src/core/open-bands";
import type { Filters } from "../src/core/types";
import { FilterControl } from "../src/map/filters";
import { closeBand, openBand } from "../src/store/bands";
import { FakeModel, storeOn } from "./fake-model";
import { eventually, get, mount, texts } from "./panels";

function control(filters: Filters | null = null) {
  const model = new FakeModel({ circuit: filter(EMPTY_CIRCUIT, filters) });
  const store = storeOn(model);
  const root = mount(<FilterControl store={store} />);
  return { model, store, root };
}

async function opened(filters: Filters | null = null) {
  const made = control(filters);
  get(made.root, "filters").click();
  await eventually(() => get(made.root, "filter-label-field"));
  return made;
}

function choose(field: HTMLInputElement | HTMLSelectElement, value: string | boolean): void {
  if (typeof value === "boolean") (field as HTMLInputElement).checked = value;
  else field.value = value;
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

const field = (root: Element, name: string) => get<HTMLInputElement>(root, `filter-${name}-field`);

describe("the filters of the map", () => {
  it("are set in the panel, saved with the circuit, and undone", async () => {
    const { model, root, store } = await opened();
    choose(field(root, "label"), " Texas ");
    choose(field(root, "token"), false);
    choose(field(root, "errors"), "bands");
    choose(field(root, "sign"), "inhibits");
    choose(field(root, "stability"), "0.5");
    expect(model.get("circuit")).toMatchObject({
      version: 2,
      filters: {
        label: "Texas",
        kinds: ["feature", "error"],
        error_bands: true,
        sign: "inhibits",
        stability: 0.5,
      },
    });
    expect(store.undoName.value).toBe("filter by stability");
    store.actions.undo();
    expect(store.circuit.value.filters?.stability).toBeUndefined();
  });

  it("take a range by its ends, in whichever order they are chosen, and drop one that is whole", async () => {
    const { root, store } = await opened();
    choose(field(root, "first-layers"), "2");
    await eventually(() => expect(field(root, "first-layers").value).toBe("2"));
    choose(field(root, "last-layers"), "1");
    expect(store.circuit.value.filters).toEqual({ layers: [1, 2] });
    await eventually(() => expect(field(root, "first-layers").value).toBe("1"));
    choose(field(root, "first-layers"), "0");
    expect(store.circuit.value.filters).toBeUndefined();
    expect(store.circuit.value.version).toBe(1);
  });

  it("are chips that a click removes, and the keyboard stays at the control", async () => {
    const { root, store } = control({ layers: [1, 2], label: "Texas", kinds: [], error_bands: true });
    const chips = () => [...root.querySelectorAll(".filter-chip")];
    expect(texts(chips())).toEqual(["outputs only ×", "layers 1–2 ×", "label “Texas” ×", "errors in bands ×"]);
    get(root, "filter-layers").click();
    expect(store.circuit.value.filters).toEqual({ label: "Texas", kinds: [], error_bands: true });
    await eventually(() => expect(chips()).toHaveLength(3));
    expect(document.activeElement).toBe(get(root, "filters"));
  });

  it("say what is wrong, and change nothing", async () => {
    const { root, store } = await opened();
    choose(field(root, "label"), "x".repeat(81));
    expect(store.failure.value?.message).toBe("A part of a label has at most 80 characters; given 81.");
    expect(store.circuit.value.filters).toBeUndefined();
  });

  it("hide nothing that is selected", () => {
    const { store } = control({ layers: [2, 2], kinds: [] });
    const visible = () => Array.from(store.visible.value.nodes, (node) => store.snapshot.ids[node]);
    expect(visible()).not.toContain("0_2_4");
    store.actions.select(["0_2_4"], "replace");
    expect(visible()).toContain("0_2_4");
  });
});

describe("a band", () => {
  it("that is open has the strongest nodes of its layers that no filter hides, until it is closed", () => {
    const { store } = control();
    const band = { of: "layers", first: 0, last: 0 } as const;
    store.actions.previewThresholds({ node: 0, edge: 0 });
    const visible = () => Array.from(store.visible.value.nodes, (node) => store.snapshot.ids[node]);
    const strongest = openedBy(store.snapshot, store.circuit.value, band);
    const before = visible();
    expect(before).not.toEqual(expect.arrayContaining(strongest));
    openBand(store, band);
    expect(visible()).toEqual(expect.arrayContaining(strongest));
    store.actions.edit((circuit) => filter(circuit, { kinds: ["feature", "token"] }), "filter");
    expect(visible().some((id) => id.startsWith("0_-1"))).toBe(false);
    closeBand(store, band);
    store.actions.undo();
    expect(visible()).toEqual(before);
  });
});
