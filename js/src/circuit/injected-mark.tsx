import { boxBeside } from "../layout/beside";
import type { PlacedBox } from "../layout/circuit-layout";
import { BOX_TEXT, CARD, ROUNDEST } from "../layout/constants";
import type { Size } from "../page/size";
import { count } from "../wording/words";
import { BoxName, Cards, markRoom, textRoom } from "./box-mark";
import type { Injected, Outcome } from "./outcome";
import type { Link, Placed } from "./scene";

interface Props {
  readonly injected: Injected;
  /** What one of its features is called. */
  readonly word: string;
  readonly place: PlacedBox;
  readonly tie: readonly [number, number] | null | undefined;
}

/** What an intervention brought in: an orange box beside the one it came in for. */
export function InjectedMark({ injected, word, place, tie }: Props) {
  const { x, y, w, h, cards } = place;
  const words = `${injected.name}, ${injected.how}, ${count(injected.features, word)}`;
  return (
    <g
      class="box injected"
      data-test="injected"
      data-name={injected.name}
      transform={`translate(${x - w / 2} ${y - h / 2})`}
    >
      {tie && <path class="tie" d={`M${tie[0] - x + w / 2} ${h / 2}H${tie[1] - x + w / 2}`} />}
      <Cards cards={cards} w={w} h={h} radius={ROUNDEST} />
      <rect class="face" width={w} height={h} rx={ROUNDEST} />
      <BoxName name={injected.name} w={w} h={h} size={BOX_TEXT} />
      <title>{`${words}\n${injected.title}`}</title>
    </g>
  );
}

/** From where to where a tie runs between the box and the one it came in for, past the text beside that; null for none. */
export function tieBetween(place: PlacedBox, host: Placed, outcome: Outcome): readonly [number, number] | null {
  if (place.y !== host.y) return null;
  const [left, right] = place.x < host.x ? [place, host] : [host, place];
  const text = left === host ? textRoom(outcome) : 0;
  const from = left.x + left.w / 2 + CARD * left.cards + text + 4;
  const to = right.x - right.w / 2 - (right === host ? markRoom(outcome) : 0) - 4;
  return to - from > 12 ? [from, to] : null;
}

/** Where the box of what was brought in is, beside the first box that it came in for. */
export function placeInjected(
  injected: Injected,
  placed: readonly Placed[],
  links: readonly Link[],
  { width, height }: Size,
): PlacedBox {
  const at = placed.findIndex((one) => one.box.id === injected.beside[0]);
  const routes = links.map(({ route }) => route);
  return boxBeside(injected.name, injected.features, at < 0 ? null : at, placed, routes, width, height);
}
