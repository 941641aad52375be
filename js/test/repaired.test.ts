import { describe, expect, it } from "vitest";
import { decodeSnapshot } from "../src/core/snapshot";
import { Rpc } from "../src/wire/rpc";
import { FakeModel, fixtureBytes } from "./fake-model";

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
    const bytes = fixtureBytes();
    const length = bytes.getUint32(0, true);
    const header = new Uint8Array(bytes.buffer, bytes.byteOffset + 4, length);
    const text = new TextDecoder().decode(header).replace('"Austin"', '"\\ud83d"');
    header.set(new TextEncoder().encode(text.padEnd(length)));
    expect(decodeSnapshot(bytes).targets[0].token).toBe("\ufffd");
  });
});
