import { Glyph } from "../controls/glyph";
import { KIND } from "../core/constants";
import type { Store } from "../store/store";
import { kindWord, percent } from "../wording/words";

const SHAPES = [
  [KIND.feature, "feature"],
  [KIND.error, "error"],
  [KIND.token, "token"],
  [KIND.logit, "output"],
] as const;

/** How much of the influence the errors have, those that are not visible included. */
function errorShare({ snapshot }: Store): string {
  return snapshot.errorInfluence === null ? "" : ` (${percent(snapshot.errorInfluence)} of influence)`;
}

/** What the shapes and strokes of the map mean; only shapes that the graph has. */
export function Legend({ store }: { store: Store }) {
  return (
    <div class="legend">
      {SHAPES.filter(([kind]) => store.snapshot.kind.includes(kind)).map(([kind, name]) => (
        <span key={name} class={name}>
          <Glyph kind={kind} color={null} />
          {kind === KIND.feature || kind === KIND.error ? kindWord(store.snapshot, name) : name}
          {kind === KIND.error && errorShare(store)}
        </span>
      ))}
      <span>
        <svg class="excites" viewBox="0 0 20 10" aria-hidden="true">
          <path d="M1 5h12m-1-3 6 3-6 3Z" />
        </svg>
        excites
      </span>
      <span>
        <svg class="inhibits" viewBox="0 0 20 10" aria-hidden="true">
          <path d="M1 5h4m2 0h4m2 0h4m1-4v8" />
        </svg>
        inhibits
      </span>
    </div>
  );
}
