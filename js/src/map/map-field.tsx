/** The canvas of a map, and what lies on it: the card of a node, bands, and the way back from zooming. */

import { useSignal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { Button } from "../controls/button";
import type { NodeId } from "../messages/types";
import { watchPixels, watchSize } from "../page/size";
import type { Store } from "../store/store";
import { BandButtons } from "./bands";
import { attachGestures } from "./gestures";
import { attachKeys } from "./keys";
import { Minimap } from "./minimap";
import { describe } from "./speech";
import { Tooltip } from "./tooltip";
import { MapView } from "./view";
import { attachZoom, type Zooming } from "./zoom";

interface Props {
  readonly store: Store;
  /** Which graph it is of, for readers of the screen. */
  readonly name: string;
  readonly test: string;
  /** Called after each frame that was painted. */
  readonly onFrame: () => void;
}

export function MapField({ store, name, test, onFrame }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useSignal<MapView | null>(null);
  const zooming = useRef<Zooming | null>(null);

  useLayoutEffect(() => {
    if (canvas.current === null) return undefined;
    const abort = new AbortController();
    const made = new MapView(canvas.current, store, onFrame, abort.signal);
    attachGestures(canvas.current, made, store, abort.signal);
    zooming.current = attachZoom(canvas.current, made, store, abort.signal);
    attachKeys(canvas.current, made, zooming.current, store, abort.signal);
    abort.signal.addEventListener(
      "abort",
      watchSize(canvas.current, (size) => {
        made.size.value = size;
      }),
    );
    const page = canvas.current.ownerDocument.defaultView;
    const again = () => {
      made.size.value = { ...made.size.value };
    };
    if (page !== null) watchPixels(page, again, abort.signal);
    view.value = made;
    return () => abort.abort();
  }, [store, onFrame, view]);

  const zoomed = view.value !== null && view.value.camera.value.k > 1;
  return (
    <div class="map-field">
      {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: arrow keys must reach the map, which only an application gets. */}
      <canvas
        ref={canvas}
        class="map-canvas"
        tabIndex={0}
        role="application"
        aria-label={`${name}: tokens across, layers up. Arrow keys walk from node to node, Enter selects.`}
        data-test={test}
      />
      {view.value !== null && <Tooltip store={store} view={view.value} />}
      {view.value !== null && <BandButtons store={store} view={view.value} />}
      {view.value !== null && <Minimap store={store} view={view.value} />}
      {zoomed && (
        <Button
          class="link-button map-reset"
          aria-label="Show the whole map"
          data-test="zoom-reset"
          onClick={() => zooming.current?.reset()}
        >
          show all
        </Button>
      )}
      {view.value !== null && <CursorSpeech store={store} view={view.value} />}
    </div>
  );
}

/** Announces to screen readers which node has the keyboard. */
function CursorSpeech({ store, view }: { store: Store; view: MapView }) {
  const node: NodeId | null = view.walking.value ? view.cursor.value : null;
  const text = useMemo(() => (node === null ? "" : describe(store, node)), [store, node, store.selected.value]);
  return (
    <div class="spoken-only" aria-live="polite" data-test="map-speech">
      {text}
    </div>
  );
}
