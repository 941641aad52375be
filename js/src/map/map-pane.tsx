/** The map: tokens across, layers up, with its thresholds and its legend. */

import type { ComponentChildren } from "preact";
import type { Store } from "../store/store";
import { FilterControl } from "./filters";
import { Legend } from "./legend";
import { MapField } from "./map-field";
import { ThresholdSliders } from "./sliders";

interface Props {
  readonly store: Store;
  /** Called after each frame that was painted. */
  readonly onFrame: () => void;
  /** What stands above the map. */
  readonly above?: ComponentChildren;
  /** What stands beside it: the map of another graph. */
  readonly beside?: ComponentChildren;
}

export function MapPane({ store, onFrame, above, beside }: Props) {
  return (
    <section class="map-pane" aria-label="Map of the attribution graph">
      {above}
      <div class="map-fields">
        <MapField store={store} name="Attribution graph" test="map" onFrame={onFrame} />
        {beside}
      </div>
      <div class="map-controls">
        <ThresholdSliders store={store} />
        <FilterControl store={store} />
        <Legend store={store} />
      </div>
    </section>
  );
}
