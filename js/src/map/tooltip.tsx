/** The card that follows the hovered or walked-to node of the map. */

import { useLayoutEffect, useRef } from "preact/hooks";
import { KIND } from "../core/constants";
import { clamp } from "../core/numbers";
import type { Store } from "../store/store";
import { decimal, percent } from "../wording/words";
import { identity } from "./speech";
import type { MapView } from "./view";

const GAP = 10;

export function Tooltip({ store, view }: { store: Store; view: MapView }) {
  const card = useRef<HTMLDivElement>(null);
  const walked = view.walking.value ? view.cursor.value : null;
  const id = store.hovered.value ?? walked;
  const spot = id === null || store.drag.value?.dropped === false ? null : view.positionOf(id);
  const { width, height } = view.size.value;

  const label = id === null ? undefined : view.labels.value.find(({ dot }) => dot === view.indexOf(id));

  // Beside the node and its label, on the side where there is room.
  useLayoutEffect(() => {
    if (card.current === null || spot === null) return;
    const { offsetWidth, offsetHeight } = card.current;
    const right = Math.max(spot.x + spot.radius, label === undefined ? 0 : label.x + label.w) + GAP;
    const left = Math.min(spot.x - spot.radius, label?.x ?? width) - GAP - offsetWidth;
    const top = clamp(spot.y - offsetHeight / 2, 4, height - offsetHeight - 4);
    card.current.style.transform = `translate(${Math.round(right + offsetWidth > width ? Math.max(4, left) : right)}px, ${Math.round(top)}px)`;
  });

  const node = id === null ? undefined : store.snapshot.index.get(id);
  if (id === null || node === undefined || spot === null) return null;
  const { activation, influence, kind } = store.snapshot;
  const supernode = store.supernodeOf.value.get(id);
  return (
    <div ref={card} class="popover tooltip" data-test="tooltip">
      <b class="clip">{store.nameOf(id)}</b>
      <div class="muted">{identity(store, id)}</div>
      {kind[node] !== KIND.logit && (
        <div class="muted">
          {kind[node] === KIND.feature && <>activation {decimal(activation[node])} · </>}
          influence {percent(influence[node])}
        </div>
      )}
      {supernode !== undefined && (
        <b style={{ color: `var(--supernode-${supernode.color ?? 0})` }}>in {supernode.name}</b>
      )}
    </div>
  );
}
