import { useLayoutEffect, useRef } from "preact/hooks";
import type { Store } from "../store/store";
import { count } from "../wording/words";

/** What is being dragged from the map, beside the pointer, over all panes. */
export function DragGhost({ store }: { store: Store }) {
  const ghost = useRef<HTMLDivElement>(null);
  const drag = store.drag.value;

  useLayoutEffect(() => {
    const frame = ghost.current?.parentElement?.getBoundingClientRect();
    if (ghost.current === null || frame === undefined || drag === null) return;
    ghost.current.style.transform = `translate(${drag.x - frame.left + 12}px, ${drag.y - frame.top + 8}px)`;
  });

  if (drag === null || drag.dropped) return null;
  const { nodes } = drag;
  return (
    <div ref={ghost} class="drag-ghost" aria-hidden="true">
      {nodes.length === 1 ? store.nameOf(nodes[0]) : count(nodes.length, "node")}
    </div>
  );
}
