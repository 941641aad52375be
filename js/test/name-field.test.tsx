import { describe, expect, it } from "vitest";
import { CircuitPane } from "../src/circuit/circuit-pane";
import { FakeModel, storeOn } from "./fake-model";
import { all, CIRCUIT, eventually, get, mount, press } from "./panels";

function pane() {
  const store = storeOn(new FakeModel({ circuit: CIRCUIT }));
  return { store, root: mount(<CircuitPane store={store} />) };
}

describe("a name being edited", () => {
  it("keeps the name on Enter", async () => {
    const { root, store } = pane();
    press(get(root, "box", { id: "s1" }), "F2");
    const field = await eventually(() => get<HTMLInputElement>(root, "rename"));
    expect(field.value).toBe("Texas");
    field.value = "Lone Star";
    press(field, "Enter");
    expect(store.circuit.value.supernodes[0].name).toBe("Lone Star");
    await eventually(() => expect(all(root, "rename")).toEqual([]));
    expect(store.renaming.value).toBeNull();
  });

  it("forgets it on Escape, and keeps the old one when nothing is left", async () => {
    const { root, store } = pane();
    for (const [typed, key] of [
      ["Other", "Escape"],
      ["  ", "Enter"],
    ]) {
      get(root, "box", { id: "s1" }).dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
      const field = await eventually(() => get<HTMLInputElement>(root, "rename"));
      field.value = typed;
      press(field, key);
      await eventually(() => expect(all(root, "rename")).toEqual([]));
      expect(store.circuit.value).toEqual(CIRCUIT);
    }
  });

  it("neither cuts nor keeps a name that is too long, counted in whole characters, and states why", async () => {
    const { root, store } = pane();
    press(get(root, "box", { id: "s1" }), "F2");
    const field = await eventually(() => get<HTMLInputElement>(root, "rename"));
    expect(field.maxLength).toBe(-1);
    const long = `${"x".repeat(78)}👨‍👩‍👧‍👦`;
    for (const leave of [() => press(field, "Enter"), () => field.blur()]) {
      enter(field, long);
      leave();
      await eventually(() =>
        expect(get(root, "name-fault").textContent).toBe("A name has at most 80 characters; given 85."),
      );
      expect([get<HTMLInputElement>(root, "rename").value, field.getAttribute("aria-invalid")]).toEqual([long, "true"]);
      expect(store.circuit.value).toEqual(CIRCUIT);
    }
    enter(field, "🤠".repeat(80));
    await eventually(() => expect(all(root, "name-fault")).toEqual([]));
    press(field, "Enter");
    expect(store.circuit.value.supernodes[0].name).toBe("🤠".repeat(80));
    expect(store.failure.value).toBeNull();
  });

  it("keeps no half of a character", async () => {
    const { root, store } = pane();
    press(get(root, "box", { id: "s1" }), "F2");
    const field = await eventually(() => get<HTMLInputElement>(root, "rename"));
    field.value = "half \ud83d";
    press(field, "Enter");
    expect(store.circuit.value.supernodes[0].name).toBe("half \ufffd");
  });

  it("labels a node that stands by itself", async () => {
    const { root, store } = pane();
    store.renaming.value = "2_0_5";
    const field = await eventually(() => get<HTMLInputElement>(root, "rename"));
    field.value = "say a city";
    press(field, "Enter");
    expect(store.circuit.value.labels["2_0_5"]).toBe("say a city");
  });
});

function enter(field: HTMLInputElement, text: string): void {
  field.value = text;
  field.dispatchEvent(new InputEvent("input", { bubbles: true }));
}
