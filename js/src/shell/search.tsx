import { useComputed, useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Button } from "../controls/button";
import { KIND } from "../core/constants";
import { searchNodes } from "../core/search";
import type { NodeId } from "../messages/types";
import type { Store } from "../store/store";
import { placeOf } from "../wording/words";

const MOST_RESULTS = 12;

/** Finds a node by label, token or id, and selects it. */
export function Search({ store }: { store: Store }) {
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.focus({ preventScroll: true }), []);
  const query = useSignal("");
  const active = useSignal(0);
  const results = useComputed(() => searchNodes(store.snapshot, store.nameOf, query.value, MOST_RESULTS));

  // Several features often mean the same: those that share the best label found can be taken together.
  const alike = useComputed(() => sameLabel(store, results.value));

  const take = (...ids: readonly string[]) => {
    if (ids.length === 0) return;
    store.actions.hover(null);
    store.actions.select(ids, "replace");
    store.popover.value = null;
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const last = results.value.length - 1;
    if (event.key === "ArrowDown") active.value = Math.min(last, active.value + 1);
    else if (event.key === "ArrowUp") active.value = Math.max(0, active.value - 1);
    else if (event.key === "Enter") take(...results.value.slice(active.value, active.value + 1));
    else return;
    event.preventDefault();
  };

  return (
    <>
      <input
        ref={field}
        type="text"
        placeholder="label, token or id"
        aria-label="Search nodes by label, token or id"
        role="combobox"
        aria-expanded={results.value.length > 0}
        aria-controls="search-results"
        aria-activedescendant={results.value.length > 0 ? `search-result-${active.value}` : undefined}
        autocomplete="off"
        spellcheck={false}
        data-test="search-input"
        onInput={(event) => {
          query.value = event.currentTarget.value;
          active.value = 0;
        }}
        onKeyDown={onKeyDown}
      />
      {alike.value.length > 1 && (
        <Button
          class="link-button"
          data-test="search-alike"
          onPointerDown={(event) => event.preventDefault()}
          onClick={() => take(...alike.value)}
        >
          {`all ${alike.value.length} labelled “${store.nameOf(alike.value[0])}”`}
        </Button>
      )}
      {query.value.trim() !== "" && results.value.length === 0 && <p>No node matches.</p>}
      <div class="search-results" id="search-results" role="listbox" aria-label="Nodes found">
        {results.value.map((id, row) => (
          <div
            key={id}
            id={`search-result-${row}`}
            class="search-result"
            role="option"
            tabIndex={-1}
            aria-selected={row === active.value}
            data-test="search-result"
            onPointerMove={() => {
              active.value = row;
              store.actions.hover(id);
            }}
            onPointerLeave={() => store.actions.hover(null)}
            onPointerDown={(event) => {
              // The field keeps the focus, whose loss would close the panel.
              event.preventDefault();
              take(id);
            }}
          >
            <span class="clip">{store.nameOf(id)}</span>
            <span>{placeOf(store.snapshot, store.snapshot.index.get(id) ?? 0)}</span>
          </div>
        ))}
      </div>
    </>
  );
}

/** The features that go by the same label as the first of some nodes that has one. */
function sameLabel({ snapshot, circuit, nameOf }: Store, nodes: readonly NodeId[]): readonly NodeId[] {
  const labelled = (id: NodeId) =>
    snapshot.kind[snapshot.index.get(id) ?? -1] === KIND.feature &&
    (id in circuit.value.labels || snapshot.labels.has(snapshot.index.get(id) ?? -1));
  const node = nodes.find(labelled);
  return node === undefined ? [] : snapshot.ids.filter((id) => labelled(id) && nameOf(id) === nameOf(node));
}
