/** The circuit document, in step with the kernel's. */

import { type ReadonlySignal, signal } from "@preact/signals";
import { checkKinds, EMPTY_CIRCUIT } from "../core/circuit";
import { parseCircuit } from "../core/circuit-json";
import { CircuitError } from "../core/circuit-rules";
import type { Circuit, Failure, Snapshot } from "../core/types";
import { allRepaired } from "../text/characters";
import type { Trait } from "../wire/traits";

export interface CircuitDocument {
  readonly circuit: ReadonlySignal<Circuit>;
  /** Applies a change and shares it; the new document, or null where the change was none or breaks a rule. */
  edit(change: (circuit: Circuit) => Circuit): Circuit | null;
  /** Shares a version; its revision is one above the present one's, also when it is an old version come back. */
  put(circuit: Circuit): Circuit;
  /** Calls `listener` with each document that was made elsewhere and taken over. */
  onElsewhere(listener: (circuit: Circuit) => void): void;
}

/** `fail` is called for edits, and for documents from elsewhere, that break the circuit's rules; the last good one stays. */
export function circuitDocument(
  trait: Trait<unknown>,
  snapshot: Snapshot,
  fail: (failure: Failure) => void,
): CircuitDocument {
  let onElsewhere: (circuit: Circuit) => void = () => {};

  /** The result of an action, or null where it breaks a rule, which is displayed as a failure. */
  const kept = (make: () => Circuit, what = ""): Circuit | null => {
    try {
      return checkKinds(make(), snapshot);
    } catch (error) {
      if (!(error instanceof CircuitError)) throw error;
      fail({ code: "circuit", message: what + error.message });
      return null;
    }
  };
  const read = (document: unknown): Circuit | null =>
    kept(() => parseCircuit(allRepaired(document)), "A change of the circuit was not taken over: ");

  /** The trait's value as it was last taken over or written. */
  let known = trait.value.peek();
  let present = read(known) ?? EMPTY_CIRCUIT;
  const circuit = signal(present);

  const settle = (next: Circuit) => {
    present = next;
    circuit.value = next;
  };

  const share = (document: Circuit) => {
    known = document;
    trait.write(document);
  };

  const put = (next: Circuit): Circuit => {
    const newer = { ...next, revision: present.revision + 1 };
    share(newer);
    settle(newer);
    return newer;
  };

  trait.value.subscribe((document) => {
    if (document === known) return;
    const next = read(document);
    if (next === null) return;
    // Our edit is on its way to the kernel, which made this older version without it and will take ours over.
    if (next.revision < present.revision) {
      share(present);
      return;
    }
    known = document;
    settle(next);
    onElsewhere(next);
  });

  return {
    circuit,
    put,
    edit: (change) => {
      const next = kept(() => change(present));
      return next === null || next === present ? null : put(next);
    },
    onElsewhere: (listener) => {
      onElsewhere = listener;
    },
  };
}
