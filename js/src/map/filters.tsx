/** The filters of the map: a button that opens their panel, and a chip for each that removes it. */

import { useRef } from "preact/hooks";
import { Button } from "../controls/button";
import { onFirstUse } from "../controls/on-first-use";
import { Popover } from "../controls/popover";
import { NO_FILTERS } from "../core/filters";
import type { Filters, Snapshot } from "../core/types";
import { changeFilters } from "../store/filters";
import type { Store } from "../store/store";
import { kindsWord, layersBetween, prunings } from "../wording/words";

const FilterFields = onFirstUse(() => import("./filter-fields").then((fields) => fields.FilterFields));

type Name = keyof Filters;

export function FilterControl({ store }: { store: Store }) {
  const row = useRef<HTMLDivElement>(null);
  const filters = store.circuit.value.filters ?? NO_FILTERS;
  return (
    <div class="filter-row" ref={row}>
      <Popover store={store} name="filters" label="Filters of the map" face="Filters" panel="filter-panel">
        <FilterFields store={store} filters={filters} />
      </Popover>
      {chips(store.snapshot, filters).map(([name, text]) => (
        <Button
          key={name}
          class="filter-chip"
          aria-label={`Remove the filter ${text}`}
          data-test={`filter-${name}`}
          onClick={() => {
            row.current?.querySelector("button")?.focus({ preventScroll: true });
            changeFilters(store, { [name]: undefined });
          }}
        >
          {text} <span aria-hidden="true">×</span>
        </Button>
      ))}
    </div>
  );
}

/** What each filter says, in words. */
function chips(snapshot: Snapshot, filters: Filters): readonly (readonly [Name, string])[] {
  const { kinds, layers, positions, sign, label, stability, error_bands, hidden } = filters;
  const last = snapshot.nLayers - 1;
  return [
    ["kinds", kinds && `${kinds.map((kind) => kindsWord(snapshot, kind)).join(", ") || "outputs"} only`],
    ["layers", layers && layersBetween(snapshot, Math.min(layers[0], last), Math.min(layers[1], last))],
    ["positions", positions && `positions ${positions[0]}–${positions[1]}`],
    ["sign", sign && `edge ${sign}`],
    ["label", label && `label “${label}”`],
    ["stability", stability && `stable in ${prunings(stability)}`],
    ["hidden", hidden && `${hidden.length} hidden by hand`],
    ["error_bands", error_bands && `${kindsWord(snapshot, "error")} in bands`],
  ].filter((chip): chip is [Name, string] => Boolean(chip[1]));
}
