import { Button } from "../controls/button";
import { counterpartOf, whereIs } from "../core/compared";
import { KIND } from "../core/constants";
import { promptsOf } from "../core/in-prompts";
import type { Snapshot } from "../core/types";
import type { EffectMessage } from "../messages/types";
import { togglePins } from "../store/commands";
import type { Store } from "../store/store";
import { decimal, identityOf, logit, percent, probability, withoutText } from "../wording/words";
import { Contributions } from "./contribution-list";
import { inputsOf, outputsOf } from "./contributions";
import { Explain } from "./explain";
import { FeatureCard } from "./feature-card";
import { HideButton } from "./hide-button";
import { nameable, Title } from "./title";

/** What an error is, by the basis of the graph. */
const UNEXPLAINED = {
  features: "What the transcoder did not reconstruct of this MLP's output.",
  neurons: "What those neurons of this MLP write that are no nodes of the graph.",
} as const;

/** What the part of a layer is that no feature of it stands for, where layers are parts of the model's. */
const UNEXPLAINED_PART = "What no feature of this part of the layer stands for: a reconstruction error, or a bias.";

function unexplained(snapshot: Snapshot): string {
  return snapshot.layerNames.length > 0 ? UNEXPLAINED_PART : UNEXPLAINED[snapshot.basis];
}

export const INFLUENCE =
  "influence: the share of what reaches the explained outputs that passes through it, along all paths";

/** A feature, error, token or logit: what it is, what feeds it and what it feeds. */
export function NodeInspector({ store, node }: { store: Store; node: number }) {
  const { snapshot } = store;
  const id = snapshot.ids[node];
  const kind = snapshot.kind[node];
  const name = store.nameOf(id);
  const mono = kind === KIND.token || kind === KIND.logit;
  return (
    <>
      <div class="heading">
        <Title store={store} id={id} name={name} editable={nameable(kind)} mono={mono} />
        <Membership store={store} node={node} />
      </div>
      <p class="facts" data-test="inspector-facts" title={INFLUENCE}>
        {[
          ...factsOf(snapshot, node, store.effect.value),
          ...promptFacts(store, node),
          ...comparedFacts(store, node),
        ].join(" · ")}
      </p>
      <Explain store={store} node={node} />
      {kind === KIND.feature && <FeatureCard store={store} id={id} />}
      {kind === KIND.error && (
        <p class="explanation">{unexplained(snapshot)} It acts on what follows, but it is not explained.</p>
      )}
      {kind === KIND.token && <WithoutText snapshot={snapshot} node={node} />}
      <Contributions
        store={store}
        end={{ name, nodes: [id] }}
        compared={store.comparison.value}
        inputs={kind === KIND.token || kind === KIND.error ? null : inputsOf(snapshot, node)}
        outputs={kind === KIND.logit ? null : outputsOf(snapshot, node)}
      />
    </>
  );
}

function WithoutText({ snapshot, node }: { snapshot: Snapshot; node: number }) {
  const token = snapshot.tokens[snapshot.nodePosition[node]];
  const why = token === undefined ? null : withoutText(token);
  return why === null ? null : <p class="explanation">{why}</p>;
}

/** What a node is, as short phrases; with an effect, what became of its activation or probability. */
export function factsOf(snapshot: Snapshot, node: number, effect: EffectMessage | null): readonly string[] {
  return [
    ...identityOf(snapshot, node),
    ...measuresOf(snapshot, node, effect),
    ...(snapshot.kind[node] === KIND.logit ? [] : [`influence ${percent(snapshot.influence[node])}`]),
    ...stabilityOf(snapshot, node),
  ];
}

/** In the graphs of how many prompts that mean the same a feature or an error is. */
function promptFacts({ prompts, snapshot }: Store, node: number): readonly string[] {
  const found = prompts.value;
  const count = found === null ? null : promptsOf(found, snapshot, node);
  return found === null || count === null ? [] : [`kept for ${count} of ${found.prompts.length} prompts`];
}

