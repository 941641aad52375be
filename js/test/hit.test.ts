import { expect, it } from "vitest";
import { ARROWS, hitGrid, step } from "../src/layout/hit";

it("finds the nearest shape within reach and nothing beyond", () => {
  const grid = hitGrid([10, 30, 200], [10, 10, 90], [5, 11, 3]);
  expect(grid.at(12, 10, 3)).toBe(0);
  expect(grid.at(19.5, 10, 3)).toBe(1);
  expect(grid.at(206, 90, 3)).toBe(2);
  expect(grid.at(206.5, 90, 3)).toBeNull();
  expect(grid.at(100, 50, 3)).toBeNull();
});

it("agrees with trying every shape, on a crowded field", () => {
  const random = mulberry(7);
  const count = 3000;
  const x = Float64Array.from({ length: count }, () => 900 * random());
  const y = Float64Array.from({ length: count }, () => 500 * random());
  const radius = Float64Array.from({ length: count }, () => 3 + 8 * random());
  const grid = hitGrid(x, y, radius);
  for (let trial = 0; trial < 500; trial++) {
    const [px, py] = [900 * random(), 500 * random()];
    let best: number | null = null;
    let distance = 2;
    for (let i = 0; i < count; i++) {
      const away = Math.hypot(x[i] - px, y[i] - py) - radius[i];
      if (away <= distance) [best, distance] = [i, away];
    }
    expect(grid.at(px, py, 2)).toBe(best);
  }
});

it("finds what a rectangle encloses, drawn in any direction", () => {
  const grid = hitGrid([10, 30, 200], [10, 10, 90], [5, 5, 5]);
  expect(grid.within(0, 0, 40, 40)).toEqual([0, 1]);
  expect(grid.within(40, 40, 20, 0)).toEqual([1]);
  expect(grid.within(50, 20, 60, 30)).toEqual([]);
});

it("walks to the neighbour straight ahead rather than a nearer one aside, and stops at the end", () => {
  //  2 is near but far aside of "up"; 1 is straight above.
  const x = [0, 0, 20];
  const y = [0, -30, -15];
  expect(step(x, y, 0, ARROWS.ArrowUp)).toBe(1);
  expect(step(x, y, 0, ARROWS.ArrowRight)).toBe(2);
  expect(step(x, y, 1, ARROWS.ArrowUp)).toBeNull();
  expect(step(x, y, 1, ARROWS.ArrowDown)).toBe(0);
});

/** A small seeded generator of numbers in [0, 1). */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
