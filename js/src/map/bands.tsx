/** Layers without visible nodes, by keyboard and for screen readers; the pointer opens them on the canvas. */

import { Button } from "../controls/button";
import type { Layers } from "../core/opened";
import { bandsOf } from "../layout/map-rows";
import { closeBand, openBand } from "../store/bands";
import type { Store } from "../store/store";
import { bandText, opens, openText } from "./speech";
import type { MapView } from "./view";

export function BandButtons({ store, view }: { store: Store; view: MapView }) {
  const { rows } = view.scene.value.layout;
  const { k, y } = view.camera.value;
  const { snapshot } = store;
  const closed = bandsOf({ rows }).filter((band) => opens(store, band));
  const bands = [...closed, ...store.openBands.value].sort((a, b) => a.first - b.first || a.last - b.last);
  const place = ({ first, last }: Layers) => {
    const [low, high] = [rows[first + 1], rows[last + 1]];
    const top = high.y - high.height / 2;
    return { top: `${k * top + y}px`, height: `${k * (low.y + low.height / 2 - top)}px` };
  };
  return (
    <>
      {bands.map((band) => {
        const isOpen = store.openBands.value.includes(band);
        return (
          // The same element opens and closes, so that the keyboard stays on it.
          <Button
            key={`${band.first}-${band.last}`}
            class="layer-band"
            style={place(band)}
            aria-label={isOpen ? openText(snapshot, band) : bandText(snapshot, band)}
            aria-expanded={isOpen}
            data-test={isOpen ? "open-layer-band" : "layer-band"}
            onClick={() => (isOpen ? closeBand(store, band) : openBand(store, band))}
          />
        );
      })}
    </>
  );
}
