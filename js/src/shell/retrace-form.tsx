/** The form behind the pencil beside the prompt: another prompt, or another number of features, for a trace in place. */

import { promptText } from "../circuit/swap-form";
import { Popover } from "../controls/popover";
import type { Store } from "../store/store";

export function RetraceForm({ store }: { store: Store }) {
  if (store.capabilities.value.recorded) return null;
  const before = promptText(store.snapshot);
  return (
    <Popover store={store} name="retrace" label="Trace another prompt" face="✎" panel="dial-popover">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const given = new FormData(event.currentTarget);
          const prompt = String(given.get("prompt"));
          void store.kernel.retrace({
            prompt: prompt === before ? null : prompt,
            max_features: Number(given.get("most")) || null,
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
          <textarea class="token-text" rows={3} spellcheck={false} name="prompt" defaultValue={before} />
        </label>
        <div class="popover-actions">
          <label>
            features at most <input type="number" min={1} name="most" />
          </label>
          <button type="submit" class="button" data-test="retrace-run">
            Trace
          </button>
        </div>
      </form>
    </Popover>
  );
}
