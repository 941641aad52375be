/** Keys that work anywhere inside one widget, and only there. */

import { ablate, groupNodes, togglePins, ungroupNodes } from "../store/commands";
import type { Store } from "../store/store";
import { toggleFullscreen } from "./fullscreen-button";

const TEXT_FIELDS = "input:not([type='range']), textarea, select";

export function attachKeyboard(root: HTMLElement, store: Store, signal: AbortSignal): void {
  keepFocus(root, store, signal);
  root.addEventListener(
    "keydown",
    (event) => {
      const typing = event.key !== "Escape" && (event.target as Element).matches(TEXT_FIELDS);
      if (!event.defaultPrevented && !typing && act(event, root, store)) {
        event.preventDefault();
        event.stopPropagation();
      }
      // Notebooks bind single letters to commands, such as deleting the cell; chords and Shift+Enter stay theirs.
      const chord = event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter");
      if (!chord) event.stopPropagation();
    },
    { signal },
  );
}

/** Gives the focus back to where it was when a name was opened for editing, so that the keys go on working. */
function keepFocus(root: HTMLElement, store: Store, signal: AbortSignal): void {
  const page = root.getRootNode() as ShadowRoot;
  let before: Element | null = null;
  const stop = store.renaming.subscribe((renaming) => {
    if (renaming !== null) {
      before ??= page.activeElement;
      return;
    }
    const back = before;
    before = null;
    requestAnimationFrame(() => {
      if (page.activeElement === null && back instanceof HTMLElement) back.focus({ preventScroll: true });
    });
  });
  signal.addEventListener("abort", stop);
}

/** Does what a key means; false if it means nothing here. */
function act(event: KeyboardEvent, root: HTMLElement, store: Store): boolean {
  const { actions } = store;
  const nodes = store.selected.value;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.altKey) return false;
  if (event.ctrlKey || event.metaKey) {
    if (key === "z" && !event.shiftKey) actions.undo();
    else if (key === "y" || key === "z") actions.redo();
    else return false;
    return true;
  }
  switch (key) {
    case "p":
      togglePins(store, nodes);
      return true;
    case "g":
      groupNodes(store, nodes);
      return true;
    case "u":
      ungroupNodes(store, nodes);
      return true;
    case "a":
      ablate(store, nodes);
      return true;
    case "F2":
      store.renaming.value = store.inspected.value;
      return true;
    case "f":
      void toggleFullscreen(root, store);
      return true;
    case "/":
      store.popover.value = "search";
      return true;
    case "?":
      store.popover.value = "help";
      return true;
    case "Escape":
      return stepBack(store);
    default:
      return false;
  }
}

/** Escape closes or stops what is nearest. */
function stepBack(store: Store): boolean {
  if (store.popover.value !== null) store.popover.value = null;
  else if (store.failure.value !== null) store.actions.dismiss();
  else if (store.job.value !== null) store.actions.cancel();
  else if (store.paths.value !== null) store.paths.value = null;
  else return false;
  return true;
}
