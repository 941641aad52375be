/** Moves of the map's camera, which never leaves the layout; in a new layout it stays at the place that it looked at. */

import { clamp } from "../core/numbers";
import type { BandRange } from "../core/open-bands";
import type { NodeId } from "../messages/types";
import type { ClientPoint } from "../page/listen";
import { type Camera, frameOf, placeAt, pointOf, type Scene, stripOf } from "./scene";
import type { MapView } from "./view";

export const MOST_ZOOM = 12;

/** How near to the edge of the map, in CSS pixels, a node is that is brought into view. */
const EDGE = 16;

/** The camera as far as the layout reaches. */
function within({ width, height, contentWidth }: Scene, { k, x, y }: Camera): Camera {
  return { k, x: clamp(x, width - k * contentWidth, 0), y: clamp(y, height * (1 - k), 0) };
}

/** The camera that is not zoomed: on the whole map or, of one that is wider than its pane, on the end, where the outputs are. */
export function restOf(scene: Scene): Camera {
  return within(scene, { k: 1, x: scene.width - scene.contentWidth, y: 0 });
}

export function look(view: MapView, camera: Camera): void {
  const next = within(view.scene.peek(), camera);
  const before = view.camera.peek();
  if (next.k !== before.k || next.x !== before.x || next.y !== before.y) view.camera.value = next;
}

/** Moves the map by pixels of the canvas; false at its end. */
export function pan(view: MapView, dx: number, dy: number): boolean {
  const before = view.camera.peek();
  look(view, { ...before, x: before.x + dx, y: before.y + dy });
  return view.camera.peek() !== before;
}

/** Scales the map while a point of it stays in place; false at the end of the range. */
export function zoomAbout(view: MapView, point: ClientPoint, factor: number): boolean {
  const { k: from, x, y } = view.camera.peek();
  const k = clamp(from * factor, 1, MOST_ZOOM);
  if (k === from) return false;
  look(view, { k, x: point.x - ((point.x - x) * k) / from, y: point.y - ((point.y - y) * k) / from });
  return true;
}

/** The camera on a new layout that has the same place at a point of the canvas; a camera at the end of the map stays there. */
export function followed(camera: Camera, before: Scene, after: Scene, point: ClientPoint | null): Camera {
  const { k, x, y } = camera;
  const end = before.width - k * before.contentWidth;
  const { x: atX, y: atY } = point ?? { x: before.width / 2, y: before.height / 2 };
  const place = placeAt(before, (atX - x) / k, (atY - y) / k);
  const found = pointOf(after, place);
  const [toX, toY] = point === null ? [after.width / 2, after.height / 2] : [atX, atY];
  const stays = point === null && Math.abs(x - end) < 1;
  return within(after, {
    k,
    x: stays ? after.width - k * after.contentWidth : toX - k * found.x,
    y: toY - k * found.y,
  });
}

/** Brings a node into view, in the middle of the map, unless it is there already. */
export function reveal(view: MapView, id: NodeId): void {
  const spot = view.positionOf(id);
  if (spot === null) return;
  const { left, bottom } = frameOf(view.scene.peek());
  const { width, height } = view.size.peek();
  const dx = spot.x < left + EDGE / 2 || spot.x > width - EDGE / 2 ? (left + width) / 2 - spot.x : 0;
  const dy = spot.y < 0 || spot.y > Math.min(bottom, height) ? height / 2 - spot.y : 0;
  if (dx !== 0 || dy !== 0) pan(view, dx, dy);
}

/** Brings a band of positions into view. */
export function showBand(view: MapView, band: BandRange): void {
  const { k, x } = view.camera.peek();
  const scene = view.scene.peek();
  const [start, end] = stripOf(scene, band).map((edge) => k * edge + x);
  const { left } = frameOf(scene);
  if (band.of === "positions" && (start < left || end > scene.width)) pan(view, (left + scene.width) / 2 - start, 0);
}
