import { afterEach, describe, expect, it } from "vitest";
import { PALETTES } from "../src/page/constants";
import { hostTheme, watchHostTheme } from "../src/page/theme";

afterEach(() => {
  document.body.className = "";
  document.documentElement.className = "";
  delete document.body.dataset.jpThemeLight;
  delete document.documentElement.dataset.theme;
});

describe("the host's theme", () => {
  it("is JupyterLab's and Notebook's mark on the body", () => {
    document.body.dataset.jpThemeLight = "false";
    expect(hostTheme(document)).toBe("dark");
    document.body.dataset.jpThemeLight = "true";
    expect(hostTheme(document)).toBe("light");
  });

  it("is VS Code's class on the body, its light high contrast included", () => {
    document.body.className = "vscode-dark";
    expect(hostTheme(document)).toBe("dark");
    document.body.className = "vscode-high-contrast vscode-high-contrast-light";
    expect(hostTheme(document)).toBe("light");
  });

  it("is marimo's class on the root element", () => {
    document.documentElement.className = "dark";
    expect(hostTheme(document)).toBe("dark");
  });

  it("is followed until the view closes", async () => {
    const abort = new AbortController();
    let changes = 0;
    watchHostTheme(
      document,
      () => {
        changes += 1;
      },
      abort.signal,
    );
    document.body.dataset.jpThemeLight = "false";
    await expect.poll(() => changes).toBe(1);
    abort.abort();
    document.body.dataset.jpThemeLight = "true";
    await new Promise((resolve) => setTimeout(resolve));
    expect(changes).toBe(1);
  });
});

/** WCAG contrast of two #rrggbb colours. */
function contrast(one: string, other: string): number {
  const luminance = (color: string) => {
    const [r, g, b] = [1, 3, 5].map((at) => {
      const part = Number.parseInt(color.slice(at, at + 2), 16) / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

describe.each(Object.entries(PALETTES))("the %s palette", (_, palette) => {
  it("has text that can be read on every ground", () => {
    for (const ground of [palette.background, palette.panel, palette.raised]) {
      expect(contrast(palette.ink, ground)).toBeGreaterThan(7);
      expect(contrast(palette.muted, ground)).toBeGreaterThan(4.5);
      expect(contrast(palette.inhibit, ground)).toBeGreaterThan(4.5);
      expect(contrast(palette.excite, ground)).toBeGreaterThan(4.5);
    }
    expect(contrast(palette.ink, palette.chip)).toBeGreaterThan(7);
    expect(contrast(palette.answer, palette.answerGround)).toBeGreaterThan(4.5);
  });

  it("has marks that stand out from the ground", () => {
    for (const mark of [palette.nodeEdge, palette.selection, ...palette.supernodes]) {
      expect(contrast(mark, palette.background)).toBeGreaterThan(3);
    }
  });
});
