/** Saves the circuit as a file and opens one, without a kernel where the page has all nodes of the circuit. */

import { checkKinds } from "../core/circuit";
import { circuitIn, circuitText, fileStem, nodesElsewhere } from "../core/circuit-file";
import { CircuitError } from "../core/circuit-rules";
import type { Circuit } from "../core/types";
import { download } from "../page/download";
import type { Store } from "./store";

/** Hands the circuit to the browser as a download. */
export function saveCircuit(store: Store): void {
  const bytes = new TextEncoder().encode(circuitText(store.circuit.value));
  const stem = fileStem(store.snapshot.tokens.map(({ text }) => text));
  download(`${stem}-circuit.json`, "application/json", new DataView(bytes.buffer));
}

/** Replaces the circuit by the one in a file, as one step; a file that cannot be opened changes nothing and says why. */
export async function openCircuit(store: Store, file: File): Promise<void> {
  const { actions, kernel, snapshot } = store;
  let opened: Circuit;
  try {
    opened = checkKinds(await circuitIn(file), snapshot);
  } catch (error) {
    if (!(error instanceof CircuitError)) throw error;
    actions.fail({ code: "circuit", message: error.message });
    return;
  }
  const nodes = nodesElsewhere(opened, snapshot);
  if (nodes.length > 0 && (await kernel.check_nodes({ nodes })) === null) return;
  actions.dismiss();
  actions.edit(() => opened, "open a circuit");
}
