/** Outlines of nodes and edges, traced on a path. */

import { KIND } from "../core/constants";
import { PENTAGON } from "../layout/constants";

/** What both a canvas context and a Path2D offer. */
export type Pen = Pick<CanvasPath, "moveTo" | "lineTo" | "bezierCurveTo" | "arc" | "rect" | "closePath">;

/** Traces a node: circle for a feature, diamond for an error, square for a token, pentagon for a logit. */
export function traceNode(pen: Pen, kind: number, x: number, y: number, radius: number): void {
  if (kind === KIND.feature) {
    pen.moveTo(x + radius, y);
    pen.arc(x, y, radius, 0, 2 * Math.PI);
  } else if (kind === KIND.error) {
    pen.moveTo(x, y - radius);
    pen.lineTo(x + radius, y);
    pen.lineTo(x, y + radius);
    pen.lineTo(x - radius, y);
    pen.closePath();
  } else if (kind === KIND.token) {
    pen.rect(x - radius, y - radius, 2 * radius, 2 * radius);
  } else {
    for (const [index, [dx, dy]] of PENTAGON.entries()) {
      if (index === 0) pen.moveTo(x + radius * dx, y + radius * dy);
      else pen.lineTo(x + radius * dx, y + radius * dy);
    }
    pen.closePath();
  }
}

/** A cubic: its start, two control points and its end. */
export type Curve = readonly number[];

export function traceCurve(pen: Pen, [x0, y0, ax, ay, bx, by, x1, y1]: Curve): void {
  pen.moveTo(x0, y0);
  pen.bezierCurveTo(ax, ay, bx, by, x1, y1);
}

/** An arrowhead pointing up, its tip at (x, y). */
export function traceArrowhead(pen: Pen, x: number, y: number, length: number, half: number): void {
  pen.moveTo(x, y);
  pen.lineTo(x + half, y + length);
  pen.lineTo(x - half, y + length);
  pen.closePath();
}

/** The flat end of an inhibiting edge. */
export function traceFlatEnd(pen: Pen, x: number, y: number, size: number): void {
  pen.moveTo(x - size, y);
  pen.lineTo(x + size, y);
}
