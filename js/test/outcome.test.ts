import { describe, expect, it } from "vitest";
import { placeInjected, tieBetween } from "../src/circuit/injected-mark";
import { injectedBy, type Outcome, outcomeOf } from "../src/circuit/outcome";
import { broughtIn, type Link, routeLinks } from "../src/circuit/scene";
import { boxes } from "../src/core/circuit";
import { readSnapshot } from "../src/core/snapshot";
import { activationRows, scaleOf } from "../src/effects/activation-bars";
import { tokenRows } from "../src/effects/token-bars";
import { isClear } from "../src/layout/detour";
import type { EffectMessage } from "../src/messages/types";
import { probabilityTone } from "../src/wording/words";
import { fixtureSnapshot } from "./fake-model";
import { CIRCUIT, EFFECT, TEXAS } from "./panels";

const snapshot = readSnapshot(fixtureSnapshot());
const displayed = boxes(CIRCUIT);
const outcome = (id: string, effect: EffectMessage | null = EFFECT) => {
  const box = displayed.find((one) => one.id === id);
  if (box === undefined) throw new Error(id);
  return outcomeOf(snapshot, box, effect);
};

describe("beside a box", () => {
  it("stands nothing without an effect", () => {
    expect(outcome("s2", null)).toMatchObject({ measured: null, text: "", mark: null, faded: false });
  });

  it("stands what is left of its activation, faded when little is", () => {
    expect(outcome("s2")).toMatchObject({ text: "25%", tone: "below", faded: true, mark: null });
    expect(outcome("2_0_5")).toMatchObject({ text: "125%", tone: "above", faded: false });
  });

  it("stands the mark alone when the intervention holds all of it", () => {
    expect(outcome("s1")).toMatchObject({ measured: 0, text: "", mark: "×0", faded: true });
  });

  it("stands mark and percentage when the intervention holds a part of it", () => {
    const partly: EffectMessage = { ...EFFECT, interventions: [{ kind: "scale", nodes: ["1_8_4"], factor: -1 }] };
    expect(outcome("s1", partly)).toMatchObject({ text: "0%", mark: "×−1" });
  });

  it("stands a logit's probability before and after", () => {
    expect(outcome("4_40_5")).toMatchObject({ text: "0.75 → 0.13", tone: "below", faded: true });
  });

  it("stands a dash for an activation or a probability that is not a number, in no colour of a change", () => {
    const nodes = { ...EFFECT.nodes, after: EFFECT.nodes.after.map(() => Number.NaN) };
    const tokens = EFFECT.tokens.map((token) => ({ ...token, after: Number.NaN }));
    const broken: EffectMessage = { ...EFFECT, nodes, tokens };
    expect(outcome("s2", broken)).toMatchObject({ measured: null, text: "–", tone: "same", faded: false });
    expect(outcome("4_40_5", broken)).toMatchObject({ text: "0.75 → –", tone: "same", faded: false });
    expect(outcome("s1", broken)).toMatchObject({ text: "", mark: "×0" });
    expect(outcome("E_4_4", broken)).toMatchObject({ text: "" });
  });

  it("stands nothing for a token, which has no activation", () => {
    expect(outcome("E_4_4")).toMatchObject({ measured: null, text: "" });
  });
});

