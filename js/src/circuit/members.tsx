import { useEffect } from "preact/hooks";
import { remove } from "../core/circuit";
import type { Kind, NodeId } from "../core/types";
import { placeOf } from "../core/words";
import { Glyph } from "../inspector/glyph";
import type { Store } from "../store";
import { removeBox, ungroupBox } from "./edits";
import type { Placed } from "./scene";

interface Props {
  readonly store: Store;
  readonly placed: Placed;
  /** Begins to drag a member out. */
  readonly onGrab: (node: NodeId, event: PointerEvent) => void;
  readonly onClose: () => void;
}

/** The members of a supernode: each can be dragged out or taken out with its button. */
export function Members({ store, placed, onGrab, onClose }: Props) {
  const { box, name } = placed;
  const { snapshot } = store;
  // The list goes away under the pointer, which then leaves nothing.
  useEffect(() => () => store.actions.hover(null), [store]);
  return (
    <section
      class="member-list"
      aria-label={`Members of ${name}`}
      data-test="member-list"
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Escape") onClose();
      }}
    >
      <ul>
        {box.nodes.map((id) => {
          const node = snapshot.index.get(id);
          const label = store.nameOf(id);
          const place = node === undefined ? "not in this graph" : placeOf(snapshot, node);
          return (
            <li
              key={id}
              class="member"
              onPointerEnter={() => store.actions.hover(id)}
              onPointerLeave={() => store.actions.hover(null)}
            >
              <button
                type="button"
                class="member-name"
                data-test="member"
                data-node={id}
                aria-label={`${label}, ${place}`}
                title="drag out of the supernode"
                onPointerDown={(event) => onGrab(id, event)}
                onClick={() => {
                  store.actions.hover(null);
                  store.actions.select([id], "replace");
                }}
              >
                {node !== undefined && <Glyph kind={snapshot.kind[node] as Kind} color={box.color} />}
                <span class="name">{label}</span>
                <span class="place">{place}</span>
              </button>
              <button
                type="button"
                class="quiet"
                data-test="member-remove"
                aria-label={`Take ${label} out of ${name}`}
                title="take out"
                onClick={() => store.actions.edit((circuit) => remove(circuit, [id]), `take ${label} out`)}
              >
                ×
              </button>
            </li>
          );
        })}
      </ul>
      <div class="member-actions">
        <button
          type="button"
          class="link-button"
          data-test="rename-box"
          onClick={() => {
            onClose();
            store.renaming.value = box.id;
          }}
        >
          rename
        </button>
        <button type="button" class="link-button" data-test="ungroup" onClick={() => ungroupBox(store, box)}>
          ungroup
        </button>
        <button type="button" class="link-button" data-test="remove-box" onClick={() => removeBox(store, box)}>
          remove
        </button>
      </div>
    </section>
  );
}
