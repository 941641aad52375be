/** What an effect did to each box, and what it brought in: tests/fixtures/outcome.json, which figures are checked against too. */

import { describe, expect, test } from "vitest";
import fixture from "../../tests/fixtures/outcome.json";
import { onwardEdges } from "../src/circuit/onward";
import { injectedBy, newAnswers, outcomeOf } from "../src/circuit/outcome";
import { boxes, EMPTY_CIRCUIT, group, pin } from "../src/core/circuit";
import { readSnapshot } from "../src/core/snapshot";
import { activationRows } from "../src/effects/activation-bars";
import type { EffectMessage, InterventionJson } from "../src/messages/types";
import { displayedTokens } from "../src/wording/words";
import { fixtureSnapshot } from "./fake-model";
import { EFFECT } from "./panels";

const snapshot = readSnapshot(fixtureSnapshot());
const displayed = boxes(pin(group(EMPTY_CIRCUIT, "Texas", ["0_2_4", "1_8_4"]), ["2_9_5", "4_40_5", "2_0_5", "E_4_4"]));

interface Case {
  readonly case: string;
  readonly interventions: readonly InterventionJson[] | null;
  readonly features?: readonly (readonly [string, number, number])[];
  readonly tokens?: readonly (readonly [number, number, number])[];
  readonly labels?: readonly (string | null)[];
  /** The edges onward from what came in: weights by node, and token, weight and total for each answer. */
  readonly edges?: {
    readonly weights: Record<string, number>;
    readonly answers: readonly (readonly [number, number, number])[];
  };
}

interface OnwardCase extends Case {
  readonly shares: Record<string, number>;
}

interface OutcomeCase extends Case {
  readonly nodes: readonly string[];
  readonly name: string | null;
  readonly text: string;
  readonly tone: string;
  readonly faded: boolean;
  readonly mark: string | null;
}

interface ActivationCase extends Case {
  readonly rows: readonly (readonly [string, number, boolean])[];
}

interface InjectedCase extends Case {
  readonly injected: {
    readonly name: string;
    readonly how: string;
    readonly features: number;
    readonly beside: string | null;
  } | null;
}

interface AnswersCase extends Case {
  readonly answers: readonly (readonly [string, string])[];
}

/** The effect of a case: activations and probabilities as given there, nothing else changed. */
function effectOf({ interventions, features = [], tokens = [], labels = [], edges }: Case): EffectMessage | null {
  if (interventions === null) return null;
  const after = features.map(([, , value]) => value);
  return {
    ...EFFECT,
    interventions,
    nodes: { ids: features.map(([id]) => id), before: features.map(([, value]) => value), after, predicted: after },
    tokens: tokens.map(([token_id, before, now]) => ({
      ...EFFECT.tokens[0],
      token: ` t${token_id}`,
      token_id,
      before,
      after: now,
    })),
    injected: labels.map((label, at) => {
      const feature = 500 + at;
      return { id: `1_${feature}_4`, layer: 1, position: 4, feature, value: 1, label };
    }),
    injected_edges:
      edges === undefined
        ? null
        : {
            ids: Object.keys(edges.weights),
            weights: Object.values(edges.weights),
            answers: edges.answers.map(([token_id, weight, total]) => ({ token_id, weight, total })),
          },
  };
}

describe("outcomes of boxes", () => {
  test.each(fixture.outcome as unknown as OutcomeCase[])(
    "$case",
    ({ nodes, name, text, tone, faded, mark, ...rest }) => {
      const box = { id: name === null ? nodes[0] : "s1", name, color: name === null ? null : 0, nodes };
      expect(outcomeOf(snapshot, box, effectOf(rest))).toMatchObject({ text, tone, faded, mark });
    },
  );
});

describe("activations of boxes", () => {
  test.each(fixture.activations as unknown as ActivationCase[])("$case", ({ rows, ...rest }) => {
    const found = activationRows(snapshot, displayed, effectOf(rest) as EffectMessage);
    expect(found.map(({ box, clamped }) => [box.id, clamped])).toEqual(rows.map(([id, , clamped]) => [id, clamped]));
    for (const [at, { measured }] of found.entries())
      expect(measured / (rows[at][1] || 1)).toBeCloseTo(rows[at][1] ? 1 : 0, 9);
  });
});

describe("what came in", () => {
  test.each(fixture.injected as unknown as InjectedCase[])("$case", ({ injected, ...rest }) => {
    const found = injectedBy(snapshot, displayed, effectOf(rest));
    const summary = found && {
      name: found.name,
      how: found.how,
      features: found.features,
      beside: found.beside[0] ?? null,
    };
    expect(summary).toEqual(injected);
  });
});

describe("edges onward from what came in", () => {
  test.each(fixture.onward as unknown as OnwardCase[])("$case", ({ shares, ...rest }) => {
    const effect = effectOf(rest);
    const answers = newAnswers(snapshot, displayed, effect);
    const names = [...displayed.map(({ id }) => id), ...answers.map(({ name }) => name)];
    const found = onwardEdges(snapshot, displayed, answers, effect);
    expect(found.map(({ target }) => names[target]).sort()).toEqual(Object.keys(shares).sort());
    for (const { source, target, share } of found) {
      expect(source).toBe(names.length);
      expect(share / shares[names[target]]).toBeCloseTo(1, 5);
    }
  });
});

describe("new answers", () => {
  test.each(fixture.answers as unknown as AnswersCase[])("$case", ({ answers, ...rest }) => {
    expect(newAnswers(snapshot, displayed, effectOf(rest)).map(({ name, text }) => [name, text])).toEqual(answers);
  });
});

describe("tokens that nobody reads", () => {
  test.each(
    fixture.more as unknown as {
      case: string;
      tokens: [number, number][];
      most: number;
      count: number;
      more: string;
    }[],
  )("$case", ({ tokens, most, count, more }) => {
    expect(displayedTokens(tokens, most)).toEqual([count, more]);
  });
});
