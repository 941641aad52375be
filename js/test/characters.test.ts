/// <reference types="node" />
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { allRepaired, beginning, lengthOf, repaired, shortened } from "../src/text/characters";

interface Case {
  readonly case: string;
  readonly text: string;
  readonly most: number;
  readonly length: number;
  readonly beginning: string;
  readonly shortened: string;
  readonly repaired: string;
}

// Read, not imported: the bundler takes no halves of characters in JSON.
const FIXTURE = join(import.meta.dirname, "../../tests/fixtures/characters.json");
const { cases } = JSON.parse(readFileSync(FIXTURE, "utf8")) as { cases: Case[] };

describe("a text cut by whole characters", () => {
  it.each(cases)("$case", ({ text, most, ...expected }) => {
    expect(lengthOf(text)).toBe(expected.length);
    expect(beginning(text, most)).toBe(expected.beginning);
    expect(shortened(text, most)).toBe(expected.shortened);
    expect(repaired(text)).toBe(expected.repaired);
  });
});

it("repairs every text inside a value", () => {
  const broken = { "a\ud83d": ["\ude00b", { c: "c🤠" }, 1, null, true] };
  expect(allRepaired(broken)).toEqual({ "a\ufffd": ["\ufffdb", { c: "c🤠" }, 1, null, true] });
});
