/** What the circuit pane draws: boxes at their positions, and the edges between them. */

import type { BoxEdge } from "../core/box-edges";
import { KIND } from "../core/constants";
import type { Box, Circuit, NodeKind, Snapshot } from "../core/types";
import { circuitLayout, type PlacedBox } from "../layout/circuit-layout";
import { ANSWER_GAP, NUMBER_INSET } from "../layout/constants";
import { boxArea, numberPlaces } from "../layout/edge-numbers";
import { type Point, type Route, routeEdges } from "../layout/routing";
import { CAPTION_SIZE } from "../page/constants";
import type { Size } from "../page/size";
import { textWidth } from "../text/width";
import { signedPercent } from "../wording/words";
import { markRoom, textRoom } from "./box-mark";
import type { Outcome } from "./outcome";

/** A box, its name, and where it is; `x` and `y` are its centre. */
export interface Placed extends PlacedBox {
  readonly box: Box;
  readonly name: string;
  /** The kind of its nodes; null for a supernode. */
  readonly kind: NodeKind | null;
}

export interface Link {
  readonly key: string;
  readonly source: Placed;
  readonly target: Placed;
  /** Signed share of the target's input from outside that the source supplies. */
  readonly share: number;
  /** Without weak edges of the graph, which the page does not have. */
  readonly about: boolean;
  readonly route: Route;
  /** From what an experiment brought in, which is no part of that input. */
  readonly onward: boolean;
}

/** The kind of a box that is a node by itself. */
export function kindOf(snapshot: Snapshot, box: Box): NodeKind | null {
  const node = box.name === null ? snapshot.index.get(box.id) : undefined;
  return node === undefined ? null : (snapshot.kind[node] as NodeKind);
}

/** Places the boxes by layer and position, or where the user left them. */
export function placeBoxes(
  snapshot: Snapshot,
  circuit: Circuit,
  boxes: readonly Box[],
  nameOf: (id: string) => string,
  size: Size,
): { readonly placed: readonly Placed[]; readonly textSize: number } {
  const described = boxes.map((box) => {
    const nodes = box.nodes.map((id) => snapshot.index.get(id)).filter((node) => node !== undefined);
    const mean = (values: ArrayLike<number>) =>
      nodes.length === 0 ? 0 : nodes.reduce((sum, node) => sum + values[node], 0) / nodes.length;
    const kind = kindOf(snapshot, box);
    return {
      name: box.name ?? nameOf(box.id),
      members: box.nodes.length,
      layer: mean(snapshot.layer),
      position: mean(snapshot.nodePosition),
      alone: kind === KIND.token || kind === KIND.logit,
      stored: circuit.positions[box.id] ?? null,
    };
  });
  const layout = circuitLayout(described, size.width, size.height);
  const placed = layout.boxes.map((place, at) => ({
    ...place,
    box: boxes[at],
    name: described[at].name,
    kind: kindOf(snapshot, boxes[at]),
  }));
  return { placed, textSize: layout.textSize };
}

/** What an experiment brings in as a box at the end of an edge; it has no nodes. */
export function broughtIn(name: string, id: string, place: PlacedBox): Placed {
  return { ...place, box: { id, name, color: null, nodes: [] }, name, kind: null };
}

/** The edges, routed around the boxes they do not belong to. Those of the box `injected`, by index, are onward; the page lacks `unsent` edges between nodes. */
export function routeLinks(
  edges: readonly BoxEdge[],
  placed: readonly Placed[],
  width: number,
  unsent: number,
  injected = -1,
): readonly Link[] {
  const routes = routeEdges(placed, edges, width);
  return edges.map(({ source, target, share, exact = false }, at) => ({
    key: `${placed[source].box.id} ${placed[target].box.id}`,
    source: placed[source],
    target: placed[target],
    share,
    about: unsent > 0 && !exact && source !== injected,
    route: routes[at],
    onward: source === injected,
  }));
}

/** Where the numbers of links are, clear of boxes and what is beside them, and of boxes that an experiment brings in. */
export function placeNumbers(
  links: readonly Link[],
  placed: readonly Placed[],
  outcomeAt: (one: Placed) => Outcome,
  brought: readonly PlacedBox[],
  { width, height }: Size,
): readonly (Point | null)[] {
  const taken = [
    ...placed.map((one) => boxArea(one, textRoom(outcomeAt(one)), markRoom(outcomeAt(one)))),
    ...brought.map((one) => boxArea(one, ANSWER_GAP)),
  ];
  const widths = links.map(({ share }) => textWidth(signedPercent(share), CAPTION_SIZE) + 2 * NUMBER_INSET);
  return numberPlaces(
    taken,
    links.map(({ route }) => route),
    widths,
    width,
    height,
  );
}

/** The box under a point; the last drawn lies on top. */
export function boxAt(placed: readonly Placed[], x: number, y: number, except: string | null): Placed | null {
  for (let at = placed.length - 1; at >= 0; at--) {
    const one = placed[at];
    if (one.box.id === except) continue;
    if (Math.abs(x - one.x) <= one.w / 2 + 3 && Math.abs(y - one.y) <= one.h / 2 + 3) return one;
  }
  return null;
}
