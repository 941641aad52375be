/** From numbers to sizes. */

/** Stroke width in pixels of an edge that carries this signed share of its target's input. */
export function edgeWidth(share: number): number {
  return clamp(0.5 + 5 * Math.sqrt(Math.abs(share)), 0.5, 5.5);
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
