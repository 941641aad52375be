import { Button } from "../controls/button";
import { accept, propose } from "../store/proposals";
import type { Store } from "../store/store";

/** The button that has a circuit proposed; as long as there are proposals, what can be done with all of them. */
export function Proposing({ store }: { store: Store }) {
  const ghosts = store.ghosts.value;
  if (store.capabilities.value.recorded) return null;
  if (ghosts.length === 0) {
    return (
      <Button class="link-button" title="propose a circuit (c)" data-test="propose" onClick={() => void propose(store)}>
        propose a circuit
      </Button>
    );
  }
  return (
    <>
      <span>{ghosts.length} proposed · click one</span>
      <Button class="link-button" data-test="accept-all" onClick={() => accept(store, ghosts, "all proposals")}>
        accept all
      </Button>
      <Button
        class="link-button"
        data-test="dismiss-proposals"
        onClick={() => {
          store.proposals.value = [];
        }}
      >
        dismiss
      </Button>
    </>
  );
}
