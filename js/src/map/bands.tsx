/** Bands of the map by keyboard and for screen readers; the pointer opens them on the canvas. */

import { Button } from "../controls/button";
import type { BandRange } from "../core/opened";
import { clamp } from "../core/scales";
import { closeBand, openBand } from "../store/bands";
import type { Store } from "../store/store";
import { showBand } from "./camera";
import { type Camera, closedBands, frameOf, type Scene, stripOf } from "./scene";
import { closedText, opens, openText, showsOnOpening } from "./speech";
import type { MapView } from "./view";

export function BandButtons({ store, view }: { store: Store; view: MapView }) {
  const scene = view.scene.value;
  const camera = view.camera.value;
  const open = store.openBands.value;
  const bands = [...closedBands(scene), ...open].sort(
    (a, b) => a.of.localeCompare(b.of) || a.first - b.first || a.last - b.last,
  );
  return (
    <>
      {bands.map((band) => {
        const isOpen = open.includes(band);
        return (
          // The same element opens and closes, so that the keyboard stays on it.
          <Button
            key={`${band.of}-${band.first}-${band.last}`}
            class="map-band"
            style={frameOfBand(scene, camera, band)}
            aria-label={isOpen ? openText(store, band) : closedText(store, band)}
            aria-description={isOpen ? undefined : showsOnOpening(store.snapshot, store.circuit.value, band)}
            aria-expanded={isOpen}
            aria-disabled={!isOpen && !opens(store, band)}
            data-test={`${isOpen ? "open-" : ""}${band.of === "layers" ? "layer" : "token"}-band`}
            onFocus={() => showBand(view, band)}
            onClick={() => {
              if (isOpen) closeBand(store, band);
              else if (opens(store, band)) openBand(store, band);
            }}
          />
        );
      })}
    </>
  );
}

/** Where a band is on the canvas, as far as it is in view. */
function frameOfBand(scene: Scene, { k, x, y }: Camera, band: BandRange) {
  const [start, end] = stripOf(scene, band);
  if (band.of === "layers") return { left: 0, right: 0, top: `${k * start + y}px`, height: `${k * (end - start)}px` };
  const [left, right] = [k * start + x, k * end + x].map((edge) => clamp(edge, frameOf(scene).left, scene.width));
  return { top: 0, bottom: 0, left: `${left}px`, width: `${right - left}px` };
}
