import { useComputed, useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { label, rename } from "../core/circuit";
import type { Box } from "../core/types";
import type { Store } from "../store";
import { BoxMark } from "./box-mark";
import { Dial, type Opened } from "./dial";
import { useGestures } from "./gestures";
import { InjectedMark, placeInjected } from "./injected-mark";
import { pressKey } from "./keys";
import { LinkLabel, LinkMark } from "./link-mark";
import { Members } from "./members";
import { NameField } from "./name-field";
import { injectedBy, outcomeOf } from "./outcome";
import { linkBoxes, type Placed, placeBoxes, type Size } from "./scene";
import { SwapForm } from "./swap-form";

/** Milliseconds the hand rests on a box before the dial comes, so that passing by shows nothing. */
const ARRIVE = 70;
/** Milliseconds the dial stays after the hand has left, so that the hand can reach it. */
const LINGER = 280;

/** The circuit: boxes of grouped and pinned nodes, and the edges between them. */
export function CircuitPane({ store }: { store: Store }) {
  const pane = useRef<HTMLDivElement>(null);
  const size = useSize(pane);
  const looked = useSignal<string | null>(null);
  const lookedLink = useSignal<string | null>(null);
  /** The box that Tab comes to, and the last that had the focus. */
  const focused = useSignal<string | null>(null);
  const focusInside = useSignal(false);
  const opened = useSignal<{ readonly box: string; readonly what: Opened } | null>(null);
  const lingering = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);

  const resting = useComputed(() =>
    placeBoxes(store.snapshot, store.circuit.value, store.boxes.value, store.nameOf, size.value),
  );
  const gestures = useGestures(
    store,
    pane,
    size,
    () => resting.value.placed,
    (box, event) => {
      const many = event.shiftKey || event.ctrlKey || event.metaKey;
      store.actions.select([box.id], many ? "toggle" : "replace");
    },
  );
  const placed = useComputed(() => {
    const hand = gestures.held.value;
    if (hand?.what !== "box" || !hand.moved) return resting.value.placed;
    return resting.value.placed.map((one) => (one.box.id === hand.box?.id ? { ...one, x: hand.x, y: hand.y } : one));
  });
  const links = useComputed(() => linkBoxes(store.snapshot, placed.value, size.value.width));
  const selected = useComputed(() => new Set(store.selected.value));

  const effect = store.effect.value;
  const hand = gestures.held.value;
  const dragging = hand?.moved === true;
  const target = gestures.target(resting.value.placed);
  const injected = injectedBy(store.snapshot, store.boxes.value, effect);

  function look(id: string | null): void {
    clearTimeout(lingering.current);
    const patience = id === null ? LINGER : looked.value === null ? ARRIVE : 0;
    lingering.current = setTimeout(() => {
      looked.value = id;
    }, patience);
  }

  function focus(box: Box): void {
    pane.current?.querySelector<SVGGElement>(`[data-id="${CSS.escape(box.id)}"]`)?.focus({ preventScroll: true });
  }

  function focusSoon(ids: readonly string[]): void {
    requestAnimationFrame(() => {
      const there = ids.map(find).find((one) => one !== undefined);
      if (there !== undefined) focus(there.box);
      else pane.current?.focus({ preventScroll: true });
    });
  }

  function focusDial(): void {
    requestAnimationFrame(() =>
      pane.current?.querySelector<HTMLElement>(".dial button")?.focus({ preventScroll: true }),
    );
  }

  function open(box: Box, what: Opened | null): void {
    opened.value = what === null ? null : { box: box.id, what };
  }

  const isSelected = (box: Box): boolean => box.nodes.every((node) => selected.value.has(node));
  const find = (id: string | null): Placed | undefined => placed.value.find((one) => one.box.id === id);
  const dialled = dragging
    ? undefined
    : (find(opened.value?.box ?? null) ??
      find(looked.value) ??
      find(focusInside.value ? focused.value : null) ??
      find(store.inspected.value));
  const openedWhat = dialled !== undefined && opened.value?.box === dialled.box.id ? opened.value.what : null;
  const renamed = find(store.renaming.value);
  const tabStop = find(focused.value)?.box.id ?? placed.value[0]?.box.id;
  const lit = (link: { key: string; source: Placed; target: Placed }): boolean =>
    link.key === lookedLink.value || link.source.box.id === looked.value || link.target.box.id === looked.value;
  const anyLit = !dragging && links.value.some(lit);
  const empty = placed.value.length === 0;

  useLayoutEffect(() => {
    if (focused.value === null || find(focused.value) !== undefined) return;
    focused.value = null;
    // The focused box is gone, by an undo perhaps: keys must still reach the widget.
    const page = pane.current?.ownerDocument;
    if (page?.activeElement === page?.body) pane.current?.focus({ preventScroll: true });
  });

  return (
    <section
      ref={pane}
      class={`circuit-pane${dragging ? " dragging" : ""}${hand?.what === "map" ? " receiving" : ""}`}
      aria-label="Circuit"
      data-test="circuit-pane"
      tabIndex={-1}
      onFocusIn={() => {
        focusInside.value = true;
      }}
      onFocusOut={(event) => {
        focusInside.value = event.relatedTarget instanceof Node && event.currentTarget.contains(event.relatedTarget);
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
      <p class={empty ? "hint empty" : "hint"} data-test="circuit-hint">
        {hintOf(placed.value.length < 3, target?.name ?? null, hand?.what ?? null, dragging)}
      </p>
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
        <g class="links">
          {links.value.map((link) => (
            <LinkMark
              key={link.key}
              link={link}
              lit={!dragging && lit(link)}
              dimmed={anyLit && !lit(link)}
              onLook={(looks) => {
                lookedLink.value = looks ? link.key : null;
              }}
            />
          ))}
        </g>
        <g class="boxes">
          {placed.value.map((one, at) => (
            <BoxMark
              key={one.box.id}
              placed={one}
              outcome={outcomeOf(store.snapshot, one.box, effect)}
              textSize={resting.value.textSize}
              paneWidth={size.value.width}
              selected={isSelected(one.box)}
              hovered={store.hovered.value !== null && one.box.nodes.includes(store.hovered.value)}
              receiving={target?.box.id === one.box.id}
              dragged={dragging && hand.what === "box" && hand.box?.id === one.box.id}
              focusable={one.box.id === tabStop}
              renaming={renamed === one}
              on={{
                onPointerDown: (event) => gestures.grabBox(one, event),
                onPointerEnter: () => look(one.box.id),
                onPointerLeave: () => look(null),
                onFocus: () => {
                  focused.value = one.box.id;
                },
                onDblClick: () => {
                  store.renaming.value = one.box.id;
                },
                onKeyDown: (event) => {
                  const around = {
                    store,
                    placed: placed.value,
                    ...size.value,
                    focus,
                    focusSoon,
                    openDial: focusDial,
                    openMembers: () => open(one.box, "members"),
                  };
                  if (!pressKey(event, at, around)) return;
                  event.preventDefault();
                  event.stopPropagation();
                },
              }}
            />
          ))}
        </g>
        {injected !== null && (
          <InjectedMark injected={injected} place={placeInjected(injected, placed.value, size.value)} />
        )}
        {!dragging && (
          <g class="labels">
            {links.value.filter(lit).map((link) => (
              <LinkLabel key={link.key} link={link} />
            ))}
          </g>
        )}
      </svg>
      {hand !== null && dragging && hand.what === "member" && (
        <span class="ghost" style={{ left: `${hand.x}px`, top: `${hand.y}px` }}>
          {store.nameOf(hand.nodes[0])}
        </span>
      )}
      {dialled !== undefined && renamed === undefined && (
        <div
          key={dialled.box.id}
          class="at-hand"
          style={beside(dialled, size.value, openedWhat)}
          onPointerEnter={() => look(dialled.box.id)}
          onPointerLeave={() => look(null)}
        >
          <Dial
            store={store}
            placed={dialled}
            open={openedWhat}
            onOpen={(what) => open(dialled.box, what)}
            onLeave={() => {
              open(dialled.box, null);
              focus(dialled.box);
            }}
          />
          {openedWhat === "swap" && <SwapForm store={store} placed={dialled} onClose={() => open(dialled.box, null)} />}
          {openedWhat === "members" && (
            <Members
              store={store}
              placed={dialled}
              onGrab={(node, event) => gestures.grabMember(dialled.box, node, event)}
              onClose={() => {
                open(dialled.box, null);
                focus(dialled.box);
              }}
            />
          )}
        </div>
      )}
      {renamed !== undefined && (
        <div
          class="rename-box"
          style={{
            left: `${renamed.x - Math.max(renamed.w, 110) / 2}px`,
            top: `${renamed.y - renamed.h / 2}px`,
            width: `${Math.max(renamed.w, 110)}px`,
            height: `${renamed.h}px`,
          }}
        >
          <NameField
            key={renamed.box.id}
            name={renamed.name}
            label={`Name of ${renamed.name}`}
            onName={(name) => keepName(store, renamed.box, name)}
            onClose={() => {
              store.renaming.value = null;
              focus(renamed.box);
            }}
          />
        </div>
      )}
    </section>
  );
}

function keepName(store: Store, box: Box, name: string): void {
  if (box.name === null) store.actions.edit((circuit) => label(circuit, box.id, name), "label");
  else if (name !== "") store.actions.edit((circuit) => rename(circuit, box.id, name), `rename ${box.name}`);
}

function hintOf(few: boolean, over: string | null, what: string | null, dragging: boolean): string {
  if (dragging && over !== null) return `drop to group with ${over}`;
  if (dragging && what === "map") return "drop to keep it here";
  if (dragging && what === "member") return "drop to take it out of its supernode";
  if (dragging) return "drop on a box to group";
  return few ? "drag nodes here · drop one on another to group" : "";
}

/** Below the box, or above it where there is no room; never outside the pane. */
function beside(placed: Placed, size: Size, open: Opened | null): Record<string, string> {
  const tall = open === null ? 34 : 150;
  const below = placed.y + placed.h / 2 + 5;
  const above = size.height - (placed.y - placed.h / 2 - 4 * placed.cards) + 5;
  const x = Math.round(placed.x);
  const style: Record<string, string> = {
    left: `${x}px`,
    transform: `translateX(clamp(${4 - x}px, -50%, calc(${size.width - 4 - x}px - 100%)))`,
  };
  if (below + tall <= size.height || placed.y < size.height / 2) style.top = `${Math.round(below)}px`;
  else style.bottom = `${Math.round(above)}px`;
  return style;
}

/** The size of an element in CSS pixels, followed as it changes. */
function useSize(element: { readonly current: HTMLElement | null }) {
  const size = useSignal({ width: 560, height: 360 });
  useLayoutEffect(() => {
    const measured = element.current;
    if (measured === null) return;
    const measure = () => {
      const { clientWidth: width, clientHeight: height } = measured;
      if (width > 0 && height > 0 && (width !== size.peek().width || height !== size.peek().height)) {
        size.value = { width, height };
      }
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(measured);
    return () => observer.disconnect();
  }, [element, size]);
  return size;
}