/** Where a node is of two compared graphs, and its numbers in the other one. */
function comparedFacts({ comparison, snapshot }: Store, node: number): readonly string[] {
  const compared = comparison.value;
  if (compared === null) return [];
  const where = whereIs(compared, snapshot.ids[node]);
  if (where !== "both") return [where];
  const there = counterpartOf(compared, snapshot.ids[node]);
  if (there === null) return ["in both"];
  const { kind, influence, activation, targets } = compared.other;
  const target = targets.find((other) => other.node === there);
  if (target !== undefined) return [`in both, there probability ${probability(target.probability)}`];
  const active = kind[there] === KIND.feature ? ` and activation ${decimal(activation[there])}` : "";
  return [`in both, there influence ${percent(influence[there])}${active}`];
}

/** In how many prunings a feature or an error stays, where that is known; tokens and outputs always do. */
function stabilityOf({ kind, stability, prunings }: Snapshot, node: number): readonly string[] {
  if (prunings === 0 || (kind[node] !== KIND.feature && kind[node] !== KIND.error)) return [];
  return [`stays in ${Math.round(stability[node] * prunings)} of ${prunings} prunings`];
}

function measuresOf(snapshot: Snapshot, node: number, effect: EffectMessage | null): readonly string[] {
  switch (snapshot.kind[node]) {
    case KIND.feature:
      return [`activation ${activationOf(snapshot, node, effect)}`];
    case KIND.token:
      return [`id ${snapshot.tokens[snapshot.nodePosition[node]]?.token_id}`];
    case KIND.logit:
      return logitFacts(snapshot, node, effect);
    default:
      return [];
  }
}

function activationOf(snapshot: Snapshot, node: number, effect: EffectMessage | null): string {
  const row = effect === null ? -1 : effect.nodes.ids.indexOf(snapshot.ids[node]);
  if (effect === null || row < 0) return decimal(snapshot.activation[node]);
  const { before, after, predicted } = effect.nodes;
  return `${decimal(before[row])} → ${decimal(after[row])} (predicted ${decimal(predicted[row])})`;
}

function logitFacts(snapshot: Snapshot, node: number, effect: EffectMessage | null): readonly string[] {
  const target = snapshot.targets.find((other) => other.node === node);
  if (target === undefined) return [];
  const after = effect?.tokens.find((other) => other.token_id === target.token_id);
  const predicted = effect?.targets.find((other) => other.token_id === target.token_id);
  if (after === undefined) {
    const known = target.logit === null ? [] : [`logit ${logit(target.logit)}`];
    return [`probability ${probability(target.probability)}`, ...known];
  }
  const guess = predicted === undefined ? "" : ` (predicted ${logit(predicted.predicted_logit)})`;
  return [
    `probability ${probability(after.before)} → ${probability(after.after)}`,
    `logit ${logit(after.logit_before)} → ${logit(after.logit_after)}${guess}`,
  ];
}

/** Whether the node is in the circuit, and the button that changes it. */
function Membership({ store, node }: { store: Store; node: number }) {
  const id = store.snapshot.ids[node];
  const supernode = store.supernodeOf.value.get(id);
  if (supernode !== undefined) {
    return (
      <Button
        class="chip membership grouped"
        style={{ "--hue": `var(--supernode-${supernode.color ?? 0})` }}
        data-test="inspector-group"
        title={`in ${supernode.name}`}
        onClick={() => store.actions.select([supernode.id], "replace")}
      >
        {supernode.name}
      </Button>
    );
  }
  const pinned = store.circuit.value.pinned.includes(id);
  return (
    <>
      <Button
        class="chip membership"
        data-test="inspector-pin"
        aria-pressed={pinned}
        title={pinned ? "take it out of the circuit" : "keep it in the circuit"}
        onClick={() => togglePins(store, [id])}
      >
        {pinned ? "pinned" : "pin"}
      </Button>
      <HideButton store={store} nodes={[id]} class="chip membership" test="inspector-hide" />
    </>
  );
}
