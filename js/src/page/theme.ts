/** The theme of the host page, and the constants of screen and figure for the style sheets. */

import { CAPTION_SIZE, FADED, PALETTES, type Palette, TEXT_SIZE, TOKEN_SIZE } from "./constants";

export type ThemeName = keyof typeof PALETTES;

const FONTS = {
  interface: "var(--jp-ui-font-family, var(--vscode-font-family, system-ui, sans-serif))",
  token: "var(--jp-code-font-family, ui-monospace, monospace)",
} as const;

/** The palettes as custom properties of the root element: `--ink`, `--node-edge`, `--supernode-0`. */
export function paletteStyles(): string {
  return Object.entries(PALETTES)
    .map(([name, palette]) => `.circuit-widget[data-theme="${name}"] {${properties(palette)}color-scheme: ${name};}`)
    .join("\n");
}

function properties(palette: Palette): string {
  let text = `--interface-font: ${FONTS.interface};--token-font: ${FONTS.token};`;
  text += `--text-size: ${TEXT_SIZE}px;--token-size: ${TOKEN_SIZE}px;--caption-size: ${CAPTION_SIZE}px;--faded: ${FADED};`;
  for (const [name, value] of Object.entries(palette)) {
    if (Array.isArray(value)) {
      for (const [index, hue] of value.entries()) text += `--supernode-${index}: ${hue};`;
    } else {
      text += `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}: ${value};`;
    }
  }
  return text;
}

const LIGHT_MARKS = ["vscode-light", "vscode-high-contrast-light", "light", "light-theme"];
const DARK_MARKS = ["vscode-dark", "vscode-high-contrast", "dark", "dark-theme"];

/** The theme that a host page shows, read from the marks hosts leave on their root and body. */
export function hostTheme(page: Document): ThemeName {
  const { body, documentElement: root } = page;
  const jupyter = body.dataset.jpThemeLight;
  if (jupyter !== undefined) return jupyter === "true" ? "light" : "dark";
  for (const element of [body, root]) {
    if (LIGHT_MARKS.some((mark) => element.classList.contains(mark))) return "light";
    if (DARK_MARKS.some((mark) => element.classList.contains(mark))) return "dark";
  }
  const declared = root.dataset.theme ?? root.dataset.colorMode;
  if (declared === "light" || declared === "dark") return declared;
  return page.defaultView?.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Calls back whenever the host's theme may have changed, until the signal aborts. */
export function watchHostTheme(page: Document, changed: () => void, signal: AbortSignal): void {
  const observer = new MutationObserver(changed);
  const attributes = ["class", "data-jp-theme-light", "data-theme", "data-color-mode"];
  observer.observe(page.body, { attributes: true, attributeFilter: attributes });
  observer.observe(page.documentElement, { attributes: true, attributeFilter: attributes });
  signal.addEventListener("abort", () => observer.disconnect());
  page.defaultView?.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed, { signal });
}
