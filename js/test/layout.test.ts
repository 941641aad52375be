/** The layout gives the numbers that the Python side gives: both are checked against tests/fixtures/layout.json. */

import { describe, expect, test } from "vitest";
import recorded from "../../tests/fixtures/layout.json";
import { answersBeside, boxBeside } from "../src/layout/beside";
import { circuitLayout, type LayoutBox, type PlacedBox } from "../src/layout/circuit-layout";
import { FAINT_WIDTHS } from "../src/layout/constants";
import { boxArea, numberPlaces } from "../src/layout/edge-numbers";
import { type Area, type LabelledMap, labelArea, type MapLabel, mapLabels } from "../src/layout/map-labels";
import { columnsWithText, type MapNode, mapLayout } from "../src/layout/map-layout";
import { openEdge } from "../src/layout/open-edge";
import {
  type BoxLink,
  mapEdge,
  type Route,
  routeEdges,
  type Trunk,
  visibleLinks,
  visibleOnward,
} from "../src/layout/routing";
import {
  barHalf,
  dashes,
  edgeWidth,
  errorBandHeight,
  errorBandOpacity,
  faintOpacity,
  faintStep,
  headHalf,
  headLength,
  outputPresence,
  presence,
  ringWidth,
  signedOpacity,
  signedWidth,
} from "../src/layout/strokes";
import { apart, monoWidth, printable, shorten, textWidth, tokenLabel, wrapped } from "../src/text/width";

interface Fixture {
  readonly text: readonly {
    readonly text: string;
    readonly width: number;
    readonly mono: number;
    readonly short: string;
    readonly short_mono: string;
    readonly lines: readonly string[];
    readonly label: string;
    readonly printable: string;
    readonly apart: string;
  }[];
  readonly map: readonly {
    readonly nodes: readonly MapNode[];
    readonly token_texts: readonly string[];
    readonly layers: readonly string[];
    readonly width: number;
    readonly height: number;
    readonly expected: Record<string, unknown>;
  }[];
  readonly map_labels: readonly (LabelledMap & {
    readonly expected: readonly (MapLabel & { readonly area: Area })[];
  })[];
  readonly open_edge: readonly {
    readonly path: readonly number[];
    readonly stability: number;
    readonly parts: readonly (readonly number[])[] | null;
  }[];
  readonly map_edge: readonly {
    readonly input: readonly [number, number, number, number, number, number];
    readonly trunk: Trunk | null;
    readonly path: readonly number[];
  }[];
  readonly width: readonly {
    readonly share: number;
    readonly width: number;
    readonly signed: number;
    readonly faint: number;
    readonly head: readonly number[];
    readonly dashes: readonly number[];
  }[];
  readonly opacity: readonly { readonly edges: number; readonly faint: number; readonly signed: number }[];
  readonly presence: readonly { readonly before: number; readonly after: number; readonly presence: number }[];
  readonly error_band: readonly {
    readonly row: number;
    readonly influence: number;
    readonly most: number;
    readonly height: number;
    readonly opacity: number;
  }[];
  readonly output_presence: readonly { readonly probability: number; readonly presence: number }[];
  readonly ring: readonly { readonly radius: number; readonly width: number }[];
  readonly circuit: readonly {
    readonly boxes: readonly LayoutBox[];
    readonly links: readonly BoxLink[];
    readonly width: number;
    readonly height: number;
    readonly expected: {
      readonly boxes: readonly unknown[];
      readonly text_size: number;
      readonly visible: readonly BoxLink[];
      readonly areas: readonly unknown[];
      readonly numbers: readonly unknown[];
      readonly cut: readonly (readonly [number, readonly BoxLink[]])[];
      readonly routes: readonly Route[];
      readonly onward: readonly (readonly [number, readonly BoxLink[]])[];
      readonly injected: readonly PlacedBox[];
      readonly answers: readonly (readonly PlacedBox[])[];
    };
  }[];
}

const fixture = recorded as unknown as Fixture;

/** Same structure, same text, numbers within 1e-6; the message names the first place that differs. */
function expectSame(actual: unknown, expected: unknown, path: string): void {
  if (typeof expected === "number") {
    expect(Math.abs((actual as number) - expected), `${path}: ${actual} for ${expected}`).toBeLessThan(1e-6);
  } else if (Array.isArray(expected)) {
    expect((actual as unknown[]).length, path).toBe(expected.length);
    for (const [at, entry] of expected.entries()) expectSame((actual as unknown[])[at], entry, `${path}[${at}]`);
  } else if (expected !== null && typeof expected === "object") {
    for (const [key, entry] of Object.entries(expected)) {
      expectSame((actual as Record<string, unknown>)[key], entry, `${path}.${key}`);
    }
  } else {
    expect(actual, path).toBe(expected);
  }
}

