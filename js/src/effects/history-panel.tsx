import { useSignal } from "@preact/signals";
import { Button } from "../controls/button";
import { NameField } from "../controls/name-field";
import { LONGEST_EXPERIMENT_NAME } from "../core/constants";
import type { ExperimentEntry } from "../messages/types";
import type { Store } from "../store/store";
import { printable } from "../text/width";
import { modeName, probability, probabilityTone, tokenText } from "../wording/words";

/** The experiments made so far: each can be displayed again, compared, named or deleted. */
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
        <Button
          class="link-button"
          data-test="history-table"
          onClick={() => void store.actions.save(store.kernel.table({}))}
        >
          save as a table
        </Button>
      )}
    </section>
  );
}

interface EntryProps {
  readonly store: Store;
  readonly entry: ExperimentEntry;
  readonly renaming: { value: number | null };
}

function Line({ store, entry, renaming }: EntryProps) {
  const { actions, kernel, effect, compared } = store;
  const { id, name, token, before, after, likeliest, likeliest_probability } = entry;
  const displayed = effect.value?.id === id;
  const beside = compared.value?.id === id;
  const { recorded, intervene } = store.capabilities.value;
  return (
    <li class="experiment" data-test="experiment-entry" data-id={id} aria-current={displayed}>
      {renaming.value === id ? (
        <NameField
          name={name}
          label={`Name of experiment ${id}`}
          longest={LONGEST_EXPERIMENT_NAME}
          onName={(given) => void kernel.rename({ id, name: given })}
          onClose={() => {
            renaming.value = null;
          }}
        />
      ) : (
        <div>
          <Button
            class="row"
            data-test="recall"
            title={`${printable(name)}\ndisplay again · ${modeName(entry.mode)}`}
            onClick={() => {
              store.panel.value = "effect";
              void kernel.recall({ id });
            }}
          >
            <span class="number">{id}</span>
            <span class="clip">{printable(name)}</span>
          </Button>
          <Button
            class="link-button"
            data-test="compare"
            aria-pressed={beside}
            disabled={displayed || effect.value === null}
            title="beside the displayed experiment"
            onClick={() => {
              if (!beside) store.panel.value = "effect";
              void actions.compare(beside ? null : id);
            }}
          >
            compare
          </Button>
          {intervene && (
            <Button
              class="link-button"
              data-test="repeat"
              aria-label={`Run experiment ${id} again`}
              title="run again, as a new experiment"
              onClick={() => {
                store.panel.value = "effect";
                void kernel.repeat({ id });
              }}
            >
              again
            </Button>
          )}
          {!recorded && (
            <>
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
            </>
          )}
        </div>
      )}
      <p class={`clip token-text ${probabilityTone(before, after)}`}>
        {`${tokenText(token)} ${probability(before)} → ${probability(after)}`}
        {likeliest !== token && `, now ${tokenText(likeliest)} ${probability(likeliest_probability)}`}
      </p>
    </li>
  );
}
