import { EDGE_OPACITY, FADED_EDGE_OPACITY } from "../layout/constants";
import type { Point, Route } from "../layout/routing";
import { barHalf, dashes, headHalf, headLength } from "../layout/strokes";
import { count, percent, signedPercent } from "../wording/words";
import { ONWARD_WORDS } from "./outcome";
import type { Link } from "./scene";

interface Props {
  readonly link: Link;
  /** How many edges between nodes, weak ones, the page does not have: shares are without them. */
  readonly unsent: number;
  /** The box it comes from has little left. */
  readonly faded: boolean | undefined;
  /** Another link or box is hovered. */
  readonly dimmed: boolean;
  readonly onHover: (hovers: boolean) => void;
}

/** An edge between boxes: solid with an arrowhead where it excites, dashed with a flat end where it inhibits. */
export function LinkMark({ link, unsent, faded, dimmed, onHover }: Props) {
  const { route, share, source, target } = link;
  const excites = share > 0;
  const [tipX, tipY] = route.tip;
  // A flat end has no length of its own, so the line runs up to it.
  const line = excites ? pathOf(route.path) : `${pathOf(route.path)}L${round(tipX)} ${round(tipY)}`;
  const classes = ["link", excites ? "excites" : "inhibits", dimmed && "dimmed"];
  return (
    <g
      class={classes.filter(Boolean).join(" ")}
      opacity={dimmed ? undefined : faded ? FADED_EDGE_OPACITY : EDGE_OPACITY}
      data-test="link"
      data-share={share.toFixed(4)}
      data-source={source.name}
      data-target={target.name}
      onPointerEnter={() => onHover(true)}
      onPointerLeave={() => onHover(false)}
    >
      <title>{`${source.name} ${excites ? "excites" : "inhibits"} ${target.name}: ${inWords(link, unsent)}`}</title>
      <path class="reach" d={line} />
      <path
        class="line"
        d={line}
        stroke-width={route.width}
        stroke-dasharray={excites ? undefined : dashes(route.width).join(" ")}
      />
      <path class="head" d={excites ? arrow(link) : flat(link)} />
    </g>
  );
}

function inWords({ share, about, onward }: Link, unsent: number): string {
  const part = `${percent(Math.abs(share))} of its input`;
  if (onward) return `${part} before the intervention\n${ONWARD_WORDS}`;
  return about ? `about ${part}\n${withoutEdges(unsent)}` : part;
}

/** Why shares of boxes' inputs differ a little from those in Python. */
export function withoutEdges(unsent: number): string {
  return `without the ${count(unsent, "weak edge")} of the graph that the page does not have: figures and Python count all`;
}

/** The share of a link, at its middle. */
export function LinkLabel({ link }: { link: Link }) {
  const [x, y] = middle(link.route.path);
  return (
    <text class={`link-label ${link.share > 0 ? "excites" : "inhibits"}`} x={x + 5} y={y}>
      {signedPercent(link.share)}
    </text>
  );
}

/** The share of a link at its place among all others. */
export function LinkNumber({ link, place: [x, y] }: { link: Link; place: Point }) {
  return (
    <text class={`link-label number ${link.share > 0 ? "excites" : "inhibits"}`} x={x} y={y} data-test="edge-number">
      {signedPercent(link.share)}
    </text>
  );
}

function pathOf(path: readonly number[]): string {
  let text = `M${round(path[0])} ${round(path[1])}`;
  for (let at = 2; at + 5 < path.length; at += 6) {
    text += `C${path
      .slice(at, at + 6)
      .map(round)
      .join(" ")}`;
  }
  return text;
}

const round = (value: number): number => Math.round(10 * value) / 10;

function arrow({ route }: Link): string {
  const half = headHalf(route.width);
  const back = -headLength(route.width);
  return outline(route, [
    [0, 0],
    [back, half],
    [back, -half],
  ]);
}

/** A bar across the end of the line. */
function flat({ route }: Link): string {
  const half = barHalf(route.width);
  return outline(route, [
    [0, half],
    [0, -half],
    [-2.5, -half],
    [-2.5, half],
  ]);
}

/** A closed shape at a route's tip, of points given by how far along its direction and how far across. */
function outline({ tip, direction }: Route, points: readonly (readonly [number, number])[]): string {
  const [dx, dy] = direction;
  const corners = points.map(([along, across]) => [
    round(tip[0] + along * dx - across * dy),
    round(tip[1] + along * dy + across * dx),
  ]);
  return `M${corners.join("L")}Z`;
}

/** The point half way along the middle cubic. */
function middle(path: readonly number[]): readonly [number, number] {
  const cubics = (path.length - 2) / 6;
  const at = 6 * Math.floor((cubics - 1) / 2);
  const half = (axis: 0 | 1): number =>
    (path[at + axis] + 3 * path[at + 2 + axis] + 3 * path[at + 4 + axis] + path[at + 6 + axis]) / 8;
  return [half(0), half(1)];
}
