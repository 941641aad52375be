import { describe, expect, it } from "vitest";
import { readSnapshot } from "../src/core/snapshot";
import { Rpc } from "../src/wire/rpc";
import { FakeModel, fixtureSnapshot } from "./fake-model";

describe("half a character", () => {
  it("never leaves the page in a request", () => {
    const model = new FakeModel();
    const rpc = new Rpc(model, new AbortController().signal);
    const swap = { kind: "swap_in", nodes: ["1_8_4"], prompt: "the \ud83d capital" } as const;
    rpc.request("intervene", { interventions: [swap], mode: "total", name: "Texas\ude00" }).reply.catch(() => {});
    expect(model.sent[0].body).toEqual({
      interventions: [{ ...swap, prompt: "the \ufffd capital" }],
      mode: "total",
      name: "Texas\ufffd",
    });
  });

  it("in a stored graph is read as the replacement character", () => {
    const snapshot = fixtureSnapshot();
    const targets = snapshot.targets.map((target) => ({ ...target, token: "\ud83d" }));
    expect(readSnapshot({ ...snapshot, targets }).targets[0].token).toBe("\ufffd");
  });
});
