/** What the map shows, as numbers: the layout of the visible nodes, and how to find them. */

import { KIND_NAMES } from "../core/constants";
import type { Snapshot, Visible } from "../core/types";
import { FAINT_EDGES, SIGNED_EDGES } from "../layout/constants";
import { type HitGrid, hitGrid } from "../layout/hit";
import { type MapLayout, mapLayout } from "../layout/map-layout";
import { layerNames } from "../wording/words";

export interface Scene {
  readonly snapshot: Snapshot;
  readonly visible: Visible;
  readonly width: number;
  readonly height: number;
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
  const layout = mapLayout(nodes, texts, layerNames(snapshot), width, height);
  const indexOf = new Int32Array(snapshot.ids.length).fill(-1);
  for (const [index, node] of visible.nodes.entries()) indexOf[node] = index;
  const grid = hitGrid(layout.x, layout.y, layout.radius);
  return { snapshot, visible, width, height, layout, indexOf, grid, resting: restingEdges({ snapshot, visible }) };
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
