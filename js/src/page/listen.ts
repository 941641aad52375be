/** How the map's gestures and keys listen: until the view goes away, and in the canvas' own coordinates. */

export interface ClientPoint {
  readonly x: number;
  readonly y: number;
}

type Listen = <Name extends keyof HTMLElementEventMap>(
  name: Name,
  heard: (event: HTMLElementEventMap[Name]) => void,
) => void;

/** Listens on an element until the signal aborts; not passively, so that a listener may keep the page from scrolling. */
export function listenOn(element: HTMLElement, signal: AbortSignal): Listen {
  return (name, heard) => element.addEventListener(name, heard, { signal, passive: false });
}

/** Whether a click adds to the selection, or takes from it. */
export function isToggle(event: PointerEvent): boolean {
  return event.shiftKey || event.ctrlKey || event.metaKey;
}

/** Where on an element an event happened, in CSS pixels from its top left corner. */
export function pointOn(element: HTMLElement, event: MouseEvent): ClientPoint {
  const { left, top } = element.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}
