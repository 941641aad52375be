import { NameField } from "../controls/name-field";
import type { Size } from "../page/size";
import { giveName } from "../store/commands";
import type { Store } from "../store/store";
import type { NodeId } from "../wire/types";
import type { Sheet } from "./active-box";
import { Dial } from "./dial";
import { Members } from "./members";
import type { Placed } from "./scene";
import { SwapForm } from "./swap-form";

interface Props {
  readonly store: Store;
  readonly placed: Placed;
  readonly size: Size;
  readonly sheet: Sheet | null;
  readonly onSheet: (sheet: Sheet | null) => void;
  readonly onLook: (looks: boolean) => void;
  readonly onGrab: (node: NodeId, event: PointerEvent) => void;
  /** Gives the focus back to the box. */
  readonly onLeave: () => void;
}

/** What is drawn at the active box: its dial, and the sheet that was opened from it. */
export function AtHand({ store, placed, size, sheet, onSheet, onLook, onGrab, onLeave }: Props) {
  const close = () => {
    onSheet(null);
    onLeave();
  };
  return (
    <div
      class="at-hand"
      style={beside(placed, size, sheet === null ? 34 : 150)}
      onPointerEnter={() => onLook(true)}
      onPointerLeave={() => onLook(false)}
    >
      <Dial store={store} placed={placed} sheet={sheet} onSheet={onSheet} onLeave={close} />
      {sheet === "swap" && <SwapForm store={store} placed={placed} onClose={close} />}
      {sheet === "members" && <Members store={store} placed={placed} onGrab={onGrab} onClose={close} />}
    </div>
  );
}

/** Below the box, or above it where there is no room, and over it where there is none either; never outside the pane. */
function beside(placed: Placed, size: Size, height: number): Record<string, string> {
  const below = Math.round(placed.y + placed.h / 2 + 5);
  const above = Math.round(size.height - (placed.y - placed.h / 2 - 4 * placed.cards) + 5);
  const x = Math.round(placed.x);
  const fits = below + height <= size.height || placed.y < size.height / 2;
  const across = `clamp(${4 - x}px, -50%, calc(${size.width - 4 - x}px - 100%))`;
  const room = size.height - 4 - (fits ? below : above);
  const along = fits ? `min(0px, calc(${room}px - 100%))` : `max(0px, calc(100% - ${room}px))`;
  return {
    left: `${x}px`,
    [fits ? "top" : "bottom"]: `${fits ? below : above}px`,
    maxHeight: `${size.height - 8}px`,
    transform: `translate(${across}, ${along})`,
  };
}

interface RenameProps {
  readonly store: Store;
  readonly placed: Placed;
  readonly onLeave: () => void;
}

/** The name of a box while it is edited, over the box. */
export function RenameBox({ store, placed, onLeave }: RenameProps) {
  const { x, y, h, name, box } = placed;
  const width = Math.max(placed.w, 110);
  return (
    <div
      class="rename-box"
      style={{ left: `${x - width / 2}px`, top: `${y - h / 2}px`, width: `${width}px`, height: `${h}px` }}
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
