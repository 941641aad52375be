/** The version of a circuit document: the first that has what the circuit has, so that older widgets read what they can. */

import { quoted, refuse } from "./circuit-rules";
import type { Circuit, Filters } from "./types";

const KEYS = [
  "version",
  "revision",
  "pinned",
  "supernodes",
  "labels",
  "positions",
  "node_threshold",
  "edge_threshold",
] as const;

const KEYS_OF: Readonly<Record<Circuit["version"], readonly string[]>> = {
  1: KEYS,
  2: [...KEYS, "filters"],
  3: [...KEYS, "filters", "least_share", "edge_numbers"],
  4: [...KEYS, "filters", "least_share", "edge_numbers", "edge_stability"],
};

/** The keys that a document of a version has. */
export function keysOf(version: unknown = 1): readonly string[] {
  if (version === 1 || version === 2 || version === 3 || version === 4) return KEYS_OF[version];
  refuse(
    `This circuit is of version ${quoted(version)}, and version 1, 2, 3 or 4 is expected. ` +
      "Update circuit-widget, or save the circuit again.",
  );
}

/** The keys of a document that not every version has. */
export function versioned(
  filters: Filters,
  leastShare: number | null,
  numbers: boolean,
  stability: boolean,
): Pick<Circuit, "version" | "filters" | "least_share" | "edge_numbers" | "edge_stability"> {
  const drawn = { filters, least_share: leastShare, edge_numbers: numbers };
  if (stability) return { version: 4, ...drawn, edge_stability: stability };
  if (leastShare !== null || numbers) return { version: 3, ...drawn };
  return Object.keys(filters).length === 0 ? { version: 1 } : { version: 2, filters };
}
