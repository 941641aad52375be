/** What the map shows, as numbers: the layout of the visible nodes, and how to find them. */

import { KIND_NAMES } from "../core/constants";
import type { BandRange } from "../core/open-bands";
import type { Snapshot, Visible } from "../core/types";
import { FAINT_EDGES, SIGNED_EDGES } from "../layout/constants";
import { type HitGrid, hitGrid } from "../layout/hit";
import { contentWidth, isBand, type MapLayout, mapLayout } from "../layout/map-layout";
import { bandsOf } from "../layout/map-rows";
import { layerNames } from "../wording/words";

export interface Scene {
  readonly snapshot: Snapshot;
  readonly visible: Visible;
  readonly width: number;
  readonly height: number;
  /** The width of the layout: that of the map, or more, over which it then scrolls. */
  readonly contentWidth: number;
  /** Arrays by index; `visible.nodes[index]` is the node. */
  readonly layout: MapLayout;
  /** Index of each node among the visible ones, or -1 if it is not visible. */
  readonly indexOf: Int32Array;
  readonly grid: HitGrid;
  readonly resting: RestingEdges;
}

export function buildScene(snapshot: Snapshot, visible: Visible, width: number, height: number): Scene {
  const nodes = Array.from(visible.nodes, (node) => ({
    kind: KIND_NAMES[snapshot.kind[node]],
    layer: snapshot.layer[node],
    position: snapshot.nodePosition[node],
    influence: snapshot.influence[node],
  }));
  const texts = snapshot.tokens.map((token) => token.text);
  const layers = layerNames(snapshot);
  const wide = contentWidth(nodes, texts, layers, width);
  const layout = mapLayout(nodes, texts, layers, wide, height);
  const indexOf = new Int32Array(snapshot.ids.length).fill(-1);
  for (const [index, node] of visible.nodes.entries()) indexOf[node] = index;
  const grid = hitGrid(layout.x, layout.y, layout.radius);
  const resting = restingEdges({ snapshot, visible });
  return { snapshot, visible, width, height, contentWidth: wide, layout, indexOf, grid, resting };
}

/** Edges that are drawn of several selected nodes. */
const SELECTED_EDGES = 100;

/** What is drawn of the visible edges while nothing is selected: the strongest with their sign, others without. */
export interface RestingEdges {
  readonly signed: Uint32Array;
  readonly faint: Uint32Array;
}

export function restingEdges({ snapshot, visible }: Pick<Scene, "snapshot" | "visible">): RestingEdges {
  const ordered = strongestFirst(snapshot, visible.edges);
  return {
    signed: ordered.subarray(0, SIGNED_EDGES),
    faint: ordered.subarray(SIGNED_EDGES, SIGNED_EDGES + FAINT_EDGES),
  };
}

/** The edges that are drawn of selected nodes: all of a single one, of several the strongest, since all are a smear. */
export function edgesOfSelected(snapshot: Pick<Snapshot, "edgeShare">, edges: Uint32Array, nodes: number): Uint32Array {
  return nodes > 1 ? strongestFirst(snapshot, edges).subarray(0, SELECTED_EDGES) : edges;
}

function strongestFirst({ edgeShare }: Pick<Snapshot, "edgeShare">, edges: Uint32Array): Uint32Array {
  return edges.slice().sort((a, b) => edgeShare[a] - edgeShare[b]);
}

/** Where the camera is: a point of the layout is drawn at `k * point + (x, y)`. */
export interface Camera {
  readonly k: number;
  readonly x: number;
  readonly y: number;
}

export const AT_REST: Camera = { k: 1, x: 0, y: 0 };

/** Shapes grow slower than distances, so that zooming in parts what overlaps. */
export function shapeScale(camera: Camera): number {
  return camera.k ** 0.45;
}

/** Where a shape of the layout is drawn, in CSS pixels. */
export interface Spot {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

export function spotOf({ layout }: Scene, camera: Camera, index: number): Spot {
  return {
    x: camera.k * layout.x[index] + camera.x,
    y: camera.k * layout.y[index] + camera.y,
    radius: shapeScale(camera) * layout.radius[index],
  };
}

/** The part of the canvas in which nodes are drawn; axis labels are outside. */
export interface Frame {
  readonly left: number;
  readonly bottom: number;
}

export function frameOf(scene: Scene): Frame {
  const emb = scene.layout.rows[0]?.y ?? scene.height;
  return { left: scene.layout.left - 1, bottom: Math.min(scene.height, emb + 9) };
}

export const MINIMAP_HEIGHT = 12;

/** Whether the map is wider than its pane, so that it has a minimap. */
export function isWide({ width, contentWidth }: Pick<Scene, "width" | "contentWidth">, k: number): boolean {
  return k * contentWidth > width + 0.5;
}

/** A place that means the same in every layout of a graph: a position and a row from the bottom, both with a fraction. */
export interface Place {
  readonly position: number;
  readonly row: number;
}

/** The place at a point of a layout. */
export function placeAt({ layout }: Scene, x: number, y: number): Place {
  return { position: between(columnKnots(layout), x, 0), row: between(rowKnots(layout), -y, 0) };
}

/** Where a place is in a layout. */
export function pointOf({ layout }: Scene, { position, row }: Place): { readonly x: number; readonly y: number } {
  return { x: between(columnKnots(layout), position, 1), y: -between(rowKnots(layout), row, 1) };
}

/** Two numbers that grow together: a coordinate, and the position or row there. */
type Knot = readonly [coordinate: number, place: number];

function columnKnots({ columns }: MapLayout): Knot[] {
  return columns.flatMap(({ x0, x1, position, last }): Knot[] => [
    [x0, position],
    [x1, last + 1],
  ]);
}

function rowKnots({ rows }: MapLayout): Knot[] {
  return rows.flatMap(({ y, height }, row): Knot[] => [
    [-y - height / 2, row],
    [-y + height / 2, row + 1],
  ]);
}

/** The other number where one of the two has a value between the nearest knots; beyond the ends it is that of the end. */
function between(knots: readonly Knot[], value: number, of: 0 | 1): number {
  const other = of === 0 ? 1 : 0;
  if (knots.length === 0) return value;
  const after = knots.findIndex((knot) => knot[of] >= value);
  if (after === 0) return knots[0][other];
  if (after < 0) return knots[knots.length - 1][other];
  const [low, high] = [knots[after - 1], knots[after]];
  const part = high[of] > low[of] ? (value - low[of]) / (high[of] - low[of]) : 0;
  return low[other] + part * (high[other] - low[other]);
}

/** The layers and the positions without visible nodes that the layout draws as bands. */
export function closedBands({ layout }: Pick<Scene, "layout">): readonly BandRange[] {
  const layers = bandsOf(layout).map(({ first, last }) => ({ of: "layers", first, last }) as const);
  const positions = layout.columns
    .filter(isBand)
    .map(({ position, last }) => ({ of: "positions", first: position, last }) as const);
  return [...layers, ...positions];
}

/** The ends of a band in the layout: of layers the upper and the lower one, of positions left and right. */
export function stripOf({ layout }: Pick<Scene, "layout">, { of, first, last }: BandRange): readonly [number, number] {
  if (of === "layers") {
    const [low, high] = [layout.rows[first + 1], layout.rows[last + 1]];
    return [high.y - high.height / 2, low.y + low.height / 2];
  }
  const columns = layout.columns.filter((column) => column.last >= first && column.position <= last);
  return columns.length === 0 ? [0, 0] : [columns[0].x0, columns[columns.length - 1].x1];
}
