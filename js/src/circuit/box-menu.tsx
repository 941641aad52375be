import { NameField } from "../controls/name-field";
import { onFirstUse } from "../controls/on-first-use";
import type { NodeId } from "../messages/types";
import type { Size } from "../page/size";
import { giveName } from "../store/commands";
import type { Store } from "../store/store";
import type { BoxPopover } from "./active-box";
import { BoxToolbar } from "./box-toolbar";
import type { Placed } from "./scene";

const Members = onFirstUse(() => import("./members").then((list) => list.Members));
const SwapForm = onFirstUse(() => import("./swap-form").then((form) => form.SwapForm));

interface Props {
  readonly store: Store;
  readonly placed: Placed;
  readonly size: Size;
  readonly popover: BoxPopover | null;
  readonly onPopover: (popover: BoxPopover | null) => void;
  readonly onHover: (hovers: boolean) => void;
  readonly onGrab: (node: NodeId, event: PointerEvent) => void;
  /** Gives the focus back to the box. */
  readonly onLeave: () => void;
}

/** What is drawn at the active box: its toolbar, and the popover that is opened from it. */
export function BoxMenu({ store, placed, size, popover, onPopover, onHover, onGrab, onLeave }: Props) {
  const close = () => {
    onPopover(null);
    onLeave();
  };
  return (
    <div
      class="box-menu"
      style={beside(placed, size, popover === null ? 34 : 150)}
      onPointerEnter={() => onHover(true)}
      onPointerLeave={() => onHover(false)}
    >
      <BoxToolbar store={store} placed={placed} popover={popover} onPopover={onPopover} onLeave={close} />
      {popover === "swap" && <SwapForm store={store} placed={placed} onClose={close} />}
      {popover === "members" && <Members store={store} placed={placed} onGrab={onGrab} onClose={close} />}
    </div>
  );
}

/** Below the box, or above it where there is no room, and over it where there is none either; never outside the pane. */
export function beside(placed: Placed, size: Size, height: number): Record<string, string> {
  const below = Math.round(placed.y + placed.h / 2 + 5);
  const above = Math.round(size.height - (placed.y - placed.h / 2 - 4 * placed.cards) + 5);
  const x = Math.round(placed.x);
  const fits = below + height <= size.height || placed.y < size.height / 2;
  const room = size.height - 4 - (fits ? below : above);
  const along = fits ? `min(0px, calc(${room}px - 100%))` : `max(0px, calc(100% - ${room}px))`;
  return {
    left: `${x}px`,
    [fits ? "top" : "bottom"]: `${fits ? below : above}px`,
    maxHeight: `${size.height - 8}px`,
    transform: `translate(${across(x, size)}, ${along})`,
  };
}

/** How far something at x is moved to the left: by half its width, as far as it stays inside the pane. */
const across = (x: number, { width }: Size): string => `clamp(${4 - x}px, -50%, calc(${width - 4 - x}px - 100%))`;

interface RenameProps {
  readonly store: Store;
  readonly placed: Placed;
  readonly size: Size;
  readonly onLeave: () => void;
}

/** The name of a box while it is edited, over the box. */
export function RenameBox({ store, placed, size, onLeave }: RenameProps) {
  const { x, y, h, name, box } = placed;
  const width = Math.max(placed.w, 110);
  return (
    <div
      class={y > size.height / 2 ? "rename-box low" : "rename-box"}
      style={{
        left: `${x - width / 2}px`,
        top: `${y - h / 2}px`,
        width: `${width}px`,
        height: `${h}px`,
        "--across": across(Math.round(x), size),
      }}
    >
      <NameField
        name={name}
        label={`Name of ${name}`}
        onName={(given) => giveName(store, box.id, given)}
        onClose={() => {
          store.renaming.value = null;
          onLeave();
        }}
      />
    </div>
  );
}
