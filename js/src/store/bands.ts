/** Opens and closes bands of the map; seen in this view alone. */

import type { BandRange } from "../core/open-bands";
import type { Store } from "./store";

export function openBand({ openBands }: Store, { of, first, last }: BandRange): void {
  openBands.value = [...openBands.value, { of, first, last }];
}

/** Closes the open bands of some layers or positions, those within another, too. */
export function closeBand({ openBands }: Store, { of, first, last }: BandRange): void {
  openBands.value = openBands.value.filter((band) => band.of !== of || band.last < first || band.first > last);
}
