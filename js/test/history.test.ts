import { expect, it } from "vitest";
import { History } from "../src/core/undo-stack";

it("goes back and forth through values, naming each step", () => {
  const history = new History<string>();
  history.push("empty", "pin");
  history.push("pinned", "group");
  expect([history.undoName, history.redoName]).toEqual(["group", null]);

  expect(history.undo("grouped")).toBe("pinned");
  expect([history.undoName, history.redoName]).toEqual(["pin", "group"]);
  expect(history.undo("pinned")).toBe("empty");
  expect([history.undoName, history.redoName]).toEqual([null, "pin"]);
  expect(history.undo("empty")).toBeNull();

  expect(history.redo("empty")).toBe("pinned");
  expect(history.redo("pinned")).toBe("grouped");
  expect(history.redo("grouped")).toBeNull();
});

it("forgets what was undone when something else is done", () => {
  const history = new History<string>();
  history.push("empty", "pin");
  history.undo("pinned");
  history.push("empty", "label");
  expect(history.redoName).toBeNull();
  expect(history.undo("labelled")).toBe("empty");
});

it("keeps the last 200 steps", () => {
  const history = new History<number>();
  for (let value = 0; value < 300; value++) history.push(value, `step ${value}`);
  let present = 300;
  let steps = 0;
  for (let back = history.undo(present); back !== null; back = history.undo(present)) {
    expect(back).toBe(present - 1);
    present = back;
    steps++;
  }
  expect([steps, present]).toEqual([200, 100]);
});
