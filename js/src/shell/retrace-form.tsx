import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { promptText } from "../circuit/swap-form";
import type { Store } from "../store/store";

/** Another prompt, or another number of features, for a trace in place. */
export function RetraceForm({ store }: { store: Store }) {
  const field = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => field.current?.focus({ preventScroll: true }), []);
  const empty = useSignal(false);
  const limit = store.snapshot.maxFeatures;
  const before = promptText(store.snapshot);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const given = new FormData(event.currentTarget);
        const prompt = String(given.get("prompt"));
        if (prompt.trim() === "") return;
        const most = Number(given.get("most")) || null;
        void store.kernel.retrace({
          prompt: prompt === before ? null : prompt,
          max_features: most === limit ? null : most,
        });
      }}
      onKeyDown={(event) => {
        if (event.key !== "Enter" || event.shiftKey) return;
        event.preventDefault();
        event.currentTarget.requestSubmit();
      }}
    >
      <label>
        <span class="caption">prompt</span>
        <textarea
          ref={field}
          class="token-text"
          rows={3}
          spellcheck={false}
          name="prompt"
          defaultValue={before}
          onInput={({ currentTarget }) => {
            empty.value = currentTarget.value.trim() === "";
          }}
        />
      </label>
      <div class="popover-actions">
        <label>
          features at most{" "}
          <input
            type="number"
            min={1}
            name="most"
            data-test="most"
            defaultValue={limit ?? undefined}
            placeholder="all"
            required={limit !== null}
          />
        </label>
        <button type="submit" class="button" data-test="retrace-run" disabled={empty.value}>
          Trace
        </button>
      </div>
    </form>
  );
}
