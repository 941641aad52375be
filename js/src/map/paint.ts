/** Draws the map on canvas contexts; every function draws one layer and keeps no state. */

import { KIND } from "../core/constants";
import type { BandRange } from "../core/open-bands";
import { shareOfInput } from "../core/snapshot";
import type { Snapshot } from "../core/types";
import {
  FAINT_WIDTHS,
  LEAST_COLUMN,
  OPEN_OPACITY,
  OPEN_WIDTH,
  PINNED_RIM_WIDTH,
  RIM_WIDTH,
  SLANT,
  TOKEN_BAND,
} from "../layout/constants";
import { type Column, columnsWithText, isBand } from "../layout/map-layout";
import { openEdge } from "../layout/open-edge";
import { mapEdge, type Trunk } from "../layout/routing";
import {
  barHalf,
  dashes,
  errorBandHeight,
  errorBandOpacity,
  faintOpacity,
  faintStep,
  headHalf,
  headLength,
  ringWidth,
  signedWidth,
} from "../layout/strokes";
import { CAPTION_SIZE, type Palette, TOKEN_SIZE } from "../page/constants";
import { type Camera, closedBands, frameOf, type Scene, spotOf, stripOf } from "./scene";
import { type Curve, traceArrowhead, traceCurve, traceFlatEnd, traceNode } from "./shapes";

export interface Brush {
  readonly context: CanvasRenderingContext2D;
  readonly palette: Palette;
  readonly camera: Camera;
  readonly interfaceFont: string;
  readonly tokenFont: string;
}

/** How nodes are marked, by node index. */
export interface Marks {
  /** Index of the supernode's hue; -1 outside every supernode. */
  readonly hue: Int8Array;
  readonly pinned: Uint8Array;
  /** -1 for what only the first of two compared graphs has, 1 for what only the second has: half of it is filled. */
  readonly half: Int8Array;
  /** Opacity: below 1 for what an intervention suppressed, for unlikely outputs, and for errors outside the circuit. */
  readonly presence: Float32Array;
}

/** Row lines, column lines, row labels and token texts. */
export function paintAxes(brush: Brush, scene: Scene, open: readonly BandRange[] = []): void {
  const { context, palette, camera } = brush;
  const { layout, width, height } = scene;
  const frame = frameOf(scene);
  context.lineWidth = 1;
  context.strokeStyle = palette.grid;
  context.fillStyle = palette.grid;
  for (const band of closedBands(scene)) {
    context.globalAlpha = band.of === "layers" ? 1 : TOKEN_BAND;
    paintBand(brush, scene, band, 1);
  }
  context.globalAlpha = 0.4;
  for (const band of open) paintBand(brush, scene, band, 0);
  context.globalAlpha = 1;
  context.beginPath();
  for (const row of layout.rows) {
    const y = Math.round(camera.k * row.y + camera.y) + 0.5;
    if (y > frame.bottom || row.inBand) continue;
    context.moveTo(frame.left, y);
    context.lineTo(width, y);
  }
  context.stroke();
  context.setLineDash([1, 3]);
  context.beginPath();
  for (const column of layout.columns.slice(1)) {
    const x = Math.round(camera.k * column.x0 + camera.x) + 0.5;
    if (x < frame.left || camera.k * (column.x1 - column.x0) < LEAST_COLUMN) continue;
    context.moveTo(x, 6);
    context.lineTo(x, frame.bottom);
  }
  context.stroke();
  context.setLineDash([]);

  context.fillStyle = palette.muted;
  context.font = `${CAPTION_SIZE}px ${brush.interfaceFont}`;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const row of layout.rows) {
    const y = camera.k * row.y + camera.y;
    if (y > 4 && y <= frame.bottom) context.fillText(row.label, frame.left - 4, y + 0.5);
  }
  paintTokens(brush, scene, height);
}

/** Fills the strip of a band, this much narrower on both sides. */
function paintBand({ context, camera: { k, x, y } }: Brush, scene: Scene, band: BandRange, less: number): void {
  const frame = frameOf(scene);
  const [start, end] = stripOf(scene, band);
  if (band.of === "layers") {
    const [top, bottom] = [k * start + y + less, Math.min(k * end + y, frame.bottom) - less];
    if (bottom > top) context.fillRect(frame.left, top, scene.width - frame.left, bottom - top);
  } else {
    const [left, right] = [Math.max(k * start + x + less, frame.left), Math.min(k * end + x - less, scene.width)];
    if (right > left) context.fillRect(left, 0, right - left, frame.bottom);
  }
}

