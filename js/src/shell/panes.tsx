/** The panes: map, circuit, and the side with inspector and effects. They fold, and their edges move. */

import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { CircuitPane } from "../circuit/circuit-pane";
import { Button } from "../controls/button";
import { ChevronIcon } from "../controls/icons";
import { onFirstUse } from "../controls/on-first-use";
import { Effects } from "../effects/effects";
import { Inspector } from "../inspector/inspector";
import { MapPane } from "../map/map-pane";
import { type Size, watchSize } from "../page/size";
import type { Store } from "../store/store";
import { EdgeHandle } from "./edge-handle";
import { arrangementOf, FIRST_SHARE, heightOf, percentOf, shareAt, shareMoved } from "./pane-sizes";

const ComparisonBar = onFirstUse(() => import("../comparison/comparison-bar").then((bar) => bar.ComparisonBar));
const OtherMap = onFirstUse(() => import("../comparison/other-map").then((map) => map.OtherMap));
const OtherNode = onFirstUse(() => import("../comparison/other-node").then((node) => node.OtherNode));

type PaneName = "map" | "circuit" | "inspector";

interface Props {
  readonly store: Store;
  /** Called after each frame of the map. */
  readonly onFrame: () => void;
}

export function Panes({ store, onFrame }: Props) {
  const panes = useRef<HTMLDivElement>(null);
  const folded = useSignal<ReadonlySet<PaneName>>(new Set());
  // Until their size is known, that of panes in a notebook cell.
  const size = useSignal<Size>({ width: 900, height: 700 });
  /** The map's share of what it has together with the circuit; null as long as nobody moved their edge. */
  const share = useSignal<number | null>(null);
  /** The height of all panes; null as long as nobody moved the lower edge. */
  const height = useSignal<number | null>(null);
  useLayoutEffect(() => {
    if (panes.current === null) return undefined;
    return watchSize(panes.current, (measured) => {
      size.value = measured;
    });
  }, [size]);
  const comparing = store.comparison.value !== null;
  const otherNode = comparing ? onlyThere(store) : undefined;
  const measured = arrangementOf(size.value.width);
  const arrangement = comparing && measured === "wide" ? "stacked" : measured;
  // A name is edited in its pane, which must be open.
  useSignalEffect(() => {
    const id = store.renaming.value;
    if (id === null || folded.peek().size === 0) return;
    const holder = store.boxes.value.some((box) => box.id === id) ? "circuit" : "inspector";
    folded.value = new Set([...folded.peek()].filter((name) => name !== holder));
  });
  const empty = useComputed(() => store.boxes.value.length + store.ghosts.value.length === 0);

  const pane = (name: PaneName, children: ComponentChildren) => (
    <Pane
      name={name}
      folded={folded.value.has(name)}
      onFold={() => {
        const next = new Set(folded.value);
        if (!next.delete(name)) next.add(name);
        folded.value = next;
      }}
    >
      {children}
    </Pane>
  );

  const vertical = arrangement === "wide";
  /** The length of the map and of map and circuit together, along the line that their edge divides. */
  const lengths = () => {
    const [map, circuit] = ["map", "circuit"].map((name) => {
      const box = panes.current?.querySelector(`.pane-${name}`)?.getBoundingClientRect();
      return (vertical ? box?.width : box?.height) ?? 0;
    });
    return { map, both: map + circuit };
  };
  const shareNow = () => share.value ?? shareAt(lengths().map, lengths().both);
  const heightNow = () => panes.current?.getBoundingClientRect().height ?? 0;
  const divided = !empty.value && !folded.value.has("map") && !folded.value.has("circuit");
  const classes = ["panes", ...[...folded.value].map((name) => `without-${name}`)];
  if (empty.value) classes.push("no-circuit");
  if (comparing) classes.push("comparing");
  return (
    <div ref={panes} class={classes.join(" ")} style={styleOf(store.settings.value.height, share.value, height.value)}>
      {pane(
        "map",
        <MapPane
          store={store}
          onFrame={onFrame}
          above={comparing && <ComparisonBar store={store} />}
          beside={comparing && <OtherMap store={store} />}
        />,
      )}
      {pane(
        "circuit",
        <>
          <CircuitPane store={store} />
          {divided && arrangement !== "narrow" && (
            <EdgeHandle
              label="Edge between map and circuit"
              test="edge-map-circuit"
              place="between"
              orientation={vertical ? "vertical" : "horizontal"}
              percent={100 * (share.value ?? FIRST_SHARE[arrangement])}
              start={() => lengths().map}
              onDrag={(distance, from) => {
                share.value = shareAt(from + distance, lengths().both);
              }}
              onStep={(direction) => {
                share.value = shareMoved(shareNow(), 0.04 * direction);
              }}
              onReset={() => {
                share.value = null;
              }}
            />
          )}
        </>,
      )}
      {pane(
        "inspector",
        <div class="side">
          {otherNode === undefined ? (
            <Inspector store={store} />
          ) : (
            <OtherNode key={otherNode.node} there={otherNode.there} node={otherNode.node} />
          )}
          <Effects store={store} />
        </div>,
      )}
      {arrangement !== "narrow" && (
        <EdgeHandle
          label="Lower edge of the panes"
          test="edge-lower"
          place="lower"
          orientation="horizontal"
          percent={percentOf(size.value.height)}
          start={heightNow}
          onDrag={(distance, from) => {
            height.value = heightOf(from + distance);
          }}
          onStep={(direction) => {
            height.value = heightOf(heightNow() + 40 * direction);
          }}
          onReset={() => {
            height.value = null;
          }}
        />
      )}
    </div>
  );
}

/** The inspected node of the graph beside where nothing is selected here: it is not in both. */
function onlyThere(store: Store): { readonly there: Store; readonly node: number } | undefined {
  const there = store.there.value;
  if (there === null || store.selected.value.length > 0) return undefined;
  const id = there.inspected.value;
  const node = id === null ? undefined : there.snapshot.index.get(id);
  return node === undefined ? undefined : { there, node };
}

function styleOf(mapHeight: number, share: number | null, height: number | null): Record<string, string> {
  const style: Record<string, string> = { "--map-height": `${mapHeight}px` };
  if (share !== null) {
    style["--moved-map"] = `${share}fr`;
    style["--moved-circuit"] = `${1 - share}fr`;
  }
  if (height !== null) style["--moved-height"] = `${height}px`;
  return style;
}

interface PaneProps {
  readonly name: PaneName;
  readonly folded: boolean;
  readonly onFold: () => void;
  readonly children: ComponentChildren;
}

/** A pane with the button that folds it to a bar with its name, or opens it again. */
function Pane({ name, folded, onFold, children }: PaneProps) {
  return (
    <div class={`pane pane-${name}${folded ? " folded" : ""}`} data-test={`pane-${name}`}>
      <Button
        class="fold"
        aria-expanded={!folded}
        aria-label={folded ? `Open the ${name}` : `Fold the ${name}`}
        title={folded ? `Open the ${name}` : `Fold the ${name}`}
        data-test={`fold-${name}`}
        onClick={onFold}
      >
        <ChevronIcon />
        {folded && <span>{name}</span>}
      </Button>
      {!folded && children}
    </div>
  );
}
