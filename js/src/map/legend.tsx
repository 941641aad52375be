/** What the shapes and strokes of the map mean. */

import { KIND, type Snapshot } from "../core/types";
import type { Store } from "../store";

const SHAPES = [
  { kind: KIND.feature, name: "feature", path: "M11 6A5 5 0 1 1 1 6a5 5 0 0 1 10 0Z" },
  { kind: KIND.error, name: "error", path: "M6 .8 11.2 6 6 11.2.8 6Z" },
  { kind: KIND.token, name: "token", path: "M1.5 1.5h9v9h-9Z" },
  { kind: KIND.logit, name: "output", path: "M6 .6 11 5.5v5H1v-5Z" },
] as const;

export function Legend({ store }: { store: Store }) {
  return (
    <div class="legend">
      {SHAPES.filter(({ kind }) => has(store.snapshot, kind)).map(({ name, path }) => (
        <span key={name} class="legend-item">
          <svg viewBox="0 0 12 12" class={`legend-shape ${name}`} aria-hidden="true">
            <path d={path} />
          </svg>
          {name}
        </span>
      ))}
      <span class="legend-item">
        <svg viewBox="0 0 20 12" class="legend-edge excites" aria-hidden="true">
          <path d="M1 6h12" />
          <path class="head" d="M19 6l-6.5-3.5v7Z" />
        </svg>
        excites
      </span>
      <span class="legend-item">
        <svg viewBox="0 0 20 12" class="legend-edge inhibits" aria-hidden="true">
          <path d="M1 6h16" stroke-dasharray="4 2.5" />
          <path class="end" d="M18 2v8" />
        </svg>
        inhibits
      </span>
    </div>
  );
}

function has(snapshot: Snapshot, kind: number): boolean {
  return snapshot.kind.includes(kind);
}
