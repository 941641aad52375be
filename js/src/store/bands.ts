/** Opens and closes bands of the map; seen in this view alone. */

import { isIn, type Layers } from "../core/opened";
import type { Store } from "./store";

export function openBand({ openBands }: Store, { first, last }: Layers): void {
  openBands.value = [...openBands.value, { first, last }];
}

/** Closes every open band that a layer is in. */
export function closeBand({ openBands }: Store, layer: number): void {
  openBands.value = openBands.value.filter((band) => !isIn(band, layer));
}
