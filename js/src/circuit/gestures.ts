/** Dragging in the circuit pane: boxes, members of a supernode, and nodes that come from the map. */

import { type ReadonlySignal, type Signal, useSignal, useSignalEffect } from "@preact/signals";
import type { RefObject } from "preact";
import { clamp } from "../core/numbers";
import type { Box } from "../core/types";
import type { NodeId } from "../messages/types";
import type { Size } from "../page/size";
import type { Store } from "../store/store";
import { dropOn, dropOnGround, mergeBoxes, moveBox, pullOut } from "./edits";
import { boxAt, type Placed } from "./scene";

/** What is dragged, in the pane's pixels. */
export interface Dragged {
  readonly what: "box" | "member" | "map";
  /** The box that is dragged, or the one a member is dragged out of; null for nodes from the map. */
  readonly box: Box | null;
  readonly nodes: readonly NodeId[];
  readonly x: number;
  readonly y: number;
  /** False until the pointer has moved far enough for a drag. */
  readonly moved: boolean;
}

/** Pixels a pointer moves before a press becomes a drag. */
const SLOP = 4;

export interface Gestures {
  readonly dragged: Signal<Dragged | null>;
  /** The box that would take in what is dragged. */
  target(placed: readonly Placed[]): Placed | null;
  grabBox(placed: Placed, event: PointerEvent): void;
  grabMember(box: Box, node: NodeId, event: PointerEvent): void;
  onPointerMove(event: PointerEvent): void;
  onPointerUp(event: PointerEvent): void;
  /** Lets go without doing anything. */
  cancel(): void;
}

interface Press {
  readonly pointer: number;
  readonly startX: number;
  readonly startY: number;
  /** From the pointer to the centre of what is dragged. */
  readonly offsetX: number;
  readonly offsetY: number;
}

export function useGestures(
  store: Store,
  pane: RefObject<HTMLElement | null>,
  size: ReadonlySignal<Size>,
  placed: () => readonly Placed[],
  onPress: (box: Box, event: PointerEvent) => void,
): Gestures {
  const dragged = useSignal<Dragged | null>(null);
  const press = useSignal<Press | null>(null);

  function local(event: { clientX: number; clientY: number }): readonly [number, number] {
    const frame = pane.current?.getBoundingClientRect();
    return [event.clientX - (frame?.left ?? 0), event.clientY - (frame?.top ?? 0)];
  }

  function place(x: number, y: number): readonly [number, number] {
    const { width, height } = size.value;
    return [clamp(x / width, 0, 1), clamp(y / height, 0, 1)];
  }

  function inside(x: number, y: number): boolean {
    const { width, height } = size.value;
    return x >= 0 && y >= 0 && x <= width && y <= height;
  }

  function target(boxes: readonly Placed[]): Placed | null {
    const moving = dragged.value;
    if (moving === null || !moving.moved) return null;
    const { offsetX, offsetY } = press.value ?? { offsetX: 0, offsetY: 0 };
    return boxAt(boxes, moving.x - offsetX, moving.y - offsetY, moving.box?.id ?? null);
  }

  function grab(
    moving: Omit<Dragged, "x" | "y" | "moved">,
    centre: readonly [number, number] | null,
    event: PointerEvent,
  ) {
    if (event.button !== 0) return;
    const [x, y] = local(event);
    const [cx, cy] = centre ?? [x, y];
    press.value = {
      pointer: event.pointerId,
      startX: event.clientX,
      startY: event.clientY,
      offsetX: cx - x,
      offsetY: cy - y,
    };
    dragged.value = { ...moving, x: cx, y: cy, moved: false };
  }

  function drop(moving: Dragged, over: Placed | null): void {
    const here = place(moving.x, moving.y);
    if (over !== null) {
      if (moving.what === "box" && moving.box !== null) mergeBoxes(store, moving.box, over.box, place(over.x, over.y));
      else dropOn(store, over.box, moving.nodes);
    } else if (moving.what === "map") dropOnGround(store, moving.nodes, here);
    else if (moving.what === "member") pullOut(store, moving.nodes[0], here);
    else if (moving.box !== null) moveBox(store, moving.box.id, here);
  }

  function letGo(): void {
    const pointer = press.value?.pointer;
    if (pointer !== undefined && pane.current?.hasPointerCapture(pointer)) pane.current.releasePointerCapture(pointer);
    dragged.value = null;
    press.value = null;
  }

  useSignalEffect(() => {
    const drag = store.drag.value;
    if (drag === null) {
      if (dragged.peek()?.what === "map") dragged.value = null;
      return;
    }
    const [x, y] = local({ clientX: drag.x, clientY: drag.y });
    if (!inside(x, y)) {
      dragged.value = null;
      return;
    }
    const moving: Dragged = { what: "map", box: null, nodes: drag.nodes, x, y, moved: true };
    if (!drag.dropped) {
      dragged.value = moving;
      return;
    }
    dragged.value = null;
    const over = boxAt(placed(), x, y, null);
    // A drop changes the document, which must not happen while its readers are being updated.
    queueMicrotask(() => {
      // Taken: what the drop changes would otherwise bring this effect back to the same drop.
      store.drag.value = null;
      drop(moving, over);
    });
  });

  return {
    dragged,
    target,
    grabBox: (one, event) => grab({ what: "box", box: one.box, nodes: one.box.nodes }, [one.x, one.y], event),
    grabMember: (box, node, event) => grab({ what: "member", box, nodes: [node] }, null, event),
    onPointerMove(event) {
      const moving = dragged.value;
      const start = press.value;
      if (moving === null || start === null || event.pointerId !== start.pointer) return;
      if (event.buttons === 0) {
        // The button was released outside the page.
        letGo();
        return;
      }
      const far = Math.hypot(event.clientX - start.startX, event.clientY - start.startY) > SLOP;
      if (!moving.moved && !far) return;
      if (!moving.moved) pane.current?.setPointerCapture(start.pointer);
      const [x, y] = local(event);
      dragged.value = { ...moving, x: x + start.offsetX, y: y + start.offsetY, moved: true };
    },
    onPointerUp(event) {
      const moving = dragged.value;
      if (moving === null || press.value?.pointer !== event.pointerId) return;
      const over = target(placed());
      letGo();
      if (moving.moved) drop(moving, over);
      else if (moving.what === "box" && moving.box !== null) onPress(moving.box, event);
    },
    cancel: letGo,
  };
}
