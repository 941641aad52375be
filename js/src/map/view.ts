/** The map's canvas: keeps cached layers and repaints them in animation frames, only what has changed. */

import { computed, effect, type ReadonlySignal, type Signal, signal, untracked } from "@preact/signals";
import { EDGE_THRESHOLD } from "../core/constants";
import { hasSign } from "../core/filters";
import { edgesOf } from "../core/snapshot";
import { BEHIND, MAP_EDGE_OPACITY } from "../layout/constants";
import type { MapLabel } from "../layout/map-labels";
import { signedOpacity } from "../layout/strokes";
import type { NodeId } from "../messages/types";
import { PALETTES } from "../page/constants";
import type { ClientPoint } from "../page/listen";
import type { Size } from "../page/size";
import type { FoundPaths } from "../store/paths";
import type { Store } from "../store/store";
import { answerArea, answerFont, type PlacedAnswer, paintAnswers, placeAnswers } from "./answers";
import { followed, restOf, reveal } from "./camera";
import { labelData, labelsWith, type PlacedLabels, paintLabels, placeLabels } from "./labels";
import { nodeMarks } from "./marks";
import {
  type Brush,
  type DrawnEdge,
  drawnEdges,
  type Marks,
  paintAxes,
  paintErrorBands,
  paintFaintEdges,
  paintNodes,
  paintOutlines,
  paintSignedEdges,
} from "./paint";
import {
  AT_REST,
  buildScene,
  type Camera,
  edgesOfSelected,
  frameOf,
  type Scene,
  type Spot,
  shapeScale,
  spotOf,
} from "./scene";

export interface DraggedFrame {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

export class MapView {
  readonly size: Signal<Size> = signal({ width: 0, height: 0 });
  readonly camera: Signal<Camera> = signal(AT_REST);
  /** The node that the arrow keys walk from. */
  readonly cursor: Signal<NodeId | null> = signal(null);
  readonly focused: Signal<boolean> = signal(false);
  /** True while the cursor is moved by keys, until the pointer takes over. */
  readonly walking: Signal<boolean> = signal(false);
  /** The rectangle being drawn to select, in canvas coordinates. */
  readonly rectangle: Signal<DraggedFrame | null> = signal(null);
  /** The node under a dragged one, onto which it would be dropped. */
  readonly dropTarget: Signal<NodeId | null> = signal(null);
  readonly scene: ReadonlySignal<Scene>;
  /** The point of the canvas whose place stays while the layout changes; null for the middle. */
  anchor: ClientPoint | null = null;
  /** The labels on show. */
  readonly labels: ReadonlySignal<readonly MapLabel[]>;

  readonly #canvas: HTMLCanvasElement;
  readonly #store: Store;
  readonly #marks: ReadonlySignal<Marks>;
  /** Whether edges are drawn by their stability. */
  readonly #byStability: ReadonlySignal<boolean>;
  readonly #answers: ReadonlySignal<readonly PlacedAnswer[]>;
  readonly #labels: ReadonlySignal<PlacedLabels>;
  readonly #ground: HTMLCanvasElement;
  readonly #edges: HTMLCanvasElement;
  readonly #nodes: HTMLCanvasElement;
  readonly #onFrame: () => void;
  #followed: Scene | null = null;
  #staleLayers = true;
  #request = 0;

