import { useLayoutEffect, useRef } from "preact/hooks";
import { Button } from "../controls/button";
import { LONGEST_NAME } from "../core/constants";
import type { Ghost } from "../core/ghosts";
import type { Size } from "../page/size";
import { accept, refuse } from "../store/proposals";
import type { Store } from "../store/store";
import { lengthOf } from "../text/characters";
import { beside } from "./box-menu";
import type { Placed } from "./scene";

interface Props {
  readonly store: Store;
  readonly ghost: Ghost;
  readonly placed: Placed;
  readonly size: Size;
  readonly onClose: () => void;
}

/** Why a box is proposed, how alike its features are, and what the user makes of it; a group is accepted under the name in the field. */
export function GhostMenu({ store, ghost, placed, size, onClose }: Props) {
  const field = useRef<HTMLInputElement>(null);
  const actions = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    actions.current?.querySelector<HTMLElement>("button:last-child")?.focus({ preventScroll: true });
  }, []);
  const take = () => {
    const name = field.current?.value ?? placed.name;
    const length = lengthOf(name.trim());
    if (length > LONGEST_NAME) {
      field.current?.setCustomValidity(`A name has at most ${LONGEST_NAME} characters; this one has ${length}.`);
      field.current?.reportValidity();
      return;
    }
    accept(store, [{ ...ghost, name: ghost.name && name }], name);
    onClose();
  };
  return (
    <div class="box-menu" style={beside(placed, size, 190)}>
      <section
        class="popover box-popover proposal"
        aria-label={`Proposal: ${placed.name}`}
        data-test="proposal"
        onKeyDown={(event) => {
          if (event.key === "Enter" && event.target === field.current) take();
          else if (event.key !== "Escape") return;
          else onClose();
          event.stopPropagation();
        }}
      >
        {ghost.name !== null && (
          <input
            ref={field}
            class="name-field"
            aria-label="Name of the group"
            data-test="proposal-name"
            onInput={({ currentTarget }) => currentTarget.setCustomValidity("")}
            spellcheck={false}
            defaultValue={ghost.name}
          />
        )}
        <p data-test="reason">{ghost.reason}</p>
        <p data-test="evidence">{ghost.evidence}</p>
        <div ref={actions} class="popover-actions">
          <span />
          <Button
            class="button"
            data-test="refuse"
            onClick={() => {
              refuse(store, ghost);
              onClose();
            }}
          >
            refuse
          </Button>
          <Button class="button" data-test="accept" onClick={take}>
            accept
          </Button>
        </div>
      </section>
    </div>
  );
}
