/** The row above the panes: the prompt and its answer, the scores, and the tools. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Button } from "../controls/button";
import { RedoIcon, UndoIcon } from "../controls/icons";
import { KIND } from "../core/constants";
import type { Snapshot } from "../core/types";
import type { NodeId } from "../messages/types";
import { watchSize } from "../page/size";
import type { Store } from "../store/store";
import { FADED_BELOW } from "../wording/constants";
import { percent, probability, tokenText, withoutText } from "../wording/words";
import { FullscreenButton } from "./fullscreen-button";
import { ExportButton, HelpButton, RetraceButton, SearchButton } from "./popovers";

const REPLACEMENT =
  "Replacement score: of the influence that reaches the inputs, the share that comes from tokens rather than errors";
const COMPLETENESS =
  "Completeness: the share of the nodes' input that comes from features and tokens rather than errors";

export function Header({ store }: { store: Store }) {
  const { scores } = store.snapshot;
  const { actions, undoName, redoName } = store;
  return (
    <header class="header">
      <Prompt store={store} />
      <div class="scores">
        <span title={REPLACEMENT}>
          replacement <b>{percent(scores.replacement)}</b>
        </span>
        <span title={COMPLETENESS}>
          completeness <b>{percent(scores.completeness)}</b>
        </span>
      </div>
      <div class="tools">
        <Step name="Undo" what={undoName.value} icon={<UndoIcon />} onClick={actions.undo} />
        <Step name="Redo" what={redoName.value} icon={<RedoIcon />} onClick={actions.redo} />
        <SearchButton store={store} />
        <ExportButton store={store} />
        <FullscreenButton store={store} />
        <HelpButton store={store} />
      </div>
    </header>
  );
}

interface StepProps {
  readonly name: "Undo" | "Redo";
  /** The edit it would take back or bring back; null for none. */
  readonly what: string | null;
  readonly icon: ComponentChildren;
  readonly onClick: () => void;
}

function Step({ name, what, icon, onClick }: StepProps) {
  return (
    <Button
      class="button icon"
      aria-label={name}
      title={what === null ? `Nothing to ${name.toLowerCase()}` : `${name} ${what}`}
      data-test={name.toLowerCase()}
      disabled={what === null}
      onClick={onClick}
    >
      {icon}
    </Button>
  );
}

/** The prompt token by token, ending in what the model answers. */
function Prompt({ store }: { store: Store }) {
  const { snapshot } = store;
  const line = useRef<HTMLDivElement>(null);
  const tokenNodes = new Map<number, NodeId>();
  for (const [node, id] of snapshot.ids.entries()) {
    if (snapshot.kind[node] === KIND.token) tokenNodes.set(snapshot.nodePosition[node], id);
  }
  // The first token only marks the beginning of a text.
  const words = snapshot.tokens.map((token, position) => ({ token, position })).slice(1);
  const answer = [...snapshot.targets].sort((a, b) => b.probability - a.probability)[0];
  const others = snapshot.targets.length - 1;
  const outcomes = store.effect.value?.tokens ?? [];
  const row = outcomes.find((token) => token.token_id === answer?.token_id);
  const now = [...outcomes].sort((a, b) => b.after - a.after)[0];

  // The end of a long prompt, where the answer comes from, is the part to see first.
  useEffect(() => {
    const tokens = line.current;
    if (tokens === null) return undefined;
    return watchSize(tokens, ({ width }) => {
      tokens.scrollLeft = tokens.scrollWidth;
      tokens.classList.toggle("cut", tokens.scrollWidth > width);
    });
  }, []);

  return (
    <div class="prompt">
      <div class="prompt-tokens" ref={line}>
        {words.map(({ token, position }) => (
          <TokenChip
            key={position}
            store={store}
            node={tokenNodes.get(position)}
            text={tokenText(token.text)}
            title={withoutText(token) ?? undefined}
          />
        ))}
      </div>
      <span class="muted" aria-hidden="true">
        →
      </span>
      {answer !== undefined && (
        <TokenChip
          store={store}
          node={snapshot.ids[answer.node]}
          text={`${tokenText(answer.token)} ${probability(answer.probability)}${row ? ` → ${probability(row.after)}` : ""}`}
          faded={row !== undefined && row.after < FADED_BELOW * row.before}
          title={others > 0 ? `The likeliest of the ${others + 1} explained next tokens` : "The explained next token"}
          answer
        />
      )}
      {now !== undefined && now !== row && (
        <TokenChip
          store={store}
          node={nodeOfToken(snapshot, now.token_id)}
          text={`${tokenText(now.token)} ${probability(now.after)}`}
          title="The likeliest next token after the intervention"
          token={store.capabilities.value.recorded ? undefined : now.token_id}
          answer
        />
      )}
      <RetraceButton store={store} />
    </div>
  );
}

/** The node of an explained token; undefined for another one. */
function nodeOfToken(snapshot: Snapshot, token: number): NodeId | undefined {
  const target = snapshot.targets.find(({ token_id }) => token_id === token);
  return target && snapshot.ids[target.node];
}

interface TokenChipProps {
  readonly store: Store;
  readonly node: NodeId | undefined;
  readonly text: string;
  readonly title?: string;
  /** What a click has explained, where there is no node to select. */
  readonly token?: number;
  readonly answer?: boolean;
  readonly faded?: boolean;
}

function TokenChip({ store, node, text, title, token, answer = false, faded = false }: TokenChipProps) {
  const { selected, hovered, actions, kernel } = store;
  const explained = node === undefined ? token : undefined;
  const classes = ["token-chip"];
  if (answer) classes.push("answer");
  if (faded) classes.push("faded");
  if (node !== undefined && selected.value.includes(node)) classes.push("selected");
  if (node !== undefined && hovered.value === node) classes.push("hovered");
  return (
    <Button
      class={classes.join(" ")}
      title={explained === undefined ? title : `${title}: explain it`}
      disabled={node === undefined && explained === undefined}
      data-test={answer ? "answer" : "prompt-token"}
      onClick={() => {
        if (node !== undefined) actions.select([node], "replace");
        else if (explained !== undefined) void kernel.retrace({ token: explained });
      }}
      onPointerEnter={() => node !== undefined && actions.hover(node)}
      onPointerLeave={() => actions.hover(null)}
    >
      {text}
    </Button>
  );
}
