/** Opens and closes bands of the map; seen in this view alone. */

import type { Layers } from "../core/opened";
import type { Store } from "./store";

export function openBand({ openBands }: Store, { first, last }: Layers): void {
  openBands.value = [...openBands.value, { first, last }];
}

/** Closes the open bands of some layers, those within another, too. */
export function closeBand({ openBands }: Store, { first, last }: Layers): void {
  openBands.value = openBands.value.filter((band) => band.last < first || band.first > last);
}
