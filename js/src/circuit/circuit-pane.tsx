import { useComputed, useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { onFirstUse } from "../controls/on-first-use";
import { boxEdges } from "../core/box-edges";
import type { Ghost } from "../core/ghosts";
import type { Box } from "../core/types";
import type { PlacedBox } from "../layout/circuit-layout";
import { visibleLinks, visibleOnward } from "../layout/routing";
import { isToggle } from "../page/listen";
import { type Size, watchSize } from "../page/size";
import type { Store } from "../store/store";
import { kindWord } from "../wording/words";
import { useActiveBox } from "./active-box";
import { AnswerMark, placeAnswers } from "./answer-mark";
import { type BoxListeners, BoxMark } from "./box-mark";
import { BoxMenu, RenameBox } from "./box-menu";
import { EdgeCutoff, leastShareOf } from "./edge-cutoff";
import { type Dragged, useGestures } from "./gestures";
import { InjectedMark, placeInjected, tieBetween } from "./injected-mark";
import { pressKey } from "./keys";
import { LinkLabel, LinkMark, LinkNumber } from "./link-mark";
import { onwardEdges } from "./onward";
import { injectedBy, newAnswers, type Outcome, outcomeOf } from "./outcome";
import { Proposing } from "./proposing";
import { broughtIn, type Link, type Placed, placeBoxes, placeNumbers, routeLinks } from "./scene";

const GhostMenu = onFirstUse(() => import("./ghost-menu").then((menu) => menu.GhostMenu));

/** The circuit: boxes of grouped and pinned nodes, and the edges between them. */
export function CircuitPane({ store }: { store: Store }) {
  const pane = useRef<HTMLDivElement>(null);
  // Until the pane's size is known, that of one in a notebook cell.
  const size = useSignal<Size>({ width: 560, height: 360 });
  useLayoutEffect(() => {
    if (pane.current === null) return undefined;
    return watchSize(pane.current, (measured) => {
      size.value = measured;
    });
  }, [size]);
  const active = useActiveBox();
  const { hovered, focused, inside, opened } = active;

  // Ghosts are placed with the boxes, so that accepting one moves nothing.
  const boxes = useComputed(() => [...store.boxes.value, ...store.ghosts.value]);
  const layout = useComputed(() =>
    placeBoxes(store.snapshot, store.circuit.value, boxes.value, store.nameOf, size.value),
  );
  const resting = useComputed(() => layout.value.placed.slice(0, store.boxes.value.length));
  const ghosts = useComputed(() => layout.value.placed.slice(store.boxes.value.length));
  const gestures = useGestures(
    store,
    pane,
    size,
    () => resting.value,
    (box, event) => {
      // What is open at another box would keep the toolbar there.
      if (opened.value?.box !== box.id) opened.value = null;
      store.actions.select([box.id], isToggle(event) ? "toggle" : "replace");
    },
  );
  const placed = useComputed(() => {
    const moving = gestures.dragged.value;
    if (moving?.what !== "box" || !moving.moved) return resting.value;
    return resting.value.map((one) => (one.box.id === moving.box?.id ? { ...one, x: moving.x, y: moving.y } : one));
  });
  const all = useComputed(() => [...placed.value, ...ghosts.value]);
  const moved = useSignal<number | null>(null);
  const edges = useComputed(() => boxEdges(store.snapshot, boxes.value, store.boxEdges.value));
  const shares = useComputed(() => visibleLinks(edges.value, leastShareOf(store, moved.value)));
  const injected = useComputed(() => injectedBy(store.snapshot, store.boxes.value, store.effect.value));
  const unsent = (store.snapshot.totalEdges ?? 0) - store.snapshot.edgeWeight.length;
  const straight = useComputed(() => routeLinks(shares.value, all.value, size.value.width, unsent));
  const injectedPlace = useComputed(
    () => injected.value && placeInjected(injected.value, all.value, straight.value, size.value),
  );
  const answers = useComputed(() =>
    store.boxes.value.length === 0 ? [] : newAnswers(store.snapshot, store.boxes.value, store.effect.value),
  );
  const answerPlaces = useComputed(() =>
    placeAnswers(
      answers.value,
      placed.value,
      [...present(injectedPlace.value), ...ghosts.value],
      straight.value,
      size.value,
    ),
  );
  const onward = useComputed(() =>
    onwardEdges(store.snapshot, boxes.value, answers.value, store.effect.value, store.boxEdges.value),
  );
  const drawnOnward = useComputed(() => visibleOnward(onward.value, leastShareOf(store, moved.value)));
  const brought = useComputed(() => [
    ...answerPlaces.value.map((place, at) => broughtIn(answers.value[at].name, `answer ${at}`, place)),
    ...present(injectedPlace.value && injected.value).map(({ name }) =>
      broughtIn(name, "injected", injectedPlace.value as PlacedBox),
    ),
  ]);
  const links = useComputed(() => {
    if (brought.value.length === 0) return straight.value;
    const ends = [...all.value, ...brought.value];
    // Without a circuit there are no boxes for answers.
    const drawn = injectedPlace.value === null ? [] : drawnOnward.value;
    return routeLinks([...shares.value, ...drawn], ends, size.value.width, unsent, ends.length - 1);
  });
  const selected = useComputed(() => new Set(store.selected.value));

  const outcomes = useComputed(
    () => new Map(boxes.value.map((box) => [box.id, outcomeOf(store.snapshot, box, store.effect.value)])),
  );
  const outcomeAt = (one: Placed): Outcome => outcomes.value.get(one.box.id) as Outcome;
  const isGhost = (one: Placed): boolean => "reason" in one.box;
  const numbers = useComputed(() => {
    if (!store.circuit.value.edge_numbers) return [];
    const places = placeNumbers(links.value, all.value, outcomeAt, brought.value, size.value);
    return places.flatMap((place, at) => (place === null ? [] : [{ link: links.value[at], place }]));
  });
  const dragged = gestures.dragged.value;
  const moving = dragged?.moved ? dragged : null;
  const target = gestures.target(resting.value);

  const host = placed.value.find((one) => one.box.id === injected.value?.beside[0]);
  const tie = host && injectedPlace.value && tieBetween(injectedPlace.value, host, outcomeAt(host));

  const find = (id: string | null): Placed | undefined => placed.value.find((one) => one.box.id === id);
  const first = (ids: readonly (string | null)[]): Placed | undefined =>
    ids.map(find).find((found) => found !== undefined);
  const explanation = ghosts.value.find(({ box }) => box.id === opened.value?.box);
  const withDial =
    moving === null && explanation === undefined ? first([...active.order(), store.inspected.value]) : undefined;
  const renamed = find(store.renaming.value);
  const tabStop = first([focused.value]) ?? placed.value[0];
  const isLit = (link: Link): boolean =>
    moving === null &&
    (link.key === active.link.value || [link.source.box.id, link.target.box.id].includes(hovered.value ?? ""));
  const lit = links.value.filter(isLit);

  function ghostListeners(id: string): BoxListeners {
    const point = (hovers: boolean) => () => {
      active.hover(hovers ? id : null);
      // A ghost whose reason is open stays lit.
      store.pointed.value = hovers ? id : (opened.value?.box ?? null);
    };
    const open = () => active.open(id, "reason");
    return {
      onPointerEnter: point(true),
      onPointerLeave: point(false),
      onFocus: point(true),
      onBlur: point(false),
      onClick: open,
      onKeyDown: (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        event.stopPropagation();
        open();
      },
    };
  }

  function focus(box: Box | undefined): void {
    const drawn = box && pane.current?.querySelector<SVGGElement>(`[data-id="${CSS.escape(box.id)}"]`);
    (drawn ?? pane.current)?.focus({ preventScroll: true });
  }

  useLayoutEffect(() => {
    if (focused.value === null || find(focused.value) !== undefined) return;
    focused.value = null;
    // The focused box is gone, by an undo perhaps: keys must still reach the widget.
    const page = pane.current?.ownerDocument;
    if (page?.activeElement === page?.body) focus(undefined);
  });

  function onBoxKey(event: KeyboardEvent, at: number): void {
    const { box } = placed.value[at];
    // A key acts on the focused box, not on the one under the pointer.
    active.forget();
    const handled = pressKey(event, at, {
      store,
      placed: placed.value,
      ...size.value,
      focus,
      focusSoon: (ids) => requestAnimationFrame(() => focus(first(ids)?.box)),
      openToolbar: () =>
        requestAnimationFrame(() => pane.current?.querySelector<HTMLElement>(".toolbar button")?.focus()),
      openMembers: () => active.open(box.id, "members"),
    });
    if (!handled) return;
    event.preventDefault();
    event.stopPropagation();
  }

  return (
    <section
      class={`circuit-pane${moving === null ? "" : " dragging"}${moving?.what === "map" ? " receiving" : ""}`}
      aria-label="Circuit"
      data-test="circuit-pane"
      tabIndex={-1}
      onFocusIn={() => {
        inside.value = true;
      }}
      onFocusOut={(event) => {
        inside.value = event.relatedTarget instanceof Node && event.currentTarget.contains(event.relatedTarget);
      }}
      onPointerMove={gestures.onPointerMove}
      onPointerUp={gestures.onPointerUp}
      onPointerCancel={gestures.cancel}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        gestures.cancel();
        opened.value = null;
      }}
    >
      <div class={all.value.length === 0 ? "hint empty" : "hint"}>
        <span data-test="circuit-hint">{hintOf(moving, target, all.value.length)}</span>
        <Proposing store={store} />
        {all.value.length > 2 && edges.value.length > 0 && (
          <EdgeCutoff
            store={store}
            drawn={links.value.length}
            total={edges.value.length + onward.value.length}
            numbered={numbers.value.length}
            moved={moved}
            unsent={edges.value.every(({ exact }) => exact) ? 0 : unsent}
          />
        )}
      </div>
      <div class="circuit-area" ref={pane}>
        {/* biome-ignore lint/a11y/noSvgWithoutTitle: the pane has the label; a title would pop up under the pointer. */}
        <svg
          class="circuit"
          width={size.value.width}
          height={size.value.height}
          onPointerDown={(event) => {
            if (event.target !== event.currentTarget) return;
            opened.value = null;
            store.actions.select([], "replace");
          }}
        >
          {links.value.map((link) => (
            <LinkMark
              key={link.key}
              link={link}
              unsent={unsent}
              faded={isGhost(link.source) || isGhost(link.target) || outcomes.value.get(link.source.box.id)?.faded}
              dimmed={lit.length > 0 && !lit.includes(link)}
              onHover={(hovers) => {
                active.link.value = hovers ? link.key : null;
              }}
            />
          ))}
          {numbers.value.map(({ link, place }) => (
            <LinkNumber key={link.key} link={link} place={place} />
          ))}
          {ghosts.value.map((one) => (
            <BoxMark
              key={one.box.id}
              ghost
              placed={one}
              outcome={outcomeAt(one)}
              textSize={layout.value.textSize}
              paneWidth={size.value.width}
              focusable
              on={ghostListeners(one.box.id)}
            />
          ))}
          {placed.value.map((one, at) => (
            <BoxMark
              key={one.box.id}
              placed={one}
              outcome={outcomeAt(one)}
              textSize={layout.value.textSize}
              paneWidth={size.value.width}
              others={placed.value}
              selected={one.box.nodes.every((node) => selected.value.has(node))}
              hovered={store.hovered.value !== null && one.box.nodes.includes(store.hovered.value)}
              receiving={target?.box.id === one.box.id}
              dragged={moving?.what === "box" && moving.box?.id === one.box.id}
              focusable={one === tabStop}
              doubt={store.doubts.value.get(one.box.id)}
              renaming={one === renamed}
              on={{
                onPointerDown: (event) => gestures.grabBox(one, event),
                onPointerEnter: () => active.hover(one.box.id),
                onPointerLeave: () => active.hover(null),
                onFocus: () => {
                  focused.value = one.box.id;
                },
                onDblClick: () => {
                  store.renaming.value = one.box.id;
                },
                onKeyDown: (event) => onBoxKey(event, at),
              }}
            />
          ))}
          {injected.value && injectedPlace.value && (
            <InjectedMark
              injected={injected.value}
              word={kindWord(store.snapshot, "feature")}
              place={injectedPlace.value}
              tie={tie}
            />
          )}
          {answerPlaces.value.map((place, at) => (
            <AnswerMark
              key={answers.value[at].name}
              answer={answers.value[at]}
              place={place}
              paneWidth={size.value.width}
            />
          ))}
          {lit
            .filter((link) => !numbers.value.some((one) => one.link === link))
            .map((link) => (
              <LinkLabel key={link.key} link={link} />
            ))}
        </svg>
        {moving?.what === "member" && (
          <span class="ghost" style={{ left: `${moving.x}px`, top: `${moving.y}px` }}>
            {store.nameOf(moving.nodes[0])}
          </span>
        )}
        {withDial !== undefined && renamed === undefined && (
          <BoxMenu
            key={withDial.box.id}
            store={store}
            placed={withDial}
            size={size.value}
            popover={opened.value?.box === withDial.box.id ? opened.value.popover : null}
            onPopover={(popover) => active.open(withDial.box.id, popover)}
            onHover={(hovers) => active.hover(hovers ? withDial.box.id : null)}
            onGrab={(node, event) => gestures.grabMember(withDial.box, node, event)}
            onLeave={() => focus(withDial.box)}
          />
        )}
        {explanation !== undefined && (
          <GhostMenu
            key={explanation.box.id}
            store={store}
            ghost={explanation.box as Ghost}
            placed={explanation}
            size={size.value}
            onClose={() => {
              opened.value = null;
              requestAnimationFrame(() => focus(explanation.box));
            }}
          />
        )}
        {renamed !== undefined && (
          <RenameBox
            key={renamed.box.id}
            store={store}
            placed={renamed}
            size={size.value}
            onLeave={() => focus(renamed.box)}
          />
        )}
      </div>
    </section>
  );
}

const present = <T,>(value: T | null): readonly T[] => (value === null ? [] : [value]);

/** What a drop would do; at rest, and as long as there is little, what can be done. */
function hintOf(moving: Dragged | null, target: Placed | null, boxes: number): string {
  if (moving !== null && target !== null) return `drop to group with ${target.name}`;
  if (moving?.what === "map") return "drop to keep it here";
  if (moving?.what === "member") return "drop to take it out of its supernode";
  if (moving !== null) return "drop on a box to group";
  return boxes < 3 ? "drag nodes here · drop one on another to group" : "";
}
