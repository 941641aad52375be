import { pin, unpin } from "../core/circuit";
import { KIND, type Snapshot } from "../core/types";
import { decimal, percent, probability, tokenAt } from "../core/words";
import type { Store } from "../store";
import { ContributionList } from "./contribution-list";
import { inputsOf, outputsOf } from "./contributions";
import { FeatureCard } from "./feature-card";
import { nameable, Title } from "./inspector";

/** A feature, error, token or logit: what it is, what feeds it and what it feeds. */
export function NodeInspector({ store, node }: { store: Store; node: number }) {
  const { snapshot } = store;
  const id = snapshot.ids[node];
  const kind = snapshot.kind[node];
  const name = store.nameOf(id);
  const mono = kind === KIND.token || kind === KIND.logit;
  return (
    <>
      <Title store={store} id={id} name={name} editable={nameable(kind)} mono={mono} />
      <p class="facts" data-test="inspector-facts">
        {factsOf(snapshot, node).join(" · ")}
      </p>
      <Membership store={store} node={node} />
      <EffectOnNode store={store} node={node} />
      {kind === KIND.feature && <FeatureCard store={store} node={id} />}
      {kind === KIND.error && (
        <p class="explanation">
          What the transcoder did not reconstruct of this MLP's output. It acts on what follows, but it is not
          explained.
        </p>
      )}
      {kind !== KIND.token && kind !== KIND.error && (
        <ContributionList
          store={store}
          title="inputs"
          test="input-row"
          contributions={inputsOf(snapshot, node)}
          none="none of its inputs is strong enough to be shown"
        />
      )}
      {kind !== KIND.logit && (
        <ContributionList
          store={store}
          title="outputs"
          test="output-row"
          contributions={outputsOf(snapshot, node)}
          none="it feeds nothing that is shown"
        />
      )}
    </>
  );
}

/** What a node is, as short phrases. */
export function factsOf(snapshot: Snapshot, node: number): readonly string[] {
  const at = `at “${tokenAt(snapshot, snapshot.nodePosition[node])}”`;
  const influence = `influence ${percent(snapshot.influence[node])}`;
  switch (snapshot.kind[node]) {
    case KIND.feature:
      return [
        `feature ${snapshot.feature[node]}`,
        `layer ${snapshot.layer[node]}`,
        at,
        `activation ${decimal(snapshot.activation[node])}`,
        influence,
      ];
    case KIND.error:
      return ["error", `layer ${snapshot.layer[node]}`, at, influence];
    case KIND.token: {
      const position = snapshot.nodePosition[node];
      return ["token", `position ${position}`, `id ${snapshot.tokens[position]?.token_id}`, influence];
    }
    default: {
      const target = snapshot.targets.find((other) => other.node === node);
      if (target === undefined) return ["logit"];
      return ["logit", `probability ${probability(target.probability)}`, `logit ${decimal(target.logit)}`];
    }
  }
}

/** Whether the node is in the circuit, and the button that changes it. */
function Membership({ store, node }: { store: Store; node: number }) {
  const id = store.snapshot.ids[node];
  const group = store.groupOf.value.get(id);
  if (group !== undefined) {
    return (
      <p class="membership">
        in{" "}
        <button
          type="button"
          class="chip"
          style={{ "--hue": `var(--group-${group.color ?? 0})` }}
          onClick={() => store.actions.select([group.id], "replace")}
        >
          {group.name}
        </button>
      </p>
    );
  }
  const pinned = store.circuit.value.pinned.includes(id);
  return (
    <p class="membership">
      <button
        type="button"
        class="chip"
        data-test="inspector-pin"
        aria-pressed={pinned}
        onClick={() =>
          pinned
            ? store.actions.edit((circuit) => unpin(circuit, [id]), "unpin")
            : store.actions.edit((circuit) => pin(circuit, [id]), "pin")
        }
      >
        {pinned ? "unpin" : "pin to the circuit"}
      </button>
    </p>
  );
}

/** What the shown effect did to this node's activation or probability. */
function EffectOnNode({ store, node }: { store: Store; node: number }) {
  const effect = store.effect.value;
  if (effect === null) return null;
  const { snapshot } = store;
  const target = snapshot.targets.find((other) => other.node === node);
  if (target !== undefined) {
    const token = effect.tokens.find((other) => other.token_id === target.token_id);
    const predicted = effect.targets.find((other) => other.token_id === target.token_id)?.predicted_logit;
    if (token === undefined) return null;
    return (
      <p class="effect-on-node">
        {effect.name}: logit {decimal(token.logit_before)} → <strong>{decimal(token.logit_after)}</strong>
        {predicted !== undefined && <> · predicted {decimal(predicted)}</>}
      </p>
    );
  }
  const at = effect.nodes.ids.indexOf(snapshot.ids[node]);
  if (at < 0) return null;
  return (
    <p class="effect-on-node">
      {effect.name}: activation {decimal(effect.nodes.before[at])} → <strong>{decimal(effect.nodes.after[at])}</strong>{" "}
      · predicted {decimal(effect.nodes.predicted[at])}
    </p>
  );
}
