import { describe, expect, it } from "vitest";
import { inPrompts, promptsOf } from "../src/core/in-prompts";
import { readSnapshot } from "../src/core/snapshot";
import { Inspector } from "../src/inspector/inspector";
import { factsOf } from "../src/inspector/node-inspector";
import { nodeMarks } from "../src/map/marks";
import { OtherWords } from "../src/map/other-words";
import { FakeModel, fixtureSnapshot, storeOn } from "./fake-model";
import { all, eventually, get, mount } from "./panels";

const MESSAGE = { prompts: ["one", "two <b>", "three"], ids: ["1_8", "0_3"], kept: [3, 2] };
const snapshot = readSnapshot(fixtureSnapshot());
const at = (id: string) => snapshot.index.get(id) as number;

describe("prompts that mean the same", () => {
  it("count for a feature wherever in the prompt it is, and for no token and no output", () => {
    const found = inPrompts(MESSAGE);
    if (found === null) throw new Error("nothing was found");
    expect(["1_8_4", "0_3_1", "2_9_5"].map((id) => promptsOf(found, snapshot, at(id)))).toEqual([3, 2, 0]);
    expect(promptsOf(found, snapshot, snapshot.targets[0].node)).toBeNull();
    expect(inPrompts(null)).toBeNull();
  });

  it("are traced from the form, one a line", async () => {
    const model = new FakeModel();
    const root = mount(<OtherWords store={storeOn(model)} />);
    get<HTMLTextAreaElement>(root, "words-field").value = " one \n\ntwo\n";
    get(root, "words-run").click();
    await eventually(() =>
      expect(model.sent.at(-1)).toMatchObject({ name: "other_words", body: { prompts: ["one", "two"] } }),
    );
  });

  it("are in the inspector's facts, and features that are not in all graphs fade on demand", async () => {
    const model = new FakeModel({ prompt_stability: MESSAGE });
    const store = storeOn(model);
    const inspector = mount(<Inspector store={store} />);
    store.actions.select(["0_3_1"], "replace");
    await eventually(() => expect(get(inspector, "inspector-facts").textContent).toContain("kept for 2 of 3 prompts"));
    expect(factsOf(snapshot, at("0_3_1"), null).join()).not.toContain("prompts");
    const root = mount(<OtherWords store={store} />);
    expect(nodeMarks(store).presence[at("0_3_1")]).toBe(1);
    get(root, "words-only").click();
    const { presence } = nodeMarks(store);
    expect([presence[at("1_8_4")], presence[at("0_3_1")] < 0.3]).toEqual([1, true]);
    get(root, "words-forget").click();
    expect(model.get("prompt_stability")).toBeNull();
    await eventually(() => expect(all(root, "words-found")).toEqual([]));
    expect(nodeMarks(store).presence[at("0_3_1")]).toBe(1);
  });
});
