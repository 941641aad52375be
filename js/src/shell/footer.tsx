import { Button } from "../controls/button";
import { CopyCode } from "../controls/copy-code";
import type { Store } from "../store/store";
import { printable } from "../text/width";
import { duration, modeName } from "../wording/words";

/** The last experiment in words: what it was, how long it took, where it ran, and its code. */
export function Footer({ store }: { store: Store }) {
  const effect = store.effect.value;
  const { model } = store.snapshot;
  if (effect === null) {
    return (
      <footer class="footer" data-test="footer">
        <span>{[model.name, model.transcoders].filter(Boolean).join(" · ")}</span>
        <span>{[model.device, model.dtype].filter(Boolean).join(" · ")}</span>
        <KeptWork store={store} />
        <CompareEarlier store={store} />
      </footer>
    );
  }
  return (
    <footer class="footer" data-test="footer">
      <ExperimentNumber store={store} id={effect.id} />
      <span class="clip" data-test="experiment" title={effect.name}>
        {effect.name}
      </span>
      <span>{modeName(effect.mode)}</span>
      <span data-test="cost">{[duration(effect.seconds), effect.device, effect.dtype].join(" · ")}</span>
      <KeptWork store={store} />
      <CompareEarlier store={store} />
      <CopyCode code={effect.code} />
    </footer>
  );
}

const STEPS = { start_afresh: "Start afresh", bring_back: "Bring it back" };

/** Where circuit and history are kept, or where they came from, and one click to do without them. */
function KeptWork({ store }: { store: Store }) {
  const { file, sentence, step } = store.kept.value;
  if (file === null && sentence === "") return null;
  return (
    <span class="kept" data-test="kept">
      {[sentence, file !== null && `kept in ${printable(file)}`].filter(Boolean).join(" · ")}
      {step !== null && (
        <>
          {" · "}
          <Button class="link-button" data-test={step} onClick={() => void store.actions.replaceWork(step)}>
            {STEPS[step]}
          </Button>
        </>
      )}
    </span>
  );
}

/** Has the graph before this one displayed beside it. */
function CompareEarlier({ store }: { store: Store }) {
  if (!store.hasEarlier.value || store.comparison.value !== null) return null;
  return (
    <Button
      class="link-button"
      title="shows both maps with what is in both graphs"
      data-test="compare-earlier"
      onClick={() => void store.kernel.compare_earlier({})}
    >
      compare with the earlier graph
    </Button>
  );
}

/** Which of the experiments is on show, and the way to the others. */
function ExperimentNumber({ store, id }: { store: Store; id: number }) {
  const number = store.made.value.findIndex((entry) => entry.id === id) + 1;
  return (
    <Button
      class="link-button"
      data-test="open-history"
      title="show the history"
      onClick={() => {
        store.panel.value = "history";
      }}
    >
      {`experiment ${number || id} of ${Math.max(store.made.value.length, number || 1)}`}
    </Button>
  );
}
