import { describe, expect, it } from "vitest";
import fixture from "../../tests/fixtures/circuit.json";
import * as edits from "../src/core/circuit";
import { parseCircuit } from "../src/core/circuit-json";
import { CircuitError } from "../src/core/circuit-rules";
import type { Circuit } from "../src/core/types";

type Edit = (circuit: Circuit, ...given: unknown[]) => Circuit;
interface Case {
  readonly case: string;
  readonly error?: string;
}
interface EditCase extends Case {
  readonly start: object;
  readonly edit: readonly [string, ...unknown[]];
  readonly expect?: object;
}
interface DocumentCase extends Case {
  readonly document?: unknown;
  readonly keys?: object;
  readonly without?: readonly string[];
}

const whole = (keys: object): object => ({ ...edits.EMPTY_CIRCUIT, ...keys });

/** The message of the CircuitError that a call throws. */
function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(CircuitError);
    return (error as CircuitError).message;
  }
  throw new Error("nothing was refused");
}

describe("an edit of a circuit", () => {
  it.each(fixture.edits as unknown as EditCase[])(
    "$case",
    ({ start, edit: [name, ...given], expect: after, error }) => {
      const circuit = parseCircuit(whole({ revision: 7, ...start }));
      const before = JSON.stringify(circuit);
      const edit = name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
      const call = () => (edits as unknown as Record<string, Edit>)[edit](circuit, ...given);
      if (error === undefined) expect(call()).toEqual(whole({ revision: 8, ...after }));
      else expect(refusal(call)).toBe(error);
      expect(JSON.stringify(circuit)).toBe(before);
    },
  );
});

describe("a document of a circuit", () => {
  it.each(fixture.documents as unknown as DocumentCase[])("$case", ({ document, keys, without, error }) => {
    const given = keys === undefined ? document : whole(keys);
    for (const key of without ?? []) delete (given as Record<string, unknown>)[key];
    if (error === undefined) expect(parseCircuit(given)).toEqual(given);
    else expect(refusal(() => parseCircuit(given))).toBe(error);
  });

  it("is refused when a list has more entries than a graph has nodes", () => {
    const pinned = Array.from({ length: 20_001 }, (_, node) => `0_${node}_0`);
    expect(refusal(() => parseCircuit(whole({ pinned })))).toBe("pinned has at most 20000 entries; given 20001.");
  });
});

it("shows supernodes, then pinned nodes by themselves", () => {
  expect(edits.boxes(parseCircuit(whole(fixture.boxes.circuit)))).toEqual(fixture.boxes.expect);
});
