/** Layers without visible nodes, by keyboard and for screen readers; the pointer opens them on the canvas. */

import { Button } from "../controls/button";
import type { Layers } from "../core/opened";
import { bandsOf } from "../layout/map-rows";
import { closeBand, openBand } from "../store/bands";
import type { Store } from "../store/store";
import { bandText, opens, openText } from "./speech";
import type { MapView } from "./view";

export function BandButtons({ store, view }: { store: Store; view: MapView }) {
  const { layout } = view.scene.value;
  const { k, y } = view.camera.value;
  const { snapshot } = store;
  const open = store.openBands.value;
  const at = (top: number, bottom: number) => ({ top: `${k * top + y}px`, height: `${k * (bottom - top)}px` });
  const spanOf = ({ first, last }: Layers) => {
    const [low, high] = [layout.rows[first + 1], layout.rows[last + 1]];
    return at(high.y - high.height / 2, low.y + low.height / 2);
  };
  return (
    <>
      {bandsOf(layout)
        .filter((band) => opens(store, band))
        .map((band) => (
          <Button
            key={`closed ${band.first}`}
            class="layer-band"
            style={at(band.top, band.bottom)}
            aria-label={bandText(snapshot, band)}
            aria-expanded={false}
            data-test="layer-band"
            onClick={() => openBand(store, band)}
          />
        ))}
      {open.map((band) => (
        <Button
          key={`open ${band.first}`}
          class="layer-band"
          style={spanOf(band)}
          aria-label={openText(snapshot, band)}
          aria-expanded={true}
          data-test="open-layer-band"
          onClick={() => closeBand(store, band.first)}
        />
      ))}
    </>
  );
}
