/** Which tokens of another prompt stand for those of this one, where a swap touches it: shown, and open to change. */

import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { AlignmentMessage, NodeId, Snapshot } from "../core/types";
import type { Store } from "../store/store";
import { tokenAt, tokenText } from "../wording/words";

/** Positions of this prompt for which the user chose a position of the other. */
export type Chosen = ReadonlyMap<number, number>;

/** An alignment and the prompt that it is of. */
export interface Aligned extends AlignmentMessage {
  readonly prompt: string;
}

/** Milliseconds after the last key until a prompt is aligned. */
const PAUSE = 350;

interface Asking {
  /** The alignment of the prompt asked for last; null until it is there. */
  readonly value: Aligned | null;
  ask(prompt: string): void;
}

/** Alignments with whatever prompt is typed; what was chosen for one prompt is forgotten with the next. */
export function useAlignment(store: Store, chosen: Signal<Chosen>): Asking {
  const found = useSignal<Aligned | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  return {
    value: found.value,
    ask: (prompt) => {
      clearTimeout(timer.current);
      if (prompt === "" || !store.capabilities.value.intervene) return;
      timer.current = setTimeout(() => {
        void store.actions.align(prompt).then((alignment) => {
          if (alignment === null) return;
          chosen.value = new Map();
          found.value = { ...alignment, prompt };
        });
      }, PAUSE);
    },
  };
}

/** The alignment to send with a swap: none where the kernel's own stands. */
export function pairsWith(
  alignment: Aligned | null,
  prompt: string,
  chosen: Chosen,
): { readonly alignment?: readonly (readonly [number, number])[] } {
  if (alignment === null || alignment.prompt !== prompt || chosen.size === 0) return {};
  return { alignment: [...new Map([...alignment.pairs, ...chosen])].sort(([one], [other]) => one - other) };
}

interface Props {
  readonly snapshot: Snapshot;
  readonly nodes: readonly NodeId[];
  readonly alignment: Aligned | null;
  readonly chosen: Signal<Chosen>;
}

/** A row for each position that the swap touches. */
export function Counterparts({ snapshot, nodes, alignment, chosen }: Props) {
  if (alignment === null) return null;
  const positions = new Set(
    nodes.map((id) => snapshot.nodePosition[snapshot.index.get(id) ?? -1]).filter((position) => position !== undefined),
  );
  const pairs = new Map([...alignment.pairs, ...chosen.value]);
  return (
    <div class="counterparts" data-test="alignment">
      <span class="caption">stands for it there</span>
      {[...positions]
        .sort((one, other) => one - other)
        .map((position) => (
          <label key={position}>
            <span class="clip token-text">{tokenAt(snapshot, position)}</span>
            <select
              class="chip"
              data-test="counterpart"
              data-position={position}
              aria-label={`What stands for ${tokenAt(snapshot, position)}`}
              value={String(pairs.get(position) ?? -1)}
              onChange={(event) => {
                chosen.value = new Map([...chosen.value, [position, Number(event.currentTarget.value)]]);
              }}
            >
              <option value="-1" disabled>
                nothing
              </option>
              {alignment.others.map((text, other) => (
                <option key={other} value={String(other)}>
                  {`${other} ${tokenText(text)}`}
                </option>
              ))}
            </select>
          </label>
        ))}
    </div>
  );
}
