import { useSignal } from "@preact/signals";
import { Button } from "../controls/button";
import { NameField } from "../controls/name-field";
import { LONGEST_EXPERIMENT_NAME } from "../core/constants";
import type { ExperimentEntry } from "../core/types";
import type { Store } from "../store/store";
import { printable } from "../text/width";
import { modeName, probability, probabilityTone, tokenText } from "../wording/words";

/** The experiments made so far: any can be shown again, compared, named or deleted. */
export function HistoryPanel({ store }: { store: Store }) {
  const made = store.made.value;
  const renaming = useSignal<number | null>(null);
  return (
    <section data-test="history">
      {made.length === 0 && <p class="none">no experiment yet</p>}
      <ul>
        {[...made].reverse().map((entry) => (
          <Line key={entry.id} store={store} entry={entry} renaming={renaming} />
        ))}
      </ul>
      {made.length > 0 && (
        <Button class="link-button" data-test="history-table" onClick={() => void store.actions.exportTable()}>
          save as a table
        </Button>
      )}
    </section>
  );
}

interface LineProps {
  readonly store: Store;
  readonly entry: ExperimentEntry;
  readonly renaming: { value: number | null };
}

function Line({ store, entry, renaming }: LineProps) {
  const { actions, effect, compared } = store;
  const { id, name, token, before, after, likeliest, likeliest_probability } = entry;
  const shown = effect.value?.id === id;
  const beside = compared.value?.id === id;
  return (
    <li class="experiment" data-test="experiment-entry" data-id={id} aria-current={shown}>
      {renaming.value === id ? (
        <NameField
          name={name}
          label={`Name of experiment ${id}`}
          longest={LONGEST_EXPERIMENT_NAME}
          onName={(given) => void actions.renameExperiment(id, given)}
          onClose={() => {
            renaming.value = null;
          }}
        />
      ) : (
        <div>
          <Button
            class="row"
            data-test="recall"
            title={`${printable(name)}\nshow again · ${modeName(entry.mode)}`}
            onClick={() => {
              store.panel.value = "effect";
              void actions.recall(id);
            }}
          >
            <span class="number">{id}</span>
            <span class="clip">{printable(name)}</span>
          </Button>
          <Button
            class="link-button"
            data-test="compare"
            aria-pressed={beside}
            disabled={shown || effect.value === null}
            title="beside the experiment on show"
            onClick={() => {
              if (!beside) store.panel.value = "effect";
              void actions.compare(beside ? null : id);
            }}
          >
            compare
          </Button>
          <Button
            class="link-button"
            data-test="name-experiment"
            aria-label={`Name experiment ${id}`}
            onClick={() => {
              renaming.value = id;
            }}
          >
            name
          </Button>
          <Button
            class="link-button"
            data-test="forget"
            aria-label={`Delete experiment ${id}`}
            title="delete"
            onClick={() => void actions.forget(id)}
          >
            ×
          </Button>
        </div>
      )}
      <p class={`clip token-text ${probabilityTone(before, after)}`}>
        {`${tokenText(token)} ${probability(before)} → ${probability(after)}`}
        {likeliest !== token && `, now ${tokenText(likeliest)} ${probability(likeliest_probability)}`}
      </p>
    </li>
  );
}
