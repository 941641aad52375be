/** What a node is that only the graph beside has: selecting it selects nothing here. */

import { Contributions } from "../inspector/contribution-list";
import { inputsOf, outputsOf } from "../inspector/contributions";
import { factsOf } from "../inspector/node-inspector";
import type { Store } from "../store/store";

export function OtherNode({ there, node }: { there: Store; node: number }) {
  const { snapshot } = there;
  const id = snapshot.ids[node];
  const name = there.nameOf(id);
  return (
    <aside class="inspector" aria-label="Inspector" data-test="inspector">
      <div class="heading">
        <h2 class="title">{name}</h2>
      </div>
      <p class="facts" data-test="inspector-facts">
        {["only there", ...factsOf(snapshot, node, null)].join(" · ")}
      </p>
      <Contributions
        store={there}
        end={{ name, nodes: [id] }}
        compared={there.comparison.value}
        inputs={inputsOf(snapshot, node)}
        outputs={outputsOf(snapshot, node)}
      />
    </aside>
  );
}
