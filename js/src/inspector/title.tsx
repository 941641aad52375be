import { useSignal } from "@preact/signals";
import { Button } from "../controls/button";
import { NameField } from "../controls/name-field";
import { KIND } from "../core/constants";
import type { Box } from "../core/types";
import type { NodeId } from "../messages/types";
import { giveName } from "../store/commands";
import type { Store } from "../store/store";

interface TitleProps {
  readonly store: Store;
  /** The node or the supernode that the title names. */
  readonly id: NodeId | Box["id"];
  readonly name: string;
  /** Tokens and logits are what they are; everything else can be named. */
  readonly editable: boolean;
  readonly mono?: boolean;
}

/** The name of what is inspected, and a pencil to change it. */
export function Title({ store, id, name, editable, mono = false }: TitleProps) {
  const editing = useSignal(false);
  // A box is renamed in the circuit; what has no box there is renamed here.
  const requested = store.renaming.value === id && !store.boxes.value.some((box) => box.id === id);
  const isNode = store.snapshot.index.has(id);

  function close(): void {
    editing.value = false;
    if (requested) store.renaming.value = null;
  }

  if (editable && (editing.value || requested)) {
    return (
      <h2 class="title">
        <NameField
          name={name}
          label={isNode ? "Label" : "Name of the supernode"}
          onName={(given) => giveName(store, id, given)}
          onClose={close}
        />
      </h2>
    );
  }
  return (
    <h2 class={mono ? "title mono" : "title"} data-test="inspector-title">
      <span>{name}</span>
      {editable && (
        <Button
          class="link-button"
          data-test="inspector-rename"
          aria-label={isNode ? `Change the label of ${name}` : `Rename ${name}`}
          title={isNode ? "change the label" : "rename"}
          onClick={() => {
            editing.value = true;
          }}
        >
          ✎
        </Button>
      )}
    </h2>
  );
}

/** Whether a node's name is the user's to give. */
export function nameable(kind: number): boolean {
  return kind === KIND.feature || kind === KIND.error;
}
