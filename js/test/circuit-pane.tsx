/** The circuit pane on a page of its own, its boxes, and what it requested last. */

import { expect } from "vitest";
import { CircuitPane } from "../src/circuit/circuit-pane";
import { FakeModel, storeOn } from "./fake-model";
import { CIRCUIT, eventually, get, mount } from "./panels";

export function pane(traits: Record<string, unknown> = {}) {
  const model = new FakeModel({ circuit: CIRCUIT, ...traits });
  const store = storeOn(model);
  return { model, store, root: mount(<CircuitPane store={store} />) };
}

/** The interventions that were requested last. */
export function requested(model: FakeModel): unknown {
  const request = model.sent[model.sent.length - 1];
  expect(request?.name).toBe("intervene");
  return (request.body as { readonly interventions: unknown }).interventions;
}

export const box = (root: Element, id: string): SVGGElement => get<SVGGElement>(root, "box", { id });

/** The toolbar of a box, which comes with the focus. */
export async function toolbarOf(root: Element, id: string): Promise<Element> {
  box(root, id).focus();
  return eventually(() => get(root, "toolbar"));
}
