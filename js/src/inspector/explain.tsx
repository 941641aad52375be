import { Button } from "../controls/button";
import { KIND } from "../core/constants";
import type { RetraceBody } from "../messages/types";
import type { Store } from "../store/store";
import { tokenText } from "../wording/words";

/** What can be explained in place of the graph's targets: an output, its contrast with another, a token of the prompt. */
export function Explain({ store, node }: { store: Store; node: number }) {
  if (store.capabilities.value.recorded) return null;
  return (
    <p class="explain">
      {choicesAt(store, node).map(([words, body]) => (
        <Button key={words} class="button" data-test="explain" onClick={() => void store.kernel.retrace(body)}>
          {words}
        </Button>
      ))}
    </p>
  );
}

function choicesAt({ snapshot, selected }: Store, node: number): readonly (readonly [string, RetraceBody])[] {
  const { targets, ids } = snapshot;
  // Before the second token there is nothing that could explain one.
  const token_position = snapshot.nodePosition[node];
  if (snapshot.kind[node] === KIND.token && token_position > 1) return [["Explain this token", { token_position }]];
  const here = targets.find((target) => target.node === node);
  if (here === undefined || targets.length < 2) return [];
  const { token_id: token } = here;
  const name = `Explain ${tokenText(here.token)}`;
  return targets
    .filter((other) => selected.value.includes(ids[other.node]))
    .map((other) =>
      other === here ? [name, { token }] : [`${name} − ${tokenText(other.token)}`, { token, other: other.token_id }],
    );
}
