import { useComputed } from "@preact/signals";
import { remove } from "../core/circuit";
import { type Box, KIND, type Kind, type NodeId } from "../core/types";
import { count, decimal, percent, placeOf } from "../core/words";
import type { Store } from "../store";
import { ContributionList } from "./contribution-list";
import { contributionsOf } from "./contributions";
import { Glyph } from "./glyph";
import { Title } from "./inspector";

/** A supernode: its members, what feeds them from outside and what they feed together. */
export function SupernodeInspector({ store, box }: { store: Store; box: Box }) {
  const { snapshot } = store;
  const contributions = useComputed(() => contributionsOf(snapshot, store.boxes.value, box.id));
  const { inputs, outputs } = contributions.value;
  return (
    <>
      <div class="heading">
        <Title store={store} id={box.id} name={box.name ?? ""} editable={true} />
      </div>
      <p class="facts" data-test="inspector-facts">
        {factsOfGroup(store, box).join(" · ")}
      </p>
      <section class="members">
        <h3>members</h3>
        <ul>
          {box.nodes.map((id) => (
            <Member key={id} store={store} box={box} id={id} />
          ))}
        </ul>
      </section>
      <ContributionList
        store={store}
        title="inputs"
        test="input-row"
        contributions={inputs}
        none="none of its inputs is strong enough to be shown"
      />
      <ContributionList
        store={store}
        title="outputs"
        test="output-row"
        contributions={outputs}
        none="it feeds nothing that is shown"
      />
    </>
  );
}

/** What a supernode is, as short phrases: how many, which layers, how much. */
export function factsOfGroup(store: Store, box: Box): readonly string[] {
  const { snapshot } = store;
  const members = box.nodes.map((id) => snapshot.index.get(id)).filter((node) => node !== undefined);
  const features = members.filter((node) => snapshot.kind[node] === KIND.feature);
  const layers = members.filter((node) => snapshot.layer[node] >= 0).map((node) => snapshot.layer[node]);
  const facts = [
    "supernode",
    features.length === members.length ? count(features.length, "feature") : count(members.length, "node"),
  ];
  if (layers.length > 0) {
    const [low, high] = [Math.min(...layers), Math.max(...layers)];
    facts.push(low === high ? `layer ${low}` : `layers ${low}–${high}`);
  }
  if (features.length > 0) {
    facts.push(`summed activation ${decimal(features.reduce((sum, node) => sum + snapshot.activation[node], 0))}`);
  }
  facts.push(`influence ${percent(members.reduce((sum, node) => sum + snapshot.influence[node], 0))}`);
  return facts;
}

function Member({ store, box, id }: { store: Store; box: Box; id: NodeId }) {
  const { snapshot } = store;
  const node = snapshot.index.get(id);
  const name = store.nameOf(id);
  return (
    <li class="member">
      <button
        type="button"
        class="member-name"
        data-test="member-row"
        data-node={id}
        onClick={() => {
          // The row is gone before the pointer can leave it.
          store.actions.hover(null);
          store.actions.select([id], "replace");
        }}
        onPointerEnter={() => store.actions.hover(id)}
        onPointerLeave={() => store.actions.hover(null)}
      >
        {node !== undefined && <Glyph kind={snapshot.kind[node] as Kind} color={box.color} />}
        <span class="name">{name}</span>
        <span class="place">{node === undefined ? "not in this graph" : placeOf(snapshot, node)}</span>
        <span class="share">{node === undefined ? "" : percent(snapshot.influence[node])}</span>
      </button>
      <button
        type="button"
        class="quiet"
        aria-label={`Take ${name} out of ${box.name}`}
        title="take out"
        onClick={() => store.actions.edit((circuit) => remove(circuit, [id]), `take ${name} out`)}
      >
        ×
      </button>
    </li>
  );
}
