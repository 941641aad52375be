import { useEffect } from "preact/hooks";
import { Button } from "../controls/button";
import { MemberRow } from "../controls/node-row";
import type { NodeId } from "../messages/types";
import { ungroupNodes } from "../store/commands";
import type { Store } from "../store/store";
import { removeBox } from "./edits";
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
  // The list goes away under the pointer, which then leaves nothing.
  useEffect(() => () => store.actions.hover(null), [store]);
  return (
    <section
      class="popover box-popover"
      aria-label={`Members of ${name}`}
      data-test="member-list"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        onClose();
      }}
    >
      <ul>
        {box.nodes.map((id) => (
          <MemberRow
            key={id}
            store={store}
            box={box}
            id={id}
            test="member"
            title="drag out of the supernode"
            onPointerDown={(event) => onGrab(id, event)}
          />
        ))}
      </ul>
      <div class="popover-actions">
        <Button
          class="link-button"
          data-test="rename-box"
          onClick={() => {
            onClose();
            store.renaming.value = box.id;
          }}
        >
          rename
        </Button>
        <Button class="link-button" data-test="ungroup" onClick={() => ungroupNodes(store, box.nodes)}>
          ungroup
        </Button>
        <Button class="link-button" data-test="remove-box" onClick={() => removeBox(store, box)}>
          remove
        </Button>
      </div>
    </section>
  );
}