/** The errors of a layer as a band along its row, the stronger the more influence they have. */
export function paintErrorBands({ context, palette, camera }: Brush, scene: Scene): void {
  const { layout, visible, width } = scene;
  const frame = frameOf(scene);
  const most = Math.max(0, ...visible.errorBands.map(({ influence }) => influence));
  context.save();
  clipToFrame(context, scene);
  context.fillStyle = palette.nodeEdge;
  for (const { layer, influence } of visible.errorBands) {
    const row = layout.rows[layer + 1];
    const height = errorBandHeight(camera.k * row.height);
    context.globalAlpha = errorBandOpacity(influence, most);
    context.fillRect(frame.left, camera.k * row.y + camera.y - height / 2, width - frame.left, height);
  }
  context.restore();
}

function paintTokens({ context, palette, camera, tokenFont }: Brush, { layout, width }: Scene, height: number): void {
  context.save();
  context.beginPath();
  context.rect(0, 0, width, height);
  context.clip();
  context.font = `${TOKEN_SIZE}px ${tokenFont}`;
  context.textAlign = layout.slanted ? "right" : "center";
  context.textBaseline = "alphabetic";
  const indices = layout.slanted ? columnsWithText(layout.columns, camera.k) : layout.columns.keys();
  for (const index of indices) {
    const column = layout.columns[index];
    const x = (camera.k * (column.x0 + column.x1)) / 2 + camera.x;
    if (x < 24 || x > width) continue;
    context.fillStyle = isBand(column) ? palette.muted : palette.ink;
    if (layout.slanted) {
      context.save();
      context.translate(x + 4, layout.tokenY);
      context.rotate((-SLANT * Math.PI) / 180);
      context.fillText(column.text, 0, 0);
      context.restore();
    } else {
      context.fillText(column.text, x, layout.tokenY);
    }
  }
  context.restore();
}

function clipToFrame(context: CanvasRenderingContext2D, scene: Scene): void {
  const frame = frameOf(scene);
  context.beginPath();
  context.rect(frame.left, 0, scene.width - frame.left, frame.bottom);
  context.clip();
}

/** An edge between two nodes of the snapshot, with the signed share of the target's input that it is. */
export interface DrawnEdge {
  readonly source: number;
  readonly target: number;
  readonly share: number;
  /** The share of prunings that keep it; 1 where edges are not drawn by their stability. */
  readonly stability: number;
}

/** Edges of the snapshot by their index, by their stability where that is wanted and known. */
export function drawnEdges(snapshot: Snapshot, edges: Uint32Array, byStability = false): readonly DrawnEdge[] {
  const { edgeSource, edgeTarget, prunings } = snapshot;
  const kept = byStability ? snapshot.edgeKept : null;
  return Array.from(edges, (edge) => ({
    source: edgeSource[edge],
    target: edgeTarget[edge],
    share: shareOfInput(snapshot, edge),
    stability: kept === null ? 1 : kept[edge] / prunings,
  }));
}

function curveOf(brush: Brush, scene: Scene, link: DrawnEdge): Curve | null {
  const source = scene.indexOf[link.source];
  const target = scene.indexOf[link.target];
  if (source < 0 || target < 0) return null;
  const from = spotOf(scene, brush.camera, source);
  const to = spotOf(scene, brush.camera, target);
  return mapEdge(from.x, from.y, from.radius, to.x, to.y, to.radius, trunkOf(brush.camera, scene, source, target));
}

/** The trunk of an edge between two columns; null within one. */
function trunkOf({ k, x, y }: Camera, { layout }: Scene, source: number, target: number): Trunk | null {
  const from = layout.columns[layout.column[source]];
  const to = layout.columns[layout.column[target]];
  if (from === to) return null;
  const middle = (column: Column) => (k * (column.x0 + column.x1)) / 2 + x;
  return { source: middle(from), target: middle(to), y: (k * (from.y + to.y)) / 2 + y };
}

/** Edges without sign, in a few widths. */
export function paintFaintEdges(brush: Brush, scene: Scene, edges: Uint32Array): void {
  const { context, palette } = brush;
  const paths = FAINT_WIDTHS.map(() => new Path2D());
  for (const link of drawnEdges(scene.snapshot, edges)) {
    const shape = curveOf(brush, scene, link);
    if (shape !== null) traceCurve(paths[faintStep(link.share)], shape);
  }
  context.save();
  clipToFrame(context, scene);
  context.strokeStyle = palette.faint;
  context.globalAlpha = faintOpacity(edges.length);
  for (const [step, width] of FAINT_WIDTHS.entries()) {
    context.lineWidth = width;
    context.stroke(paths[step]);
  }
  context.restore();
}

