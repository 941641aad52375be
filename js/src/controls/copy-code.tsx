import { useSignal } from "@preact/signals";
import { Button } from "./button";

type Copied = "no" | "yes" | "by hand";

/** Copies Python lines; where the page may not write to the clipboard, shows them to be copied by hand. */
export function CopyCode({ code }: { code: string }) {
  const copied = useSignal<{ readonly of: string; readonly how: Copied }>({ of: code, how: "no" });
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
          aria-label="Python lines that do the same"
          readOnly
          rows={Math.min(12, code.split("\n").length)}
          value={code}
          onFocus={(event) => event.currentTarget.select()}
        />
      )}
    </span>
  );
}
