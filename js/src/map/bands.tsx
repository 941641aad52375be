/** Bands of the map by keyboard and for screen readers; the pointer opens them on the canvas. */

import { useMemo } from "preact/hooks";
import { Button } from "../controls/button";
import { clamp } from "../core/numbers";
import type { BandRange } from "../core/open-bands";
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
  const circuit = store.circuit.value;
  // Not again in each frame in which the camera moves.
  const bands = useMemo(() => described(store, scene, open), [store, scene, open, circuit]);
  return (
    <>
      {bands.map(({ band, isOpen, opens, label, description }) => (
        // The same element opens and closes, so that the keyboard stays on it.
        <Button
          key={`${band.of}-${band.first}-${band.last}`}
          class="map-band"
          style={frameOfBand(scene, camera, band)}
          aria-label={label}
          aria-description={description}
          aria-expanded={isOpen}
          aria-disabled={!isOpen && !opens}
          data-test={`${isOpen ? "open-" : ""}${band.of === "layers" ? "layer" : "token"}-band`}
          onFocus={() => showBand(view, band)}
          onClick={() => {
            if (isOpen) closeBand(store, band);
            else if (opens) openBand(store, band);
          }}
        />
      ))}
    </>
  );
}

interface DescribedBand {
  readonly band: BandRange;
  readonly isOpen: boolean;
  /** Whether there is something to open. */
  readonly opens: boolean;
  readonly label: string;
  readonly description: string | undefined;
}

/** All bands in words: layers from below, then positions from the left. */
function described(store: Store, scene: Scene, open: readonly BandRange[]): readonly DescribedBand[] {
  const bands = [...closedBands(scene), ...open].sort(
    (a, b) => a.of.localeCompare(b.of) || a.first - b.first || a.last - b.last,
  );
  return bands.map((band) => {
    const isOpen = open.includes(band);
    return {
      band,
      isOpen,
      opens: opens(store, band),
      label: isOpen ? openText(store, band) : closedText(store, band),
      description: isOpen ? undefined : showsOnOpening(store.snapshot, store.circuit.value, band),
    };
  });
}

/** Where a band is on the canvas, as far as it is in view. */
function frameOfBand(scene: Scene, { k, x, y }: Camera, band: BandRange) {
  const [start, end] = stripOf(scene, band);
  if (band.of === "layers") return { left: 0, right: 0, top: `${k * start + y}px`, height: `${k * (end - start)}px` };
  const [left, right] = [k * start + x, k * end + x].map((edge) => clamp(edge, frameOf(scene).left, scene.width));
  return { top: 0, bottom: 0, left: `${left}px`, width: `${right - left}px` };
}
