import { describe, expect, it } from "vitest";
import fixture from "../../tests/fixtures/box_edges.json";
import figures from "../../tests/fixtures/circuit_shares.json";
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

type Edge = [number, number, number];

/** Circuits, each made of the one before by an edit: what the kernel sends of them, and the edges of their figures. */
const CIRCUITS = figures.circuits.map(({ boxes, known, figure }) => ({
  boxes: boxes.map((nodes) => ({ nodes })),
  known,
  figure: figure as Edge[],
}));

const SENT = graphOf(figures as unknown as Case);

describe("shares of the kernel", () => {
  it("are those of the figure, which the page alone does not have", () => {
    for (const { boxes, known, figure } of CIRCUITS) {
      const found = boxEdges(SENT, boxes, known);
      expect(found.map(({ source, target }) => [source, target])).toEqual(figure.map(([s, t]) => [s, t]));
      found.forEach(({ share, exact }, edge) => {
        expect(exact).toBe(true);
        expect(share).toBe(figure[edge][2]);
      });
    }
    const { boxes, figure } = CIRCUITS[CIRCUITS.length - 1];
    const alone = boxEdges(SENT, boxes);
    expect(alone.every(({ exact }) => !exact)).toBe(true);
    const far = alone.filter(({ source, target, share }) => {
      const right = figure.find(([s, t]) => s === source && t === target);
      return right === undefined || Math.abs(right[2] - share) > 0.01;
    });
    expect(far).not.toEqual([]);
  });

  it("are never those of another circuit: an edge counts as exact only where it is", () => {
    let kept = 0;
    let counted = 0;
    for (const [step, { boxes, figure }] of CIRCUITS.entries()) {
      for (const { known } of CIRCUITS.slice(Math.max(0, step - 3), step)) {
        const found = boxEdges(SENT, boxes, known);
        for (const { source, target, share, exact } of found) {
          if (!exact) {
            counted++;
            continue;
          }
          kept++;
          expect(share).toBe(figure.find(([s, t]) => s === source && t === target)?.[2]);
        }
      }
    }
    // Boxes that an edit did not change keep theirs; others are counted in the page until the kernel's come.
    expect(kept).toBeGreaterThan(50);
    expect(counted).toBeGreaterThan(50);
  });

  it("divide what comes from elsewhere by the whole input", () => {
    for (const { boxes, known } of CIRCUITS) {
      const [first] = boxes[0].nodes;
      const total = figures.input_total[figures.nodes.indexOf(first)];
      const [share] = sharesInto(SENT, boxes, new Map([[first, 1]]), known);
      expect(share).toBeCloseTo(total > 0 ? 1 / Math.fround(total) / known.outside[0] : 0, 5);
    }
  });
});
