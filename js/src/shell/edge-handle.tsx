/** The edge of a pane, which is moved with the pointer or the arrow keys; a double click puts it back. */

import { useRef } from "preact/hooks";

interface Props {
  readonly label: string;
  readonly test: string;
  readonly place: "between" | "lower";
  readonly orientation: "horizontal" | "vertical";
  /** Where the edge is, in percent of the room that it divides. */
  readonly percent: number;
  /** The pointer moved the edge this far from where it was pressed, in CSS pixels. */
  readonly onDrag: (distance: number, from: number) => void;
  /** Where the edge is now, in whatever unit `onDrag` gets back as `from`. */
  readonly start: () => number;
  /** An arrow key moves the edge one step forward or back. */
  readonly onStep: (direction: 1 | -1) => void;
  readonly onReset: () => void;
}

const FORWARD = { horizontal: "ArrowDown", vertical: "ArrowRight" };
const BACK = { horizontal: "ArrowUp", vertical: "ArrowLeft" };

export function EdgeHandle({ label, test, place, orientation, percent, onDrag, start, onStep, onReset }: Props) {
  const press = useRef<{ readonly pointer: number; readonly at: number; readonly from: number } | null>(null);
  const along = (event: PointerEvent) => (orientation === "vertical" ? event.clientX : event.clientY);
  const release = () => {
    press.current = null;
  };
  return (
    <hr
      class={`edge-handle ${orientation} ${place}`}
      tabIndex={0}
      aria-label={label}
      aria-orientation={orientation}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(percent)}
      title={`${label}: drag, or use the arrow keys; a double click puts it back`}
      data-test={test}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.preventDefault();
        event.currentTarget.setPointerCapture(event.pointerId);
        event.currentTarget.focus({ preventScroll: true });
        press.current = { pointer: event.pointerId, at: along(event), from: start() };
      }}
      onPointerMove={(event) => {
        const pressed = press.current;
        if (pressed?.pointer === event.pointerId) onDrag(along(event) - pressed.at, pressed.from);
      }}
      onPointerUp={release}
      onPointerCancel={release}
      onDblClick={onReset}
      onKeyDown={(event) => {
        if (event.key === FORWARD[orientation]) onStep(1);
        else if (event.key === BACK[orientation]) onStep(-1);
        else return;
        event.preventDefault();
        event.stopPropagation();
      }}
    />
  );
}
