import { boxWidth, type PlacedBox } from "../layout/circuit-layout";
import { BOX_HEIGHT, BOX_TEXT, CARD } from "../layout/constants";
import { isClear } from "../layout/detour";
import type { Size } from "../page/size";
import { shorten } from "../text/width";
import { count } from "../wording/words";
import { Cards, markRoom, textRoom } from "./box-mark";
import type { Injected, Outcome } from "./outcome";
import type { Link, Placed } from "./scene";

interface Props {
  readonly injected: Injected;
  readonly place: PlacedBox;
  readonly tie: readonly [number, number] | null | undefined;
}

/** What was swapped in from another prompt: an orange box beside the one it came in for. */
export function InjectedMark({ injected, place, tie }: Props) {
  const { x, y, w, h, cards } = place;
  const words = `${injected.name}, swapped in, ${count(injected.features, "feature")}`;
  return (
    <g
      class="box injected"
      data-test="injected"
      data-name={injected.name}
      transform={`translate(${x - w / 2} ${y - h / 2})`}
    >
      {tie && <path class="tie" d={`M${tie[0] - x + w / 2} ${h / 2}H${tie[1] - x + w / 2}`} />}
      <Cards cards={cards} w={w} h={h} radius={5} />
      <rect class="face" width={w} height={h} rx={5} />
      <text class="box-name" x={w / 2} y={h / 2} font-size={BOX_TEXT}>
        {shorten(injected.name, w - 16, BOX_TEXT)}
      </text>
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

/**
 * Where the box is: right, left, above or below the first box it came in for, where it covers no other; if it can,
 * where no edge runs, else edges have to go around it.
 */
export function placeInjected(
  injected: Injected,
  placed: readonly Placed[],
  links: readonly Link[],
  size: Size,
): PlacedBox {
  const w = boxWidth(injected.name);
  const h = BOX_HEIGHT;
  const cards = Math.min(2, injected.features - 1);
  const host = placed.find((one) => one.box.id === injected.beside[0]);
  if (host === undefined) return { x: size.width - w / 2 - 12, y: h / 2 + 30, w, h, cards };
  const stack = CARD * cards;
  const aside = (host.w + w) / 2;
  const rise = (host.h + h) / 2 + 14;
  const free = [
    [aside + 72, 0],
    [aside + 14, -rise],
    [aside + 14, rise],
  ]
    .flatMap(([dx, dy]) => [
      { x: host.x + dx, y: host.y + dy, w, h, cards },
      { x: host.x - dx, y: host.y + dy, w, h, cards },
    ])
    .filter(({ x, y }) => {
      const inside =
        x - w / 2 >= 4 && x + w / 2 + stack <= size.width - 4 && y - h / 2 - stack >= 4 && y + h / 2 <= size.height - 4;
      const clear = placed.every(
        (one) => Math.abs(one.x - x) > (one.w + w) / 2 + 8 || Math.abs(one.y - y) > (one.h + h) / 2 + 6,
      );
      return inside && clear;
    });
  const x = Math.min(size.width - w / 2 - stack - 4, host.x + aside + 20);
  return (
    free.find((place) => links.every(({ route }) => isClear(route.path, [place], 5))) ??
    free[0] ?? { x, y: Math.max(h, host.y - h), w, h, cards }
  );
}
