import { expect, it } from "vitest";
import fixture from "../../tests/fixtures/box_edges.json";
import { boxEdges, sharesInto } from "../src/core/box-edges";

interface Case {
  readonly case: string;
  readonly nodes: string[];
  readonly input_total: number[];
  readonly edges: [string, string, number][];
  readonly boxes: string[][];
  readonly expect: [number, number, number][];
}

interface IntoCase extends Omit<Case, "expect"> {
  readonly weights: Record<string, number>;
  readonly expect: number[];
}

function graphOf({ nodes, input_total, edges }: Pick<Case, "nodes" | "input_total" | "edges">) {
  const index = new Map(nodes.map((id, node) => [id, node]));
  const at = (id: string): number => index.get(id) ?? -1;
  return {
    index,
    inputTotal: Float32Array.from(input_total),
    edgeSource: Uint32Array.from(edges, ([source]) => at(source)),
    edgeTarget: Uint32Array.from(edges, ([, target]) => at(target)),
    edgeWeight: Float32Array.from(edges, ([, , weight]) => weight),
  };
}

it.each(fixture.into as unknown as IntoCase[])(
  "from elsewhere: $case",
  ({ boxes, weights, expect: expected, ...graph }) => {
    const found = sharesInto(
      graphOf(graph),
      boxes.map((ids) => ({ nodes: ids })),
      new Map(Object.entries(weights)),
    );
    expect([...found].length).toBe(expected.length);
    for (const [box, share] of found.entries()) expect(share).toBeCloseTo(expected[box], 6);
  },
);

it.each(fixture.cases as unknown as Case[])("$case", ({ boxes, expect: expected, ...rest }) => {
  const graph = graphOf(rest);
  const found = boxEdges(
    graph,
    boxes.map((ids) => ({ nodes: ids })),
  );
  expect(found.map(({ source, target }) => [source, target])).toEqual(expected.map(([s, t]) => [s, t]));
  found.forEach(({ share }, edge) => {
    expect(share).toBeCloseTo(expected[edge][2], 6);
  });
});

it("leaves out nodes that the snapshot does not contain", () => {
  const graph = {
    index: new Map([["c", 0]]),
    inputTotal: Float32Array.of(2),
    edgeSource: new Uint32Array(),
    edgeTarget: new Uint32Array(),
    edgeWeight: new Float32Array(),
  };
  expect(boxEdges(graph, [{ nodes: ["gone", "c"] }, { nodes: ["other"] }])).toEqual([]);
});
