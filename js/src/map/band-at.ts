/** The band of the map at a point of the canvas, and what it is in words. */

import type { BandRange } from "../core/open-bands";
import type { ClientPoint } from "../page/listen";
import type { Store } from "../store/store";
import { closedBands, frameOf, stripOf } from "./scene";
import { closedText, opens, openText, showsOnOpening } from "./speech";
import type { MapView } from "./view";

/** How far from a band, in CSS pixels, a click still is on it. */
const SLACK = 4;

/** A band, and whether it is open. */
export interface PointedBand extends BandRange {
  readonly open: boolean;
}

/** The band at a point, or near it; null outside bands. */
export function bandAt(view: MapView, { openBands }: Store, point: ClientPoint): PointedBand | null {
  const { k, x, y } = view.camera.value;
  const scene = view.scene.value;
  if (point.x < frameOf(scene).left) return null;
  const found = (bands: readonly BandRange[], slack: number) =>
    bands.find((band) => {
      const [start, end] = stripOf(scene, band);
      const at = band.of === "layers" ? (point.y - y) / k : (point.x - x) / k;
      return start - slack / k <= at && at <= end + slack / k;
    });
  const bands = closedBands(scene);
  const closed = found(bands, 0) ?? found(bands, SLACK);
  const band = closed ?? found(openBands.value, 0);
  return band === undefined ? null : { ...band, open: closed === undefined };
}

/** What is in the band at a point, and what a click does; empty outside bands. */
export function bandTextAt(view: MapView, store: Store, point: ClientPoint): string {
  const band = bandAt(view, store, point);
  if (band === null) return "";
  if (band.open) return `${openText(store, band)} · click to close`;
  const { snapshot, circuit } = store;
  const click = opens(store, band) ? ` · click to see ${showsOnOpening(snapshot, circuit.value, band)}` : "";
  return `${closedText(store, band)}${click}`;
}
