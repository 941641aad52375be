import { afterEach, describe, expect, it, vi } from "vitest";
import { shrunk } from "../bundle.mjs";
import { EMPTY_CIRCUIT } from "../src/core/circuit";
import * as sources from "../src/index";
import { FakeModel, fixtureSnapshot } from "./fake-model";
import { importFirst, modules, packed } from "./notebook-modules";

const bundled = await importFirst();
const _panels = await packed(modules.files["panels.js"]);

it("keeps signals that are read for no value: an effect runs again after a change of each of them", async () => {
  expect(await shrunk("export const watch = (signal) => { signal.value; };")).toContain(".value");
});

// What ships is minified, so it is checked as the sources are.
describe.each([
  ["sources", sources.default],
  ["bundle", bundled.default],
])("the %s", (_, widget) => {
  const open: AbortController[] = [];

  function show(model: FakeModel) {
    const el = document.createElement("div");
    document.body.append(el);
    const abort = new AbortController();
    open.push(abort);
    widget.render({ model, el, signal: abort.signal });
    const shadow = el.firstElementChild?.shadowRoot as ShadowRoot;
    const root = shadow.querySelector(".circuit-widget") as HTMLElement;
    const find = (test: string) => root.querySelector<HTMLElement>(`[data-test="${test}"]`);
    const press = (key: string, init: KeyboardEventInit = {}) =>
      find("map")?.dispatchEvent(
        new KeyboardEvent("keydown", { key, bubbles: true, composed: true, cancelable: true, ...init }),
      );
    return { el, root, find, press, close: () => abort.abort() };
  }

  afterEach(() => {
    for (const abort of open.splice(0)) abort.abort();
    document.body.replaceChildren();
  });

  describe("a view", () => {
    it("shows the prompt as tokens that end in the answer", () => {
      const { root, find } = show(new FakeModel());
      const tokens = [...root.querySelectorAll('[data-test="prompt-token"]')].map((chip) => chip.textContent);
      expect(tokens).toEqual(["the", "capital", "of", "Texas", "is"]);
      expect(find("answer")?.textContent).toMatch(/\d\.\d\d$/);
    });

    it("shows hostile text as text", async () => {
      const label = "<img src=x onerror=alert(1)><script>alert(1)</script>";
      const circuit = { ...EMPTY_CIRCUIT, labels: { "1_8_4": label }, pinned: ["1_8_4"] };
      const { root, find } = show(new FakeModel({ circuit, selected: ["1_8_4"], _panels }));
      await vi.waitFor(() => expect(find("inspector-title")?.textContent).toContain(label));
      expect(root.querySelector("img, script")).toBeNull();
    });

    it("says that there is no graph yet, and shows it when it comes", () => {
      const snapshot = new FakeModel().get("snapshot");
      const model = new FakeModel({ snapshot: {} });
      const { find } = show(model);
      expect(find("empty")?.textContent).toContain("No graph yet");
      model.set("snapshot", snapshot);
      expect(find("empty")).toBeNull();
      expect(find("map")).not.toBeNull();
    });

    it("says what is wrong with a broken graph", () => {
      const { find } = show(new FakeModel({ snapshot: { ...fixtureSnapshot(), columns: {} } }));
      expect(find("empty")?.textContent).toContain('column "kind" is missing');
    });

    it.each([
      ["the kernel was shut down", { widget_manager: { kernel: null } }, ""],
      ["the kernel died", { widget_manager: { kernel: { status: "dead" } } }, ""],
      ["the notebook was only opened", {}, "jupyter-widgets-disconnected"],
    ])("says that no kernel is connected as soon as something is requested when %s", async (_, host, look) => {
      const model = Object.assign(new FakeModel({ selected: ["1_8_4"] }), host);
      const { el, find, press } = show(model);
      el.className = look;
      press("a");
      await vi.waitFor(() => expect(find("failure")?.textContent).toContain("No kernel is connected."));
      expect(model.sent.filter(({ name }) => name === "intervene")).toEqual([]);
      expect(find("job")).toBeNull();
    });

    it("takes the theme from the settings, or else from the host", () => {
      const model = new FakeModel({ settings: { theme: "dark", height: 420 } });
      const { root } = show(model);
      expect(root.dataset.theme).toBe("dark");
      model.set("settings", { theme: "light", height: 420 });
      expect(root.dataset.theme).toBe("light");
      document.body.dataset.jpThemeLight = "false";
      model.set("settings", { theme: "auto", height: 420 });
      expect(root.dataset.theme).toBe("dark");
      delete document.body.dataset.jpThemeLight;
    });

    it("leaves nothing behind when it closes", () => {
      const model = new FakeModel();
      const first = show(model);
      const second = show(model);
      const both = model.listeners;
      second.close();
      expect(second.el.childElementCount).toBe(0);
      expect(model.listeners).toBe(both / 2);
      first.close();
      expect(model.listeners).toBe(0);
    });
  });

  describe("keys", () => {
    it("act on the widget they were pressed in and on no other", () => {
      const [one, other] = [new FakeModel({ selected: ["1_8_4"] }), new FakeModel({ selected: ["1_8_4"] })];
      const first = show(one);
      show(other);
      first.press("p");
      expect(one.get("circuit").pinned).toEqual(["1_8_4"]);
      expect(other.get("circuit").pinned).toEqual([]);
      document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "p", bubbles: true }));
      expect(one.get("circuit").pinned).toEqual(["1_8_4"]);
    });

    it("pin, group, ungroup, undo and redo the selection", () => {
      const model = new FakeModel({ selected: ["1_8_4", "2_9_5"] });
      const { press } = show(model);
      press("g");
      expect(model.get("circuit").supernodes[0].nodes).toEqual(["1_8_4", "2_9_5"]);
      press("u");
      expect(model.get("circuit").supernodes).toEqual([]);
      press("z", { ctrlKey: true });
      expect(model.get("circuit").supernodes).toHaveLength(1);
      press("Z", { ctrlKey: true, shiftKey: true });
      expect(model.get("circuit").supernodes).toEqual([]);
    });

    it("ablate the selection", () => {
      const model = new FakeModel({ selected: ["1_8_4"] });
      show(model).press("a");
      const sent = model.sent.find(({ name }) => name === "intervene");
      expect(sent?.body).toMatchObject({ interventions: [{ kind: "ablate", nodes: ["1_8_4"] }], mode: "total" });
    });

    it("leave chords to the page, but no letter that a notebook would take for a command", () => {
      const { press } = show(new FakeModel());
      const heard: string[] = [];
      const listen = ({ key }: KeyboardEvent) => heard.push(key);
      document.addEventListener("keydown", listen);
      for (const key of ["d", "x", "ArrowDown", "Escape"]) press(key);
      press("s", { ctrlKey: true });
      press("z", { ctrlKey: true });
      press("Enter", { shiftKey: true });
      document.removeEventListener("keydown", listen);
      expect(heard).toEqual(["s", "Enter"]);
    });

    it("say what can be ablated where nothing of it is selected", async () => {
      const model = new FakeModel({ selected: ["4_40_5"] });
      const { press, find } = show(model);
      press("a");
      expect(model.sent.filter(({ name }) => name === "intervene")).toEqual([]);
      await expect.poll(() => find("failure")?.textContent).toContain("Features, errors and tokens");
    });
  });
});
