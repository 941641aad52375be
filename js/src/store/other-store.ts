/** The state of the view of the graph beside: that of a view without a kernel, in step with the view of the displayed graph. */

import { effect, signal } from "@preact/signals";
import { type Compared, circuitThere, fromThere } from "../core/compared";
import type { Capabilities, NodeId } from "../messages/types";
import { LocalModel } from "../wire/local-model";
import { Rpc } from "../wire/rpc";
import { mirror } from "./mirror";
import { createStore, type Store } from "./store";

const NO_MODEL: Capabilities = { intervene: false, why_not: "", figure: false, recorded: true };

/** Makes the store; selection, hovered node and circuit follow those of the other one until the signal aborts. */
export function otherStore(store: Store, compared: Compared, abort: AbortSignal): Store {
  const model = new LocalModel({
    circuit: circuitThere(store.circuit.peek(), compared),
    selected: [],
    effect: null,
    study: null,
    experiments: [],
    comparison: null,
    prompt_stability: null,
    settings: store.settings.peek(),
    capabilities: NO_MODEL,
  });
  const made = createStore(model, compared.other, new Rpc(model, abort, () => true), store.theme, abort);
  const there: Store = {
    ...made,
    comparison: signal(fromThere(compared, store.snapshot)),
    emphasis: store.emphasis,
    // The circuit is that of the displayed graph.
    actions: { ...made.actions, edit: () => {} },
  };
  const back = fromThere(compared, store.snapshot);
  const stops = [
    effect(() => model.set("circuit", circuitThere(store.circuit.value, compared))),
    mirror<readonly NodeId[]>(
      {
        value: store.selected,
        set: (ids) => store.actions.select(ids, "replace"),
        counterpart: (ids) => counterparts(compared, ids),
      },
      {
        value: there.selected,
        set: (ids) => there.actions.select(ids, "replace"),
        counterpart: (ids) => counterparts(back, ids),
      },
      (one, other) => one.length === other.length && one.every((id, at) => id === other[at]),
    ),
    mirror<NodeId | null>(
      {
        value: store.hovered,
        set: store.actions.hover,
        counterpart: (id) => counterparts(compared, id === null ? [] : [id])[0] ?? null,
      },
      {
        value: there.hovered,
        set: there.actions.hover,
        counterpart: (id) => counterparts(back, id === null ? [] : [id])[0] ?? null,
      },
      (one, other) => one === other,
    ),
  ];
  abort.addEventListener("abort", () => {
    for (const stop of stops) stop();
  });
  return there;
}

/** The counterparts of nodes that the page has in the other graph. */
function counterparts({ counterpart, other }: Compared, ids: readonly NodeId[]): readonly NodeId[] {
  return ids.flatMap((id) => {
    const there = counterpart.get(id);
    return there !== undefined && other.index.has(there) ? [there] : [];
  });
}
