/** The sizes of elements, followed as they change. */

/** In CSS pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Calls `onChange` whenever a pixel of the page becomes another number of the screen's, as when the browser zooms. */
export function watchPixels(page: Window, onChange: () => void, signal: AbortSignal): void {
  const watch = () => {
    const query = page.matchMedia?.(`(resolution: ${page.devicePixelRatio}dppx)`);
    const changed = () => {
      if (signal.aborted) return;
      watch();
      onChange();
    };
    query?.addEventListener("change", changed, { once: true, signal });
  };
  watch();
}

/** Calls `onSize` with an element's size now and after each change, until the returned function is called. */
export function watchSize(element: Element, onSize: (size: Size) => void): () => void {
  let last: Size = { width: 0, height: 0 };
  const measure = () => {
    const { clientWidth: width, clientHeight: height } = element;
    // A notebook takes cells out of the page while they are scrolled away; what is drawn waits as it is.
    if (width === 0 || height === 0 || (width === last.width && height === last.height)) return;
    last = { width, height };
    onSize(last);
  };
  const observer = new ResizeObserver(measure);
  observer.observe(element);
  measure();
  return () => observer.disconnect();
}
