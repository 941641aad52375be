import { useSignal } from "@preact/signals";
import { Button } from "./button";
import { duration, modeName } from "./core/words";
import { pythonLines } from "./effects/code";
import type { Store } from "./store";

/** The last experiment in words: what it was, how long it took, where it ran, and its code. */
export function Footer({ store }: { store: Store }) {
  const effect = store.effect.value;
  const { model } = store.snapshot;
  if (effect === null) {
    return (
      <footer class="footer" data-test="footer">
        <span>{[model.name, model.transcoders].filter(Boolean).join(" · ")}</span>
        <span>{`${model.device} · ${model.dtype}`}</span>
      </footer>
    );
  }
  return (
    <footer class="footer" data-test="footer">
      <span class="clip" data-test="experiment" title={effect.name}>
        {effect.name}
      </span>
      <span>{modeName(effect.mode)}</span>
      <span data-test="cost">{[duration(effect.seconds), effect.device, effect.dtype].join(" · ")}</span>
      <CopyAsCode code={pythonLines(store.snapshot, effect)} />
    </footer>
  );
}

type Copied = "no" | "yes" | "by hand";

/** Copies the lines; where the page may not write to the clipboard, shows them to be copied by hand. */
function CopyAsCode({ code }: { code: string }) {
  const copied = useSignal<{ of: string; how: Copied }>({ of: code, how: "no" });
  const how = copied.value.of === code ? copied.value.how : "no";

  function copy(): void {
    const done = (result: Copied) => {
      copied.value = { of: code, how: result };
    };
    if (how === "by hand") done("no");
    // Pages that are not served over https have no clipboard.
    else if (navigator.clipboard === undefined) done("by hand");
    else {
      navigator.clipboard.writeText(code).then(
        () => done("yes"),
        () => done("by hand"),
      );
    }
  }

  return (
    <span class="copy">
      <Button class="link-button" data-test="copy-code" aria-expanded={how === "by hand"} onClick={copy}>
        {how === "yes" ? "copied" : "copy as code"}
      </Button>
      <span class="spoken-only" role="status">
        {how === "yes" ? "The Python lines are on the clipboard." : ""}
      </span>
      {how === "by hand" && (
        <textarea
          class="popover"
          data-test="code"
          aria-label="Python lines of this experiment"
          readOnly
          rows={Math.min(12, code.split("\n").length)}
          value={code}
          onFocus={(event) => event.currentTarget.select()}
        />
      )}
    </span>
  );
}
