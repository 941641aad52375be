/** The labels beside the most influential nodes of the map. */

import { LEAD_WIDTH, LEAST_LABEL_PRESENCE } from "../layout/constants";
import {
  type Area,
  type LabelledMap,
  labelArea,
  labelFrame,
  type MapLabel,
  mapLabels,
  withLabelOf,
} from "../layout/map-labels";
import { CAPTION_SIZE } from "../page/constants";
import { nodesOf } from "../store/paths";
import type { Store } from "../store/store";
import { nodeLabel } from "../wording/names";
import type { Brush } from "./paint";
import { type Camera, isWide, MINIMAP_HEIGHT, type Scene, spotOf } from "./scene";

/** Width of the ground around letters, on which edges do not show. */
const HALO = 4;

/** Where the button is that shows the whole map again. */
const SHOW_ALL: Area = { x0: 34, y0: 16, x1: 108, y1: 44 };

/** The labels that have found a place, and what they were placed among. */
export interface PlacedLabels {
  readonly labelled: LabelledMap;
  readonly placed: readonly MapLabel[];
}

/** Places labels for the present view, those of nodes that are selected, pinned or on paths before others. */
export function placeLabels(store: Store, scene: Scene, camera: Camera, answers: readonly Area[]): PlacedLabels {
  const { snapshot } = store;
  const circuit = store.circuit.value;
  const first = new Set([...store.selected.value, ...nodesOf(store.paths.value), ...circuit.pinned]);
  const dots = Array.from(scene.visible.nodes, (node, index) => {
    const id = snapshot.ids[node];
    return {
      ...spotOf(scene, camera, index),
      text: nodeLabel(snapshot, circuit, id),
      influence: snapshot.influence[node],
      first: first.has(id),
    };
  });
  const frame = labelFrame(scene.layout, scene.width);
  const minimap = isWide(scene, camera.k) ? [{ x0: frame.x0, y0: 0, x1: scene.width, y1: MINIMAP_HEIGHT }] : [];
  const taken = [...answers, ...minimap, ...(camera.k > 1 ? [SHOW_ALL] : [])];
  const labelled = { dots, frame, taken, zoom: camera.k, size: CAPTION_SIZE };
  return { labelled, placed: mapLabels(labelled) };
}

/** The labels on show while the node of an index is pointed to; -1 while none is. */
export function labelsWith({ labelled, placed }: PlacedLabels, index: number): readonly MapLabel[] {
  return index < 0 ? placed : withLabelOf(index, placed, labelled);
}

/** Labels as data of the page: node, text and the ends of the area, in CSS pixels. */
export function labelData(labels: readonly MapLabel[], idOf: (index: number) => string): string {
  const round = (value: number) => Math.round(10 * value) / 10;
  return JSON.stringify(
    labels.map((label) => {
      const { x0, y0, x1, y1 } = labelArea(label, CAPTION_SIZE);
      return [idOf(label.dot), label.text, round(x0), round(y0), round(x1), round(y1)];
    }),
  );
}

/**
 * Draws labels, each with a halo, and the lines to their nodes. They fade with these, labels only while they are legible;
 * those of the `strong` nodes are in full ink.
 */
export function paintLabels(
  brush: Brush,
  labels: readonly MapLabel[],
  strong: (index: number) => boolean,
  presence: (index: number) => number,
): void {
  const { context, palette } = brush;
  context.save();
  context.lineWidth = LEAD_WIDTH;
  context.strokeStyle = palette.muted;
  for (const { dot, lead } of labels) {
    if (lead.length === 0) continue;
    context.globalAlpha = presence(dot);
    context.beginPath();
    for (let at = 0; at < lead.length; at += 2) {
      if (at === 0) context.moveTo(lead[0], lead[1]);
      else context.lineTo(lead[at], lead[at + 1]);
    }
    context.stroke();
  }
  context.font = `${CAPTION_SIZE}px ${brush.interfaceFont}`;
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = HALO;
  context.strokeStyle = palette.background;
  for (const { dot, text, x, y, w, anchor } of labels) {
    const [align, left] = ALIGNED[anchor];
    context.textAlign = align;
    context.fillStyle = strong(dot) ? palette.ink : palette.muted;
    // A font of the page that is wider than that of figures is squeezed into the same area.
    context.globalAlpha = 1;
    context.strokeText(text, x + left * w, y + 0.5, w);
    context.globalAlpha = Math.max(LEAST_LABEL_PRESENCE, presence(dot));
    context.fillText(text, x + left * w, y + 0.5, w);
  }
  context.restore();
}

const ALIGNED = { start: ["left", 0], middle: ["center", 0.5], end: ["right", 1] } as const;