describe("the box of what a swap brings in", () => {
  const found = { name: "California", how: "swapped in", title: "", features: 3, beside: ["s1"] };
  const size = { width: 600, height: 400 };
  const box = { id: "s1", name: "Texas", color: 0, nodes: [] };
  const host = { box, name: "Texas", kind: null, x: 300, y: 200, w: 80, h: 30, cards: 2 };
  const edge = (x: number): Link => ({
    key: "",
    source: host,
    target: host,
    share: 1,
    about: false,
    onward: false,
    route: { path: [x, 390, x, 260, x, 130, x, 10], tip: [x, 7], direction: [0, -1], width: 3 },
  });

  it("stands at the right of the one it came in for", () => {
    const { x, y } = placeInjected(found, [host], [], size);
    expect([x > 340, y]).toEqual([true, 200]);
  });

  it("goes where no edge runs, if it can", () => {
    expect(placeInjected(found, [host], [edge(420)], size).x).toBeLessThan(260);
    expect(placeInjected(found, [host], [edge(420), edge(180)], size).x).toBeGreaterThan(340);
  });

  it("is tied to the one it came in for, past the number and the mark beside that", () => {
    const outcome: Outcome = { measured: 0, text: "0%", tone: "below", faded: true, mark: "swap" };
    const right = placeInjected(found, [host], [], size);
    const [from, to] = tieBetween(right, host, outcome) as [number, number];
    expect(from).toBeGreaterThan(340 + 8 + 20);
    expect(to).toBeLessThan(right.x - right.w / 2);
    const left = { ...right, x: 600 - right.x };
    expect(tieBetween(left, host, outcome)).toBeNull();
    expect(tieBetween({ ...right, y: 100 }, host, outcome)).toBeNull();
  });

  it("is gone around by edges that it stands in the way of", () => {
    const low = { ...host, box: { ...box, id: "s2" }, x: 430, y: 350, cards: 0 };
    const high = { ...low, box: { ...box, id: "s3" }, y: 40 };
    const shares = [{ source: 1, target: 2, share: 0.5 }];
    const stranger = placeInjected(found, [host, low, high], [], size);
    const [before] = routeLinks(shares, [host, low, high], size.width, 0);
    const [after] = routeLinks(shares, [host, low, high, broughtIn("California", "injected", stranger)], size.width, 0);
    expect(isClear(before.route.path, [stranger], 0)).toBe(false);
    expect(isClear(after.route.path, [stranger], 0)).toBe(true);
  });
});

describe("what a swap brings in", () => {
  const swap: EffectMessage = {
    ...EFFECT,
    interventions: [{ kind: "swap_in", nodes: TEXAS, prompt: "the capital of California is" }],
    injected: [
      { id: "1_7_4", layer: 1, position: 4, feature: 7, value: 1, label: null },
      { id: "1_9_4", layer: 1, position: 4, feature: 9, value: 2, label: null },
    ],
  };

  it("goes by the words that differ, beside the box it came in for", () => {
    expect(injectedBy(snapshot, displayed, swap)).toMatchObject({ name: "California", features: 2, beside: ["s1"] });
  });

  it("goes by its features' label where most of them have it", () => {
    const labelled = { ...swap, injected: swap.injected.map((one) => ({ ...one, label: "Golden State" })) };
    expect(injectedBy(snapshot, displayed, labelled)?.name).toBe("Golden State");
  });

  it("is nothing when nothing came in", () => {
    expect(injectedBy(snapshot, displayed, EFFECT)).toBeNull();
  });
});

describe("rows of an effect", () => {
  it("put what fell the most first and what the intervention holds last", () => {
    const rows = activationRows(snapshot, displayed, EFFECT);
    expect(rows.map(({ box }) => box.id)).toEqual(["s2", "2_0_5", "s1"]);
    expect(rows.map(({ clamped }) => clamped)).toEqual([false, false, true]);
    expect(rows[0]).toMatchObject({ measured: 0.25, predicted: 0.5 });
  });

  it("scale to what is there, at most to three times before", () => {
    const rows = activationRows(snapshot, displayed, EFFECT);
    expect(scaleOf(rows)).toBe(1.25);
    expect(scaleOf([{ ...rows[0], measured: 2 }])).toBe(2);
    expect(scaleOf([{ ...rows[0], measured: 40 }])).toBe(3);
  });

  it("show tokens that are likely before or after, the likeliest first", () => {
    expect(tokenRows(snapshot, EFFECT, null, 2).map(({ token }) => token)).toEqual(["Austin", "Dallas"]);
    expect(probabilityTone(0.75, 0.125)).toBe("below");
    expect(probabilityTone(0.5, 0.501)).toBe("same");
  });
});
