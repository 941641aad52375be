/** A strip above a map that is wider than its pane: where the nodes are, and a window on the part that is in view. */

import { useMemo, useRef } from "preact/hooks";
import { clamp } from "../core/numbers";
import { isBand } from "../layout/map-layout";
import type { Store } from "../store/store";
import { look } from "./camera";
import { frameOf, isWide, MINIMAP_HEIGHT, type Scene } from "./scene";
import type { MapView } from "./view";

/** Parts of the view that an arrow key scrolls by, and Page up or down. */
const STEPS: Readonly<Record<string, number>> = {
  ArrowLeft: -0.1,
  ArrowDown: -0.1,
  ArrowRight: 0.1,
  ArrowUp: 0.1,
  PageDown: -0.9,
  PageUp: 0.9,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
};

export function Minimap({ store, view }: { store: Store; view: MapView }) {
  const scene = view.scene.value;
  const { k, x, y } = view.camera.value;
  const strip = useRef<HTMLDivElement>(null);
  /** Where the window was grasped, in pixels of the layout from its left end. */
  const grasped = useRef<number | null>(null);
  const selected = store.selected.value;
  const ticks = useMemo(() => ticksOf(scene), [scene]);
  const marks = useMemo(() => marksOf(scene, view, selected), [scene, view, selected]);
  if (!isWide(scene, k)) return null;

  const { width, contentWidth } = scene;
  const [left, seen] = [-x / k, width / k];
  const scrollTo = (start: number) => look(view, { k, x: -k * start, y });
  const pointed = (event: PointerEvent) => {
    const bounds = strip.current?.getBoundingClientRect();
    return bounds === undefined ? 0 : ((event.clientX - bounds.left) / bounds.width) * contentWidth;
  };
  const [first, last] = positionsInView(scene, left + frameOf(scene).left / k, left + seen);
  return (
    <div
      ref={strip}
      class="minimap"
      style={{ left: `${frameOf(scene).left}px` }}
      data-test="minimap"
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        const at = pointed(event);
        // Outside the window, its middle comes to the pointer.
        const inside = at >= left && at <= left + seen;
        grasped.current = inside ? at - left : seen / 2;
        strip.current?.setPointerCapture(event.pointerId);
        scrollTo(at - grasped.current);
      }}
      onPointerMove={(event) => grasped.current !== null && scrollTo(pointed(event) - grasped.current)}
      onPointerUp={() => {
        grasped.current = null;
      }}
      onPointerCancel={() => {
        grasped.current = null;
      }}
    >
      <svg viewBox={`0 0 ${contentWidth} ${MINIMAP_HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        <path d={ticks} />
        <path class="minimap-selected" d={marks} />
      </svg>
      <div
        class="minimap-window"
        style={{ left: `${(100 * left) / contentWidth}%`, width: `${(100 * seen) / contentWidth}%` }}
        role="slider"
        tabIndex={0}
        aria-label="Part of the prompt in view"
        aria-orientation="horizontal"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round((100 * left) / Math.max(1, contentWidth - seen))}
        aria-valuetext={`tokens ${first} to ${last} of ${store.snapshot.tokens.length}`}
        data-test="minimap-window"
        onKeyDown={(event) => {
          const step = STEPS[event.key];
          if (step === undefined) return;
          event.preventDefault();
          event.stopPropagation();
          scrollTo(clamp(left + step * seen, 0, contentWidth - seen));
        }}
      />
    </div>
  );
}

/** A bar for each position with nodes, the higher the more there are. */
function ticksOf({ layout }: Scene): string {
  const most = Math.max(1, ...layout.columns.map(({ crowd }) => crowd));
  const bars = layout.columns.filter((column) => !isBand(column));
  return bars.map(({ x0, x1, crowd }) => bar(x0, x1, 1 + (MINIMAP_HEIGHT - 3) * Math.sqrt(crowd / most))).join("");
}

/** A bar of full height for each position with a selected node. */
function marksOf({ layout }: Scene, view: MapView, selected: readonly string[]): string {
  const columns = new Set(selected.map((id) => layout.column[view.indexOf(id)]).filter((at) => at !== undefined));
  return [...columns].map((at) => bar(layout.columns[at].x0, layout.columns[at].x1, MINIMAP_HEIGHT)).join("");
}

function bar(x0: number, x1: number, height: number): string {
  const gap = 0.15 * (x1 - x0);
  return `M${x0 + gap} ${MINIMAP_HEIGHT}V${MINIMAP_HEIGHT - height}H${x1 - gap}V${MINIMAP_HEIGHT}z`;
}

/** The first and the last position between two ends of the layout. */
function positionsInView({ layout }: Scene, left: number, right: number): readonly [number, number] {
  const columns = layout.columns.filter(({ x0, x1 }) => x1 > left && x0 < right);
  return columns.length === 0 ? [0, 0] : [columns[0].position, columns[columns.length - 1].last];
}