  constructor(canvas: HTMLCanvasElement, store: Store, onFrame: () => void, abort: AbortSignal) {
    this.#canvas = canvas;
    this.#store = store;
    this.#onFrame = onFrame;
    this.#ground = canvas.ownerDocument.createElement("canvas");
    this.#edges = canvas.ownerDocument.createElement("canvas");
    this.#nodes = canvas.ownerDocument.createElement("canvas");
    this.scene = computed(() => {
      const { width, height } = this.size.value;
      return buildScene(store.snapshot, store.visible.value, width, height);
    });
    this.#marks = computed(() => nodeMarks(store));
    this.#byStability = computed(() => store.circuit.value.edge_stability ?? false);
    this.#answers = computed(() =>
      placeAnswers(this.scene.value, this.camera.value, store.effect.value, this.#measure()),
    );
    this.#labels = computed(() =>
      placeLabels(store, this.scene.value, this.camera.value, this.#answers.value.map(answerArea)),
    );
    this.labels = computed(() => labelsWith(this.#labels.value, this.#pointed()));
    const stops = [
      effect(() => {
        this.scene.value;
        untracked(() => this.#follow());
      }),
      effect(() => {
        const [last] = store.selected.value.slice(-1);
        untracked(() => {
          this.#follow();
          if (last !== undefined) reveal(this, last);
        });
      }),
      effect(() => {
        this.scene.value;
        this.camera.value;
        this.#marks.value;
        this.#byStability.value;
        store.theme.value;
        this.#staleLayers = true;
        this.#schedule();
      }),
      effect(() => {
        store.hovered.value;
        store.selected.value;
        store.pointed.value;
        store.ghosts.value;
        store.paths.value;
        this.labels.value;
        this.cursor.value;
        this.walking.value;
        this.rectangle.value;
        this.dropTarget.value;
        this.#schedule();
      }),
    ];
    abort.addEventListener("abort", () => {
      for (const stop of stops) stop();
      cancelAnimationFrame(this.#request);
    });
  }

  /** Changes what is visible while the place at a point of the canvas stays there. */
  about(point: ClientPoint, change: () => void): void {
    this.anchor = point;
    change();
    this.anchor = null;
  }

  /** The node drawn at a point of the canvas. */
  nodeAt(x: number, y: number, slack = 3): NodeId | null {
    const { k, x: left, y: top } = this.camera.value;
    const scene = this.scene.value;
    if (x < frameOf(scene).left) return null;
    const index = scene.grid.at((x - left) / k, (y - top) / k, slack / k, shapeScale(this.camera.value) / k);
    return index === null ? null : this.#id(index);
  }

  nodesIn({ x0, y0, x1, y1 }: DraggedFrame): NodeId[] {
    const { k, x, y } = this.camera.value;
    const indices = this.scene.value.grid.within((x0 - x) / k, (y0 - y) / k, (x1 - x) / k, (y1 - y) / k);
    return indices.map((index) => this.#id(index));
  }

  /** Where a node is drawn on the canvas; null while it is not visible. */
  positionOf(id: NodeId): Spot | null {
    const index = this.indexOf(id);
    return index < 0 ? null : spotOf(this.scene.value, this.camera.value, index);
  }

  /** A node's index among the visible ones; -1 if it is not visible. */
  indexOf(id: NodeId): number {
    const node = this.#store.snapshot.index.get(id);
    return node === undefined ? -1 : this.scene.value.indexOf[node];
  }

  /** Keeps the camera, in a new layout, on the place that it looked at. */
  #follow(): void {
    const scene = this.scene.value;
    const before = this.#followed;
    if (scene === before || scene.width === 0) return;
    this.#followed = scene;
    const camera = this.camera.value;
    this.camera.value = before === null ? restOf(scene) : followed(camera, before, scene, this.anchor);
  }

  /** The index of the hovered or walked-to node; -1 if there is none. */
  #pointed(): number {
    const walked = this.walking.value ? this.cursor.value : null;
    const id = this.#store.hovered.value ?? walked;
    return id === null ? -1 : this.indexOf(id);
  }

  /** Measures token texts as they are painted. */
  #measure(): (text: string) => number {
    const context = this.#nodes.getContext("2d");
    const font = answerFont(getComputedStyle(this.#canvas).getPropertyValue("--token-font"));
    return (text) => {
      if (context === null) return 0;
      context.font = font;
      return context.measureText(text).width;
    };
  }

  #id(index: number): NodeId {
    return this.#store.snapshot.ids[this.scene.value.visible.nodes[index]];
  }

  #schedule(): void {
    if (this.#request !== 0) return;
    this.#request = requestAnimationFrame(() => {
      this.#request = 0;
      this.#paint();
    });
  }

  #paint(): void {
    const { width, height } = this.size.value;
    if (width === 0 || height === 0) return;
    const scene = this.scene.value;
    if (this.#staleLayers) this.#paintLayers(scene);
    const brush = this.#brush(this.#canvas);
    brush.context.drawImage(this.#ground, 0, 0, width, height);
    const behind = this.#store.paths.peek() === null ? BEHIND : BEHIND / 4;
    brush.context.globalAlpha = this.#isResting(scene) ? 1 : behind;
    brush.context.drawImage(this.#edges, 0, 0, width, height);
    brush.context.globalAlpha = 1;
    this.#paintEdges(brush, scene);
    brush.context.drawImage(this.#nodes, 0, 0, width, height);
    this.#paintLabels(brush);
    this.#paintOutlines(brush, scene);
    this.#paintRectangle(brush);
    this.#onFrame();
  }

  #paintLayers(scene: Scene): void {
    this.#staleLayers = false;
    const { signed, faint } = scene.resting;
    const ground = this.#brush(this.#ground);
    paintAxes(ground, scene, this.#store.openBands.peek());
    paintErrorBands(ground, scene);
    const edges = this.#brush(this.#edges);
    paintFaintEdges(edges, scene, faint);
    paintSignedEdges(edges, scene, this.#drawn(signed), this.#marks.value.presence, signedOpacity(signed.length));
    const nodes = this.#brush(this.#nodes);
    paintAnswers(nodes, this.#answers.value);
    paintNodes(nodes, scene, this.#marks.value);
  }

  /** Whether no edges are in front of those of the map at rest. */
  #isResting(scene: Scene): boolean {
    const { hovered, selected, paths } = this.#store;
    const none = hovered.peek() === null && selected.peek().length === 0 && paths.peek() === null;
    return none && this.#circuitEdges(scene).length === 0;
  }

  /** A brush on a cleared canvas of the right size, in CSS pixels. */
  #brush(canvas: HTMLCanvasElement): Brush {
    const { width, height } = this.size.value;
    // A style sheet can zoom as well, which the pixel ratio of the page does not have in it.
    const { currentCSSZoom = 1 } = this.#canvas as { readonly currentCSSZoom?: number };
    const ratio = (this.#canvas.ownerDocument.defaultView?.devicePixelRatio ?? 1) * currentCSSZoom;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
    }
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("The browser offers no 2d canvas.");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(this.#canvas);
    return {
      context,
      palette: PALETTES[this.#store.theme.value],
      camera: this.camera.value,
      interfaceFont: style.fontFamily,
      tokenFont: style.getPropertyValue("--token-font"),
    };
  }

  #paintEdges(brush: Brush, scene: Scene): void {
    const hovered = this.#store.hovered.peek();
    const selected = this.#store.selected.peek();
    const resting = selected.filter((id) => id !== hovered);
    const paths = this.#store.paths.peek();
    const opacity = hovered === null ? 1 : 0.25;
    const { presence } = this.#marks.value;
    if (paths !== null) paintSignedEdges(brush, scene, this.#pathEdges(paths), presence, opacity);
    else if (resting.length > 0) paintSignedEdges(brush, scene, this.#edgesOf(resting, scene), presence, opacity);
    else paintSignedEdges(brush, scene, this.#circuitEdges(scene), presence, MAP_EDGE_OPACITY * opacity);
    if (hovered !== null) paintSignedEdges(brush, scene, this.#edgesOf([hovered], scene), presence, 1);
  }

  /** Each edge on some paths once, those between nodes that the page has. */
  #pathEdges({ paths }: FoundPaths): readonly DrawnEdge[] {
    const { index } = this.#store.snapshot;
    const links = new Map<string, DrawnEdge>();
    for (const { nodes, edges } of paths) {
      for (const [at, share] of edges.entries()) {
        const [source, target] = [index.get(nodes[at]), index.get(nodes[at + 1])];
        if (source !== undefined && target !== undefined)
          links.set(`${source} ${target}`, { source, target, share, stability: 1 });
      }
    }
    return [...links.values()];
  }

  /** The visible edges within the circuit, which show while nothing is selected. */
  #circuitEdges({ snapshot, visible }: Scene): readonly DrawnEdge[] {
    const { hue, pinned } = this.#marks.value;
    const inside = (node: number) => hue[node] >= 0 || pinned[node] === 1;
    const edges = visible.edges.filter(
      (edge) => inside(snapshot.edgeSource[edge]) && inside(snapshot.edgeTarget[edge]),
    );
    return this.#drawn(edges);
  }

  #edgesOf(ids: readonly NodeId[], scene: Scene): readonly DrawnEdge[] {
    const { snapshot } = this.#store;
    const found = new Set<number>();
    for (const id of ids) {
      const node = snapshot.index.get(id);
      if (node === undefined) continue;
      for (const edge of edgesOf(snapshot.inputs, node)) found.add(edge);
      for (const edge of edgesOf(snapshot.outputs, node)) found.add(edge);
    }
    // All that the node has, even where few edges are drawn at rest.
    const limit = Math.max(this.#store.thresholds.peek().edge, EDGE_THRESHOLD);
    const edges = Uint32Array.from(found).filter(
      (edge) =>
        snapshot.edgeShare[edge] <= limit &&
        hasSign(snapshot, this.#store.circuit.peek(), edge) &&
        scene.visible.mask[snapshot.edgeSource[edge]] === 1 &&
        scene.visible.mask[snapshot.edgeTarget[edge]] === 1,
    );
    return this.#drawn(edgesOfSelected(snapshot, edges, ids.length));
  }

  #drawn(edges: Uint32Array): readonly DrawnEdge[] {
    return drawnEdges(this.#store.snapshot, edges, this.#byStability.peek());
  }

  #paintLabels(brush: Brush): void {
    const labels = this.labels.peek();
    const { dots } = this.#labels.peek().labelled;
    const pointed = this.#pointed();
    const { presence } = this.#marks.value;
    const { nodes } = this.scene.value.visible;
    const strong = (index: number) => dots[index].first || index === pointed;
    paintLabels(brush, labels, strong, (index) => presence[nodes[index]]);
    this.#canvas.dataset.labels = labelData(labels, (index) => this.#id(index));
  }

  #paintOutlines(brush: Brush, scene: Scene): void {
    const { palette } = brush;
    const indices = (ids: readonly (NodeId | null)[]) =>
      ids.flatMap((id) => (id === null || this.indexOf(id) < 0 ? [] : [this.indexOf(id)]));
    const pointed = this.#store.ghosts.peek().find(({ id }) => id === this.#store.pointed.peek())?.nodes ?? [];
    paintOutlines(brush, scene, indices(this.#store.selected.peek()), { color: palette.selection, width: 2, gap: 2.5 });
    paintOutlines(brush, scene, indices([this.#store.hovered.peek(), ...pointed]), {
      color: palette.ink,
      width: 1.2,
      gap: 1,
    });
    paintOutlines(brush, scene, indices([this.dropTarget.peek()]), { color: palette.selection, width: 3, gap: 5 });
    if (this.walking.peek()) {
      const dash = [3, 2];
      paintOutlines(brush, scene, indices([this.cursor.peek()]), { color: palette.ink, width: 1.5, gap: 5.5, dash });
    }
  }

  #paintRectangle({ context, palette }: Brush): void {
    const rectangle = this.rectangle.peek();
    if (rectangle === null) return;
    const { x0, y0, x1, y1 } = rectangle;
    context.globalAlpha = 0.1;
    context.fillStyle = palette.selection;
    context.fillRect(x0, y0, x1 - x0, y1 - y0);
    context.globalAlpha = 1;
    context.strokeStyle = palette.selection;
    context.lineWidth = 1;
    context.strokeRect(Math.min(x0, x1) + 0.5, Math.min(y0, y1) + 0.5, Math.abs(x1 - x0), Math.abs(y1 - y0));
  }
}
