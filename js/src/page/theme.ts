/** Colours and sizes of the screen: one table, for the style sheet and for the canvas. */

export interface Palette {
  readonly background: string;
  readonly panel: string;
  readonly raised: string;
  readonly line: string;
  readonly grid: string;
  readonly ink: string;
  readonly muted: string;
  readonly faint: string;
  readonly node: string;
  readonly nodeEdge: string;
  readonly excite: string;
  readonly inhibit: string;
  readonly selection: string;
  readonly answer: string;
  readonly answerGround: string;
  readonly chip: string;
  readonly box: string;
  readonly boxEdge: string;
  readonly heat: string;
  readonly shadow: string;
  /** The six quiet hues of supernodes. */
  readonly groups: readonly string[];
}

export type ThemeName = "light" | "dark";

export const PALETTES: Readonly<Record<ThemeName, Palette>> = {
  light: {
    background: "#ffffff",
    panel: "#fbfaf8",
    raised: "#ffffff",
    line: "#e6e2da",
    grid: "#efece6",
    ink: "#23211e",
    muted: "#6f6a62",
    faint: "#b9b3a8",
    node: "#d9d4ca",
    nodeEdge: "#8e877b",
    excite: "#2b6ca3",
    inhibit: "#c4472b",
    selection: "#7c3aed",
    answer: "#215d92",
    answerGround: "#dbe7f2",
    chip: "#f0ece3",
    box: "#f3efe6",
    boxEdge: "#b9ae97",
    heat: "#f0a63a",
    shadow: "rgb(50 40 20 / 0.14)",
    groups: ["#0f8b8d", "#2b6ca3", "#b7791f", "#8a5fb8", "#6b8e23", "#a3516d"],
  },
  dark: {
    background: "#121416",
    panel: "#181b1e",
    raised: "#1f2327",
    line: "#2b3036",
    grid: "#22262b",
    ink: "#e9e6e0",
    muted: "#a09f9a",
    faint: "#555b62",
    node: "#3a4047",
    nodeEdge: "#8b9198",
    excite: "#74b3e8",
    inhibit: "#ff8768",
    selection: "#b497ff",
    answer: "#8cc2f0",
    answerGround: "#1d3347",
    chip: "#24292e",
    box: "#23282d",
    boxEdge: "#4c545c",
    heat: "#c98a2b",
    shadow: "rgb(0 0 0 / 0.5)",
    groups: ["#4fc4c6", "#74b3e8", "#e0ab4d", "#b996e6", "#a5c75a", "#e08aa8"],
  },
};

const FONTS = {
  interface: "var(--jp-ui-font-family, var(--vscode-font-family, system-ui, sans-serif))",
  token: "var(--jp-code-font-family, ui-monospace, monospace)",
} as const;

export const TOKEN_SIZE = 11.5;

/** The palettes as custom properties of the root element: `--ink`, `--node-edge`, `--group-0`. */
export function paletteStyles(): string {
  return Object.entries(PALETTES)
    .map(([name, palette]) => `.circuit-widget[data-theme="${name}"] {${properties(palette)}color-scheme: ${name};}`)
    .join("\n");
}

function properties(palette: Palette): string {
  let text = `--interface-font: ${FONTS.interface};--token-font: ${FONTS.token};`;
  for (const [name, value] of Object.entries(palette)) {
    if (Array.isArray(value)) {
      for (const [index, hue] of value.entries()) text += `--group-${index}: ${hue};`;
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
