import { useSignal } from "@preact/signals";
import { Button } from "../controls/button";
import { NodeRow } from "../controls/node-row";
import { type Compared, shareThere } from "../core/compared";
import { type End, findPaths } from "../store/paths";
import type { Store } from "../store/store";
import { signedPercent } from "../wording/words";
import type { Contribution } from "./contributions";
import { More } from "./more";

/** What the percentages are of. */
const SHARES = {
  inputs: "The signed share of the sum of the sizes of all edges into it",
  outputs: "The signed share of the sum of the sizes of all edges into each",
} as const;

const SHORT = 5;
const LONG = 40;

interface Props {
  readonly store: Store;
  /** The node or supernode. */
  readonly end: End;
  /** Null where there can be none, as into a token. */
  readonly inputs: readonly Contribution[] | null;
  readonly outputs: readonly Contribution[] | null;
  /** The comparison of the graph with another one, for the weights of a single node's edges there. */
  readonly compared?: Compared | null;
}

/** What feeds a node or supernode, and what it feeds. */
export function Contributions({ store, end, inputs, outputs, compared = null }: Props) {
  return (
    <>
      {inputs && (
        <List
          store={store}
          end={end}
          compared={compared}
          title="inputs"
          test="input-row"
          contributions={inputs}
          follow={["what feeds this", () => findPaths(store, null, end)]}
          none="none of its inputs is strong enough to be visible"
        />
      )}
      {outputs && (
        <List
          store={store}
          end={end}
          compared={compared}
          title="outputs"
          test="output-row"
          contributions={outputs}
          follow={["what this feeds", () => findPaths(store, end, null)]}
          none="it feeds no visible node"
        />
      )}
    </>
  );
}

interface ListProps {
  readonly store: Store;
  readonly end: End;
  readonly compared: Compared | null;
  readonly title: keyof typeof SHARES;
  readonly test: "input-row" | "output-row";
  readonly contributions: readonly Contribution[];
  /** A question about paths, and how it is answered. */
  readonly follow: readonly [question: string, answer: () => Promise<void>];
  readonly none: string;
}

/** Signed shares as bars, strongest first; a row selects its node. */
function List({ store, end, compared, title, test, contributions, follow, none }: ListProps) {
  const whole = useSignal(false);
  const listed = contributions.slice(0, whole.value ? LONG : SHORT);
  const widest = Math.abs(contributions[0]?.share ?? 0);
  const node = end.nodes[0];
  const beside = (other: string) => {
    if (compared === null) return null;
    return title === "inputs" ? shareThere(compared, other, node) : shareThere(compared, node, other);
  };
  const all = contributions.length > LONG ? `${LONG} of ${contributions.length}` : `all ${contributions.length}`;
  return (
    <section>
      <h3>
        {title}
        <small class="muted" title={SHARES[title]}>
          {title === "inputs" ? "% of its input" : "% of their input"}
        </small>
        {compared !== null && <span class="muted">{compared.side === "here" ? " here | there" : " there | here"}</span>}
        {!store.capabilities.value.recorded && (
          <Button
            class="link-button"
            title="Draws the strongest paths of two edges, found in the whole graph"
            data-test={`paths-${title}`}
            onClick={() => void follow[1]()}
          >
            {follow[0]}
          </Button>
        )}
        {contributions.length > SHORT && <More whole={whole} all={all} title={title} />}
      </h3>
      {contributions.length === 0 && <p class="none">{none}</p>}
      <ul>
        {listed.map(({ id, share }) => {
          const sign = share < 0 ? "inhibits" : "excites";
          const size = Math.abs(share);
          return (
            <li key={id}>
              <NodeRow store={store} id={id} test={test} class={`contribution ${sign}`} share={share}>
                <span class="bar" style={{ width: `${widest > 0 ? (100 * size) / widest : 0}%` }} />
                <span class="number">{signedPercent(share)}</span>
                {compared !== null && <Beside share={beside(id)} side={compared.side} />}
              </NodeRow>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** The share of the same edge in the other graph; a dash where the page does not have it there. */
function Beside({ share, side }: { share: number | null; side: Compared["side"] }) {
  const other = side === "here" ? "there" : "here";
  const words = share === null ? `${other} no such edge, or a weak one` : `${other} ${signedPercent(share)}`;
  return (
    <span class="number beside muted" title={words} data-test="share-beside">
      {share === null ? "–" : signedPercent(share)}
    </span>
  );
}
