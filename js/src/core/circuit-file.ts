/** The circuit as a file: its text and name where the page saves it, and what a file has that is opened. */

import type { NodeId } from "../messages/types";
import { beginning } from "../text/characters";
import { parseCircuit } from "./circuit-json";
import { CircuitError, quoted, refuse } from "./circuit-rules";
import { WORK_FORMAT, WORK_VERSION } from "./constants";
import type { Circuit, Snapshot } from "./types";

/** Bytes; a circuit is far smaller, and a larger file would stop the page while it is read. */
export const LARGEST_FILE = 4 * 2 ** 20;
const MEGABYTE = 2 ** 20;

const LONGEST_STEM = 60;
const IN_PYTHON = "In Python, widget.circuit = cw.Circuit.load(path)";

/** The name of a file on a graph, without its ending: the words of the prompt, as circuit_widget/widget/state/file_names.py has them. */
export function fileStem(texts: readonly string[]): string {
  const words =
    texts
      .slice(1)
      .join(" ")
      .toLowerCase()
      .match(/[\p{L}\p{N}_]+/gu) ?? [];
  return beginning(words.join("-"), LONGEST_STEM).replace(/^-+|-+$/g, "") || "circuit";
}

/** The document as the text of a file, with the keys in the order in which circuit_widget/circuit/document_json.py writes them. */
export function circuitText(circuit: Circuit): string {
  const { version, revision, pinned, supernodes, labels, positions } = circuit;
  const { node_threshold, edge_threshold, filters, least_share, edge_numbers, edge_stability } = circuit;
  const boxes = supernodes.map(({ id, name, color, nodes }) => ({ id, name, color, nodes }));
  const whole = {
    version,
    revision,
    pinned,
    supernodes: boxes,
    labels,
    positions,
    node_threshold,
    edge_threshold,
    filters,
    least_share,
    edge_numbers,
    edge_stability,
  };
  return `${JSON.stringify(whole, null, 1)}\n`;
}

/** The circuit in a file, also in one that a widget keeps; throws a CircuitError that names the file. */
export async function circuitIn(file: File): Promise<Circuit> {
  try {
    if (file.size > LARGEST_FILE) {
      refuse(
        `It has ${Math.ceil(file.size / MEGABYTE)} MB, and at most ${LARGEST_FILE / MEGABYTE} MB are opened here. ` +
          `${IN_PYTHON} opens a larger one.`,
      );
    }
    return circuitOf(decoded(await bytesOf(file)));
  } catch (error) {
    if (!(error instanceof CircuitError)) throw error;
    throw new CircuitError(`${quoted(file.name)} was not opened. ${error.message}`);
  }
}

async function bytesOf(file: File): Promise<ArrayBuffer> {
  try {
    return await file.arrayBuffer();
  } catch {
    refuse("It cannot be read: it was moved, changed, or is no file.");
  }
}

function decoded(bytes: ArrayBuffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    refuse("It is not a JSON file, or it was cut off. Choose a file that Save, widget.circuit.save or keep= wrote.");
  }
}

/** The circuit in a JSON value: the value itself, or the one in the work that a widget keeps. */
function circuitOf(value: unknown): Circuit {
  if (typeof value !== "object" || value === null) return parseCircuit(value);
  if ("format" in value && value.format === WORK_FORMAT) {
    const { version, circuit } = value as { version?: unknown; circuit?: unknown };
    if (version !== WORK_VERSION) {
      refuse(
        `It is of version ${quoted(version)}, and this widget reads versions up to ${WORK_VERSION}. Update circuit-widget.`,
      );
    }
    return parseCircuit(circuit);
  }
  if ("nodes" in value && "links" in value) {
    refuse(`It is the JSON of a graph. ${IN_PYTHON} opens the circuit on it.`);
  }
  return parseCircuit(value);
}

/** The nodes of a circuit that the page does not have: of the graph's nodes, it has those with the most influence. */
export function nodesElsewhere({ pinned, supernodes, labels }: Circuit, { index }: Snapshot): readonly NodeId[] {
  const named = [...supernodes.flatMap(({ nodes }) => nodes), ...pinned, ...Object.keys(labels)];
  return [...new Set(named)].filter((node) => !index.has(node));
}
