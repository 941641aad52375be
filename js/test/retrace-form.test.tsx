import { expect, it } from "vitest";
import { RetraceForm } from "../src/shell/retrace-form";
import { FakeModel, fixtureSnapshot, storeOn } from "./fake-model";
import { get, mount } from "./panels";

function form(max_features: number | null) {
  const model = new FakeModel({ snapshot: { ...fixtureSnapshot(), max_features } });
  const root = mount(<RetraceForm store={storeOn(model)} />);
  return { model, most: get<HTMLInputElement>(root, "most"), run: get(root, "retrace-run") };
}

it("has the number of features that the graph was traced with, and keeps it unless it is changed", () => {
  const { model, most, run } = form(200);
  expect([most.value, most.required]).toEqual(["200", true]);
  run.click();
  expect(model.sent[model.sent.length - 1].body).toMatchObject({ prompt: null, max_features: null });
  most.value = "300";
  run.click();
  expect(model.sent[model.sent.length - 1].body).toMatchObject({ max_features: 300 });
});

it("says that all features were taken where there was no limit", () => {
  const { most } = form(null);
  expect([most.value, most.placeholder, most.required]).toEqual(["", "all", false]);
});
