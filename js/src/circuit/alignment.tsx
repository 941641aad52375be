/** The positions of another prompt that correspond to those which a swap changes, and their choice by hand. */

import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Snapshot } from "../core/types";
import type { AlignmentMessage, NodeId } from "../messages/types";
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

interface Alignment {
  /** The alignment of the prompt requested last; null until it is there. */
  readonly value: Aligned | null;
  request(prompt: string): void;
}

/** Alignments with whatever prompt is typed; what was chosen for one prompt is forgotten with the next. */
export function useAlignment(store: Store, chosen: Signal<Chosen>): Alignment {
  const found = useSignal<Aligned | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  return {
    value: found.value,
    request: (prompt) => {
      clearTimeout(timer.current);
      if (prompt === "" || !store.capabilities.value.intervene) return;
      timer.current = setTimeout(() => {
        void store.kernel.align({ prompt }).then((reply) => {
          if (reply === null) return;
          chosen.value = new Map();
          found.value = { ...reply.body, prompt };
        });
      }, PAUSE);
    },
  };
}

/** The alignment to send with a swap: none where the kernel's own is kept. */
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

/** A row for each position that the swap changes. */
export function Counterparts({ snapshot, nodes, alignment, chosen }: Props) {
  if (alignment === null) return null;
  const positions = new Set(
    nodes.map((id) => snapshot.nodePosition[snapshot.index.get(id) ?? -1]).filter((position) => position !== undefined),
  );
  const pairs = new Map([...alignment.pairs, ...chosen.value]);
  return (
    <div class="counterparts" data-test="alignment">
      <span class="caption">corresponds to, in the other prompt</span>
      {[...positions]
        .sort((one, other) => one - other)
        .map((position) => (
          <label key={position}>
            <span class="clip token-text">{tokenAt(snapshot, position)}</span>
            <select
              class="chip"
              data-test="counterpart"
              data-position={position}
              aria-label={`Position that corresponds to ${tokenAt(snapshot, position)}`}
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
