import { Button } from "../controls/button";
import { Glyph } from "../controls/glyph";
import { markStability } from "../core/circuit";
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
      <Stability store={store} />
    </div>
  );
}

/** Has edges drawn by their stability, and says what that looks like; nothing where it is not known. */
function Stability({ store }: { store: Store }) {
  const { prunings } = store.snapshot;
  if (prunings === 0) return null;
  const on = store.circuit.value.edge_stability ?? false;
  return (
    <>
      <Button
        class="link-button"
        aria-pressed={on}
        title={`${on ? "draw all edges whole again" : "show which edges stay under other thresholds"}: the graph is pruned with ${prunings} pairs of thresholds`}
        data-test="edge-stability"
        onClick={() =>
          store.actions.edit(
            (circuit) => markStability(circuit, !on),
            on ? "no stability of edges" : "stability of edges",
          )
        }
      >
        stability
      </Button>
      {on && (
        <>
          <span>
            <OpenEdge whole={10} />
            stays in half of {prunings} prunings
          </span>
          <span>
            <OpenEdge whole={4} />
            in few
          </span>
        </>
      )}
    </>
  );
}

/** An edge of 26 pixels of which so many are whole, before its head. */
function OpenEdge({ whole }: { whole: number }) {
  const end = whole / 2;
  return (
    <svg class="excites open" viewBox="0 0 28 10" aria-hidden="true">
      <path class="middle" d="M1 5h20" />
      <path d={`M1 5h${end}m${20 - 2 * end} 0h${end}m-1-3 6 3-6 3Z`} />
    </svg>
  );
}
