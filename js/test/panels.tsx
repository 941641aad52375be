/** What the tests of the panels share: a circuit on the fixture graph, an effect on it, and mounting. */

import { type ComponentChild, render } from "preact";
import { afterEach, expect, vi } from "vitest";
import { EMPTY_CIRCUIT } from "../src/core/circuit";
import type { Circuit } from "../src/core/types";
import type { EffectMessage } from "../src/messages/types";

export const TEXAS = ["0_2_4", "1_8_4"] as const;

export const CIRCUIT: Circuit = {
  ...EMPTY_CIRCUIT,
  pinned: ["E_4_4", "4_40_5", "2_0_5"],
  supernodes: [
    { id: "s1", name: "Texas", color: 0, nodes: TEXAS },
    { id: "s2", name: "say Austin", color: 1, nodes: ["2_9_5"] },
  ],
};

/** Texas ablated: "say Austin" keeps a quarter of what it was, feature 0 grows. */
export const EFFECT: EffectMessage = {
  id: 4,
  name: "Texas ×0",
  interventions: [{ kind: "ablate", nodes: TEXAS }],
  mode: "total",
  frozen: "nothing frozen",
  seconds: 0.038,
  device: "cpu",
  dtype: "float32",
  kl: 0.75,
  code: "import circuit_widget as cw\n",
  tokens: [
    {
      token: "Austin",
      token_id: 40,
      before: 0.75,
      after: 0.125,
      predicted: 0.0625,
      logit_before: 9.5,
      logit_after: 6.25,
      logit_predicted: 6,
      rank_before: 1,
      rank_after: 2,
    },
    {
      token: "Dallas",
      token_id: 41,
      before: 0.125,
      after: 0.5,
      predicted: 0.125,
      logit_before: 7.75,
      logit_after: 8.5,
      logit_predicted: 7.75,
      rank_before: 1,
      rank_after: 2,
    },
    {
      token: "Ohio\n",
      token_id: 42,
      before: 0.0625,
      after: 0.03125,
      predicted: 0.0625,
      logit_before: 3,
      logit_after: 2,
      logit_predicted: 3,
      rank_before: 1,
      rank_after: 2,
    },
  ],
  targets: [{ token_id: 40, predicted_logit: 6 }],
  nodes: {
    ids: ["0_2_4", "1_8_4", "2_9_5", "2_0_5"],
    before: [1, 0.25, 1.75, 1.5],
    after: [0, 0, 0.4375, 1.875],
    predicted: [0, 0, 0.875, 1.5],
  },
  injected: [],
};

let mounted: HTMLElement | null = null;

export function mount(panel: ComponentChild): HTMLElement {
  mounted = document.createElement("div");
  document.body.append(mounted);
  render(panel, mounted);
  return mounted;
}

/** Displays something once and waits for what has this test name, so that the code of its panel is there for the tests. */
export async function loaded(panel: ComponentChild, test: string): Promise<void> {
  const root = mount(panel);
  await eventually(() => expect(all(root, test)).not.toEqual([]));
  render(null, root);
}

afterEach(() => {
  if (mounted !== null) render(null, mounted);
  mounted?.remove();
  mounted = null;
});

/** The one element with a test name, and with these attributes if any are given. */
export function get<E extends Element = HTMLElement>(
  root: Element,
  test: string,
  having: Record<string, string> = {},
): E {
  const attributes = Object.entries(having).map(([name, value]) => `[data-${name}="${value}"]`);
  const found = root.querySelectorAll<E>(`[data-test="${test}"]${attributes.join("")}`);
  expect(found.length, `${test} ${attributes.join("")}`).toBe(1);
  return found[0];
}

export function all(root: Element, test: string): HTMLElement[] {
  return [...root.querySelectorAll<HTMLElement>(`[data-test="${test}"]`)];
}

export const texts = (elements: readonly Element[]): string[] =>
  elements.map((element) => (element.textContent ?? "").replace(/\s+/g, " ").trim());

/** Waits until the screen agrees. */
export const eventually = <T,>(check: () => T): Promise<T> => vi.waitFor(check, { timeout: 1500, interval: 5 });

export function press(element: Element, key: string, with_: KeyboardEventInit = {}): void {
  element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...with_ }));
}

export function pointer(element: Element, kind: string, x: number, y: number, with_: PointerEventInit = {}): void {
  const place = { clientX: x, clientY: y, button: 0, buttons: kind === "up" ? 0 : 1, pointerId: 1 };
  element.dispatchEvent(new PointerEvent(`pointer${kind}`, { ...place, bubbles: true, cancelable: true, ...with_ }));
}
