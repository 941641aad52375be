import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Button } from "../controls/button";
import { FullscreenIcon, LeaveFullscreenIcon } from "../controls/icons";
import type { Store } from "../store/store";

/** Gives the widget the whole screen, and takes it back; absent where the page may not do that. */
export function FullscreenButton({ store }: { store: Store }) {
  const button = useRef<HTMLButtonElement>(null);
  const full = useSignal(false);
  const allowed = useSignal(false);
  useLayoutEffect(() => {
    const page = button.current?.ownerDocument;
    if (page === undefined) return undefined;
    allowed.value = page.fullscreenEnabled === true;
    const follow = () => {
      full.value = widgetOf(button.current)?.matches(":fullscreen") ?? false;
    };
    page.addEventListener("fullscreenchange", follow);
    return () => page.removeEventListener("fullscreenchange", follow);
  }, [allowed, full]);
  return (
    <Button
      ref={button}
      class="button icon"
      hidden={!allowed.value}
      aria-label={full.value ? "Leave full screen" : "Full screen"}
      aria-pressed={full.value}
      title={full.value ? "Leave full screen (f, Escape)" : "Full screen (f)"}
      data-test="fullscreen"
      onClick={() => void toggleFullscreen(widgetOf(button.current), store)}
    >
      {full.value ? <LeaveFullscreenIcon /> : <FullscreenIcon />}
    </Button>
  );
}

function widgetOf(inside: Element | null): Element | null {
  return inside?.closest(".circuit-widget") ?? null;
}

/** Shows the widget on the whole screen, or in its place again. */
export async function toggleFullscreen(widget: Element | null, store: Store): Promise<void> {
  if (widget === null) return;
  try {
    if (widget.matches(":fullscreen")) await widget.ownerDocument.exitFullscreen();
    else await widget.requestFullscreen();
  } catch {
    store.actions.fail({ code: "fullscreen", message: "This page does not let the widget take the whole screen." });
  }
}
