/** Numbers, interventions, names and outcomes in words, as the kernel words them: both are held to tests/fixtures. */

import { describe, expect, test } from "vitest";
import wording from "../../tests/fixtures/wording.json";
import type { InterventionJson } from "../src/core/types";
import * as words from "../src/wording/words";

type Case = [number | string, string];

describe("numbers", () => {
  test.each(wording.percent as unknown as Case[])("share %s", (share, expected) => {
    expect(words.percent(Number(share))).toBe(expected);
  });

  test.each(wording.probability as unknown as Case[])("probability %s", (value, expected) => {
    expect(words.probability(Number(value))).toBe(expected);
  });

  test.each(wording.plain_number as unknown as Case[])("factor or value %s", (value, expected) => {
    expect(words.plainNumber(Number(value))).toBe(expected);
  });
});

describe("interventions", () => {
  test.each(wording.mark as unknown as [InterventionJson, string][])("%o", (intervention, expected) => {
    expect(words.interventionMark(intervention)).toBe(expected);
  });
});

describe("modes", () => {
  test.each(wording.frozen as [string, string][])("%s", (mode, expected) => {
    expect(words.frozenBy(mode)).toBe(expected);
  });
});

describe("tones", () => {
  test.each(wording.probability_tone as [number, number, string][])("probability %s, now %s", (before, after, tone) => {
    expect(words.probabilityTone(before, after)).toBe(tone);
  });

  test.each(wording.ratio_tone as [number, string][])("share %s", (share, tone) => {
    expect(words.ratioTone(share)).toBe(tone);
  });
});