/** Edges in full: sign by colour and form, strength by width, the strongest on top, faded with what they come from. */
export function paintSignedEdges(
  brush: Brush,
  scene: Scene,
  links: readonly DrawnEdge[],
  presence: Float32Array,
  opacity: number,
): void {
  const { context, palette } = brush;
  const ordered = [...links].sort((a, b) => Math.abs(a.share) - Math.abs(b.share));
  context.save();
  clipToFrame(context, scene);
  for (const link of ordered) {
    const { source, share, stability } = link;
    const shape = curveOf(brush, scene, link);
    if (shape === null) continue;
    const inhibits = share < 0;
    const width = signedWidth(share);
    const head = headLength(width);
    const [x, y] = shape.slice(-2);
    context.strokeStyle = inhibits ? palette.inhibit : palette.excite;
    context.fillStyle = context.strokeStyle;
    context.globalAlpha = opacity * presence[source];
    context.lineWidth = width;
    context.setLineDash(inhibits ? [...dashes(width)] : []);
    // The line ends in its head, not beside the head's tip.
    const line = [...shape.slice(0, 7), y + (inhibits ? 1.2 : 0.8 * head)];
    const parts = openEdge(line, stability);
    context.beginPath();
    for (const part of parts === null ? [line] : [parts[0], parts[2]]) traceCurve(context, part);
    context.stroke();
    context.setLineDash([]);
    if (parts !== null) {
      context.beginPath();
      context.lineWidth = OPEN_WIDTH;
      context.globalAlpha *= OPEN_OPACITY;
      traceCurve(context, parts[1]);
      context.stroke();
      context.globalAlpha = opacity * presence[source];
    }
    context.beginPath();
    if (inhibits) {
      context.lineWidth = 2.4;
      traceFlatEnd(context, x, y + 1.2, barHalf(width));
      context.stroke();
    } else {
      traceArrowhead(context, x, y, head, headHalf(width));
      context.fill();
    }
  }
  context.restore();
}

/** Every visible node. */
export function paintNodes(brush: Brush, scene: Scene, marks: Marks): void {
  const { context, camera, palette } = brush;
  const { snapshot, visible } = scene;
  context.save();
  clipToFrame(context, scene);
  for (let index = visible.nodes.length - 1; index >= 0; index--) {
    const node = visible.nodes[index];
    const kind = snapshot.kind[node];
    const { x, y, radius } = spotOf(scene, camera, index);
    if (x < -20 || x > scene.width + 20 || y < -20 || y > scene.height + 20) continue;
    const hue = marks.hue[node];
    // Grouped nodes are rings, so that their hue is visible and their size stays that of the others.
    context.beginPath();
    if (hue >= 0) {
      const width = ringWidth(radius);
      traceNode(context, kind, x, y, radius - width / 2);
      context.fillStyle = palette.background;
      context.globalAlpha = 1;
      context.fill();
      context.globalAlpha = marks.presence[node];
      context.lineWidth = width;
      context.strokeStyle = palette.supernodes[hue];
    } else {
      traceNode(context, kind, x, y, radius - RIM_WIDTH / 2);
      if (marks.presence[node] < 1 || marks.half[node] !== 0) {
        // What lies behind a faded node does not shine through it.
        context.fillStyle = palette.background;
        context.globalAlpha = 1;
        context.fill();
      }
      context.fillStyle = nodeFill(palette, kind);
      context.globalAlpha = marks.presence[node];
      if (marks.half[node] === 0) context.fill();
      else fillHalf(context, marks.half[node], x, y, radius);
      context.lineWidth = marks.pinned[node] ? PINNED_RIM_WIDTH : RIM_WIDTH;
      context.strokeStyle = marks.pinned[node] ? palette.ink : kind === KIND.logit ? palette.answer : palette.nodeEdge;
    }
    context.stroke();
  }
  context.restore();
}

/** Fills the left half of the path, or the right one. */
function fillHalf(context: CanvasRenderingContext2D, side: number, x: number, y: number, radius: number): void {
  const reach = 2 * radius;
  context.save();
  context.clip();
  context.fillRect(side < 0 ? x - reach : x, y - reach, reach, 2 * reach);
  context.restore();
}

function nodeFill(palette: Palette, kind: number): string {
  if (kind === KIND.error) return palette.background;
  if (kind === KIND.token) return palette.nodeEdge;
  return kind === KIND.logit ? palette.answer : palette.node;
}

/** Outlines around some nodes, this far outside their rims. */
export function paintOutlines(
  { context, camera }: Brush,
  scene: Scene,
  indices: Iterable<number>,
  style: { readonly color: string; readonly width: number; readonly gap: number; readonly dash?: readonly number[] },
): void {
  const { snapshot, visible } = scene;
  context.save();
  clipToFrame(context, scene);
  context.strokeStyle = style.color;
  context.lineWidth = style.width;
  context.setLineDash([...(style.dash ?? [])]);
  for (const index of indices) {
    const kind = snapshot.kind[visible.nodes[index]];
    const { x, y, radius } = spotOf(scene, camera, index);
    context.beginPath();
    traceNode(context, kind, x, y, radius + style.gap);
    context.stroke();
  }
  context.restore();
}