describe("text", () => {
  test.each(fixture.text)("$text", (entry) => {
    expectSame(textWidth(entry.text, 12), entry.width, "width");
    expectSame(monoWidth(entry.text, 11.5), entry.mono, "mono");
    expect(shorten(entry.text, 60, 12)).toBe(entry.short);
    expect(wrapped(entry.text, 90, 12, 3)).toEqual(entry.lines);
    expect(shorten(entry.text, 40, 11.5, true)).toBe(entry.short_mono);
    expect(tokenLabel(entry.text)).toBe(entry.label);
    expect(apart(entry.text)).toBe(entry.apart);
    expect(printable(entry.text)).toBe(entry.printable);
  });
});

describe("map", () => {
  test.each(fixture.map.map((entry, at) => ({ at, entry })))("layout $at", ({ entry }) => {
    const layout = mapLayout(entry.nodes, entry.token_texts, entry.layers, entry.width, entry.height);
    const { tokenY, ...rest } = layout;
    const texts = [1, 2.5].map((zoom) => columnsWithText(layout.columns, zoom));
    expectSame({ ...rest, token_y: tokenY, with_text: texts }, entry.expected, "map");
  });

  test.each(fixture.map_labels.map((entry, at) => ({ at, entry })))("labels $at", ({ entry }) => {
    const labels = mapLabels(entry);
    const found = labels.map((label) => ({ ...label, area: labelArea(label, entry.size) }));
    expectSame(found, entry.expected, "labels");
  });

  test.each(fixture.map_edge)("edge $input, $trunk", ({ input, trunk, path }) => {
    expectSame(mapEdge(...input, trunk), path, "edge");
  });
});

describe("open edges", () => {
  test.each(fixture.open_edge)("edge of stability $stability", ({ path, stability, parts }) => {
    expectSame(openEdge(path, stability), parts, "parts");
  });
});

describe("strokes", () => {
  test.each(fixture.width)("line of share $share", ({ share, ...expected }) => {
    const width = edgeWidth(share);
    const head = [headLength(width), headHalf(width), barHalf(width)];
    const faint = FAINT_WIDTHS[faintStep(share)];
    expectSame({ width, signed: signedWidth(share), faint, head, dashes: dashes(width) }, expected, "line");
  });

  test.each(fixture.opacity)("opacity of $edges edges", ({ edges, ...expected }) => {
    expectSame({ faint: faintOpacity(edges), signed: signedOpacity(edges) }, expected, "opacity");
  });

  test.each(fixture.presence)("presence of $before, now $after", (entry) => {
    expectSame(presence(entry.before, entry.after), entry.presence, "presence");
  });

  test.each(fixture.output_presence)("presence of an output of probability $probability", (entry) => {
    expectSame(outputPresence(entry.probability), entry.presence, "presence");
  });

  test.each(fixture.error_band)(
    "band of influence $influence in a row of $row",
    ({ row, influence, most, ...expected }) => {
      expectSame({ height: errorBandHeight(row), opacity: errorBandOpacity(influence, most) }, expected, "band");
    },
  );

  test.each(fixture.ring)("ring of radius $radius", ({ radius, width }) => {
    expectSame(ringWidth(radius), width, "width");
  });
});

describe("circuit", () => {
  test.each(fixture.circuit.map((entry, at) => ({ at, entry })))("layout $at", ({ entry }) => {
    const layout = circuitLayout(entry.boxes, entry.width, entry.height);
    expectSame(layout.boxes, entry.expected.boxes, "boxes");
    expectSame(layout.textSize, entry.expected.text_size, "textSize");
  });

  test.each(fixture.circuit.map((entry, at) => ({ at, entry })))("routes $at", ({ entry }) => {
    const links = visibleLinks(entry.links);
    expectSame(links, entry.expected.visible, "visible");
    for (const [share, visible] of entry.expected.cut) {
      expectSame(visibleLinks(entry.links, share), visible, `from ${share}`);
    }
    for (const [share, visible] of entry.expected.onward) {
      expectSame(visibleOnward(entry.links.slice(0, 5), share), visible, `onward from ${share}`);
    }
    const { boxes } = circuitLayout(entry.boxes, entry.width, entry.height);
    const routes = routeEdges(boxes, links, entry.width);
    expectSame(routes, entry.expected.routes, "routes");
    const areas = boxes.map((box, at) => boxArea(box, at % 3 === 0 ? 40 : 0, at % 4 === 0 ? 30 : 0));
    expectSame(areas, entry.expected.areas, "areas");
    const widths = routes.map((_, at) => 30 + (at % 5));
    expectSame(numberPlaces(areas, routes, widths, entry.width, entry.height), entry.expected.numbers, "numbers");
    const injected = entry.expected.injected.map((_, at) => {
      const host = at === 0 ? null : 4 * (at - 1);
      return boxBeside("California", 1 + (at % 4), host, boxes, routes, entry.width, entry.height);
    });
    expectSame(injected, entry.expected.injected, "injected");
    const all = [...boxes.keys()];
    const answers = [[], all.filter((at) => at % 3 === 0), all].map((outputs) =>
      answersBeside(["Sacramento", "a"], outputs, boxes, routes, entry.width, entry.height),
    );
    expectSame(answers, entry.expected.answers, "answers");
  });
});
