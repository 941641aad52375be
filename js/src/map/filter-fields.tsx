import { useLayoutEffect, useRef } from "preact/hooks";
import { FILTERED_KINDS } from "../core/constants";
import type { Filters } from "../core/types";
import { changeFilters } from "../store/filters";
import type { Store } from "../store/store";
import { kindsWord, layerNames, prunings, tokenText } from "../wording/words";

type FilteredKind = (typeof FILTERED_KINDS)[number];

/** The visible kinds with or without one of them. */
function withKind(store: Store, kind: FilteredKind, visible: boolean): readonly FilteredKind[] {
  const kinds = store.circuit.peek().filters?.kinds ?? FILTERED_KINDS;
  return FILTERED_KINDS.filter((one) => (one === kind ? visible : kinds.includes(one)));
}

const SIGN_CHOICES = [
  ["", "all"],
  ["excites", "that excite"],
  ["inhibits", "that inhibit"],
] as const;
const STABILITY_CHOICES = [0, 0.25, 0.5, 0.75, 0.9, 1];

/** The fields that set the filters, each change as one step. */
export function FilterFields({ store, filters }: { store: Store; filters: Filters }) {
  const { snapshot } = store;
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.focus({ preventScroll: true }), []);
  const shows = (kind: FilteredKind) => (filters.kinds ?? FILTERED_KINDS).includes(kind);
  const isKnown = snapshot.stability.some((share) => share >= 0);
  const errors = shows("error") ? (filters.error_bands ? "bands" : "nodes") : "hidden";
  const stability = filters.stability ?? 0;
  const shares = STABILITY_CHOICES.includes(stability) ? STABILITY_CHOICES : [...STABILITY_CHOICES, stability].sort();
  return (
    <>
      <label>
        <span>label has</span>
        <input
          ref={field}
          type="text"
          value={filters.label ?? ""}
          data-test="filter-label-field"
          onChange={(event) => changeFilters(store, { label: event.currentTarget.value })}
        />
      </label>
      {(["feature", "token"] as const).map((kind) => (
        <label key={kind}>
          <span>{kindsWord(snapshot, kind)}</span>
          <input
            type="checkbox"
            checked={shows(kind)}
            data-test={`filter-${kind}-field`}
            onChange={(event) => changeFilters(store, { kinds: withKind(store, kind, event.currentTarget.checked) })}
          />
        </label>
      ))}
      <Choice
        name={kindsWord(snapshot, "error")}
        value={errors}
        options={[
          ["nodes", "as nodes"],
          ["bands", "as one band a layer"],
          ["hidden", "hidden"],
        ]}
        test="errors"
        onChoose={(choice) =>
          changeFilters(store, {
            kinds: withKind(store, "error", choice !== "hidden"),
            error_bands: choice === "bands",
          })
        }
      />
      <Range store={store} name="layers" texts={layerNames(snapshot)} bounds={filters.layers} />
      <Range
        store={store}
        name="positions"
        texts={snapshot.tokens.map(({ text }, position) => `${position} ${tokenText(text)}`)}
        bounds={filters.positions}
      />
      <Choice
        name="edges"
        value={filters.sign ?? ""}
        options={SIGN_CHOICES}
        test="sign"
        onChoose={(choice) => changeFilters(store, { sign: choice || undefined })}
      />
      {isKnown && (
        <Choice
          name="stable in"
          value={String(stability)}
          options={shares.map((share) => [String(share), share === 0 ? "any number of prunings" : prunings(share)])}
          test="stability"
          onChoose={(choice) => changeFilters(store, { stability: Number(choice) })}
        />
      )}
      <p class="muted">Outputs stay, and so does what is selected, pinned or in a group.</p>
    </>
  );
}

interface FilterChoiceProps {
  readonly name: string;
  readonly label?: string;
  readonly value: string;
  readonly options: readonly (readonly [value: string, text: string])[];
  readonly test: string;
  readonly onChoose: (value: string) => void;
}

function Choice({ name, label, value, options, test, onChoose }: FilterChoiceProps) {
  return (
    <label>
      <span>{name}</span>
      <select
        value={value}
        aria-label={label}
        data-test={`filter-${test}-field`}
        onChange={(event) => onChoose(event.currentTarget.value)}
      >
        {options.map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

interface RangeProps {
  readonly store: Store;
  readonly name: "layers" | "positions";
  /** What each layer or position is called. */
  readonly texts: readonly string[];
  readonly bounds: readonly [number, number] | undefined;
}

/** Two ends, in whichever order they are chosen; the whole range is no filter. */
function Range({ store, name, texts, bounds }: RangeProps) {
  const most = texts.length - 1;
  const [first, last] = [Math.min(bounds?.[0] ?? 0, most), Math.min(bounds?.[1] ?? most, most)];
  const options = texts.map((text, at) => [String(at), text] as const);
  const choose = (one: number, other: number) => {
    const chosen = [Math.min(one, other), Math.max(one, other)];
    changeFilters(store, { [name]: chosen[0] === 0 && chosen[1] === most ? undefined : chosen });
  };
  return (
    <div class="filter-range">
      <Choice
        name={name}
        label={`first of the ${name}`}
        value={String(first)}
        options={options}
        test={`first-${name}`}
        onChoose={(value) => choose(Number(value), last)}
      />
      <Choice
        name="to"
        label={`last of the ${name}`}
        value={String(last)}
        options={options}
        test={`last-${name}`}
        onChoose={(value) => choose(first, Number(value))}
      />
    </div>
  );
}
