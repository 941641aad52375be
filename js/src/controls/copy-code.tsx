import { useSignal } from "@preact/signals";
import { Button } from "./button";

type Copied = "no" | "yes" | "by hand";

interface Props {
  /** The lines, or the way to have the kernel write them, which returns null where it cannot. */
  readonly code: string | (() => Promise<string | null>);
  /** What the button says. */
  readonly face?: string;
  readonly look?: string;
  readonly test?: string;
}

/** Copies Python lines; where the page may not write to the clipboard, shows them to be copied by hand. */
export function CopyCode({ code, face = "copy as code", look = "link-button", test = "copy-code" }: Props) {
  const copied = useSignal<{ readonly of: Props["code"]; readonly how: Copied; readonly lines: string }>({
    of: code,
    how: "no",
    lines: "",
  });
  const { how, lines } = copied.value.of === code ? copied.value : { how: "no", lines: "" };

  async function copy(): Promise<void> {
    const written = how === "by hand" ? null : typeof code === "string" ? code : await code();
    copied.value = { of: code, how: written === null ? "no" : await toClipboard(written), lines: written ?? "" };
  }

  return (
    <span class="copy">
      <Button class={look} data-test={test} aria-expanded={how === "by hand"} onClick={() => void copy()}>
        {how === "yes" ? "copied" : face}
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
          rows={Math.min(12, lines.split("\n").length)}
          value={lines}
          onFocus={(event) => event.currentTarget.select()}
        />
      )}
    </span>
  );
}

async function toClipboard(lines: string): Promise<Copied> {
  try {
    // Pages that are not served over https have no clipboard.
    await navigator.clipboard.writeText(lines);
    return "yes";
  } catch {
    return "by hand";
  }
}
