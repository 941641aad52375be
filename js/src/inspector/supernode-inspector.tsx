import { useComputed } from "@preact/signals";
import { Button } from "../controls/button";
import { MemberRow } from "../controls/node-row";
import { recolor } from "../core/circuit";
import { COLORS, KIND } from "../core/constants";
import type { Box, Snapshot } from "../core/types";
import type { NodeId } from "../messages/types";
import type { Store } from "../store/store";
import { count, decimal, kindWord, layersBetween, percent } from "../wording/words";
import { Contributions } from "./contribution-list";
import { contributionsOf } from "./contributions";
import { INFLUENCE } from "./node-inspector";
import { Title } from "./title";

/** A supernode: its members, what feeds them from outside and what they feed together. */
export function SupernodeInspector({ store, box }: { store: Store; box: Box }) {
  const { snapshot } = store;
  const contributions = useComputed(() => contributionsOf(snapshot, store.boxes.value, box.id, store.boxEdges.value));
  return (
    <>
      <div class="heading">
        <Title store={store} id={box.id} name={box.name ?? ""} editable={true} />
      </div>
      <Hues store={store} box={box} />
      <p class="facts" data-test="inspector-facts" title={INFLUENCE}>
        {factsOfGroup(store, box).join(" · ")}
      </p>
      <section>
        <h3>
          members
          <small class="muted" title={INFLUENCE}>
            influence
          </small>
        </h3>
        <ul>
          {box.nodes.map((id) => (
            <MemberRow key={id} store={store} box={box} id={id} test="member-row">
              <span class="number">{influenceOf(store.snapshot, id)}</span>
            </MemberRow>
          ))}
        </ul>
      </section>
      <Contributions store={store} end={{ name: box.name ?? "", nodes: box.nodes }} {...contributions.value} />
    </>
  );
}

/** The hues that a supernode may have; the pressed one is its own. */
function Hues({ store, box }: { store: Store; box: Box }) {
  return (
    <fieldset class="hues" aria-label={`Color of ${box.name}`}>
      {Array.from({ length: COLORS }, (_, color) => (
        <Button
          key={`hue-${color}`}
          class="hue"
          style={{ "--hue": `var(--supernode-${color})` }}
          aria-label={`Color ${color + 1}`}
          aria-pressed={box.color === color}
          data-test={`hue-${color}`}
          onClick={() => store.actions.edit((circuit) => recolor(circuit, box.id, color), "recolor")}
        />
      ))}
    </fieldset>
  );
}

function influenceOf(snapshot: Snapshot, id: NodeId): string {
  const node = snapshot.index.get(id);
  return node === undefined ? "" : percent(snapshot.influence[node]);
}

/** What a supernode is, as short phrases: how many, which layers, how much. */
export function factsOfGroup(store: Store, box: Box): readonly string[] {
  const { snapshot } = store;
  const members = box.nodes.map((id) => snapshot.index.get(id)).filter((node) => node !== undefined);
  const features = members.filter((node) => snapshot.kind[node] === KIND.feature);
  const layers = members.filter((node) => snapshot.layer[node] >= 0).map((node) => snapshot.layer[node]);
  const facts = [
    "supernode",
    features.length === members.length
      ? count(features.length, kindWord(snapshot, "feature"))
      : count(members.length, "node"),
  ];
  if (layers.length > 0) {
    const [low, high] = [Math.min(...layers), Math.max(...layers)];
    facts.push(layersBetween(snapshot, low, high));
  }
  if (features.length > 0) {
    const activations = features.map((node) => snapshot.activation[node]);
    const what = activations.some((activation) => activation < 0) ? "summed size of activations" : "summed activation";
    facts.push(`${what} ${decimal(activations.reduce((sum, activation) => sum + Math.abs(activation), 0))}`);
  }
  facts.push(`influence ${percent(members.reduce((sum, node) => sum + snapshot.influence[node], 0))}`);
  return facts;
}
