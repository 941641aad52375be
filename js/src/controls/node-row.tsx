import type { ComponentChildren } from "preact";
import { remove } from "../core/circuit";
import { KIND } from "../core/constants";
import type { Box, NodeKind } from "../core/types";
import type { NodeId } from "../messages/types";
import type { Store } from "../store/store";
import { count, kindWord, placeOf } from "../wording/words";
import { Button } from "./button";
import { Glyph } from "./glyph";

interface Props {
  readonly store: Store;
  /** A node, or a supernode. */
  readonly id: NodeId | Box["id"];
  readonly test: string;
  readonly class?: string;
  readonly share?: number;
  readonly title?: string;
  readonly onPointerDown?: (event: PointerEvent) => void;
  readonly children?: ComponentChildren;
}

/** A node or supernode as one line: it lights up on the map under the pointer, and a click goes there. */
export function NodeRow({
  store,
  id,
  test,
  class: look = "",
  share,

  title,
  onPointerDown,
  children,
}: Props) {
  const { snapshot, actions } = store;
  const node = snapshot.index.get(id);
  const box = store.boxes.value.find((other) => other.id === id && other.name !== null);
  const name = box?.name ?? store.nameOf(id);
  const place = box === undefined ? placeOfNode(store, id) : count(box.nodes.length, "node");
  const kind = node === undefined ? KIND.feature : (snapshot.kind[node] as NodeKind);
  const detail =
    node !== undefined && kind === KIND.feature ? ` · ${kindWord(snapshot, "feature")} ${snapshot.feature[node]}` : "";
  const light = () => actions.hover(node === undefined ? null : id);
  const dark = () => actions.hover(null);
  return (
    <Button
      class={`row ${look}`}
      data-test={test}
      data-node={id}
      data-share={share?.toFixed(4)}
      data-hovered={store.hovered.value === id}
      title={title ?? name + detail}
      onPointerDown={onPointerDown}
      onPointerEnter={light}
      onPointerLeave={dark}
      onFocus={light}
      onBlur={dark}
      onClick={() => {
        // The row may go before the pointer can leave it.
        dark();
        actions.select([id], "replace");
      }}
    >
      <Glyph kind={kind} color={box?.color ?? store.supernodeOf.value.get(id)?.color ?? null} />
      <span class="clip">{name}</span>
      <span class="place clip">{place}</span>
      {children}
    </Button>
  );
}

function placeOfNode({ snapshot }: Store, id: NodeId): string {
  const node = snapshot.index.get(id);
  return node === undefined ? "not in this graph" : placeOf(snapshot, node);
}

interface MemberProps {
  readonly store: Store;
  readonly box: Box;
  readonly id: NodeId;
  readonly test: string;
  readonly title?: string;
  readonly onPointerDown?: (event: PointerEvent) => void;
  readonly children?: ComponentChildren;
}

/** A member of a supernode, with the button that takes it out. */
export function MemberRow({ store, box, id, ...row }: MemberProps) {
  const name = store.nameOf(id);
  return (
    <li class="member">
      <NodeRow store={store} id={id} {...row} />
      <Button
        class="link-button"
        data-test="member-remove"
        aria-label={`Take ${name} out of ${box.name}`}
        title="take out"
        onClick={() => store.actions.edit((circuit) => remove(circuit, [id]), `take ${name} out`)}
      >
        ×
      </Button>
    </li>
  );
}
