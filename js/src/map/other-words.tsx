/** Prompts that mean the same: the form that has them traced, and what was found. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { Button } from "../controls/button";
import { promptsOf } from "../core/in-prompts";
import type { Store } from "../store/store";
import { kindsWord } from "../wording/words";

export function OtherWords({ store }: { store: Store }) {
  const field = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => field.current?.focus({ preventScroll: true }), []);
  return (
    <>
      <Found store={store} />
      {!store.capabilities.value.recorded && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const prompts = (field.current?.value ?? "")
              .split("\n")
              .map((line) => line.trim())
              .filter(Boolean);
            void store.kernel.other_words({ prompts });
          }}
        >
          <label>
            <span class="caption">the same in other words, one prompt a line</span>
            <textarea
              ref={field}
              class="token-text"
              rows={4}
              spellcheck={false}
              name="prompts"
              data-test="words-field"
            />
          </label>
          <div class="popover-actions">
            <button type="submit" class="button" data-test="words-run">
              Trace them
            </button>
          </div>
        </form>
      )}
    </>
  );
}

/** How many of the features on the page are in the graphs of all prompts, and the switch that fades the others. */
function Found({ store }: { store: Store }) {
  const found = store.prompts.value;
  if (found === null) return null;
  const { snapshot, onlyInAll } = store;
  const counts = [...snapshot.ids.keys()].map((node) => promptsOf(found, snapshot, node)).filter((one) => one !== null);
  const all = counts.filter((count) => count === found.prompts.length).length;
  return (
    <div data-test="words-found">
      <p>
        {`Of ${counts.length} ${kindsWord(snapshot, "feature")} and ${kindsWord(snapshot, "error")} here, ${all} are kept for all ${found.prompts.length} prompts.`}
      </p>
      <Button
        class="filter-chip"
        aria-pressed={onlyInAll.value}
        data-test="words-only"
        onClick={() => {
          onlyInAll.value = !onlyInAll.peek();
        }}
      >
        fade all others
      </Button>
      <Button class="filter-chip" data-test="words-forget" onClick={() => store.actions.forgetPrompts()}>
        forget these prompts
      </Button>
    </div>
  );
}
