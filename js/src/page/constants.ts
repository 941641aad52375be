/** Colours and sizes of screen and figure; written by `python -m tools.generate_frontend`. */

/** The colours of one theme by what they are for; `supernodes` are the six quiet hues of supernodes. */
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
  readonly inhibitGround: string;
  readonly selection: string;
  readonly answer: string;
  readonly answerGround: string;
  readonly chip: string;
  readonly box: string;
  readonly boxEdge: string;
  readonly injected: string;
  readonly injectedGround: string;
  readonly heat: string;
  readonly shadow: string;
  readonly supernodes: readonly string[];
}

export const PALETTES: Readonly<Record<"light" | "dark", Palette>> = {
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
    inhibitGround: "#fef7f5",
    selection: "#7c3aed",
    answer: "#215d92",
    answerGround: "#dbe7f2",
    chip: "#f0ece3",
    box: "#f3efe6",
    boxEdge: "#b9ae97",
    injected: "#b87420",
    injectedGround: "#fdf1de",
    heat: "#f0a63a",
    shadow: "rgb(50 40 20 / 0.14)",
    supernodes: ["#0f8b8d", "#4a63b8", "#b7791f", "#8a5fb8", "#6b8e23", "#a3516d"],
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
    inhibitGround: "#251d1d",
    selection: "#b497ff",
    answer: "#8cc2f0",
    answerGround: "#1d3347",
    chip: "#24292e",
    box: "#23282d",
    boxEdge: "#4c545c",
    injected: "#d39c4e",
    injectedGround: "#2f2719",
    heat: "#c98a2b",
    shadow: "rgb(0 0 0 / 0.5)",
    supernodes: ["#4fc4c6", "#9aa8f5", "#e0ab4d", "#b996e6", "#a5c75a", "#e08aa8"],
  },
};

/** Size of text in pixels, unless it is a title, a token or a caption. */
export const TEXT_SIZE = 12;

export const TOKEN_SIZE = 11.5;

export const CAPTION_SIZE = 10.5;

/** Opacity of the hue of a box that has faded. */
export const FADED = 0.45;

/** Class of the element in which the page displays a widget. */
export const VIEW = "circuit-widget-view";

/** Metadata of an output of ours: which it is, and the number of the picture, by which a page knows that it is outdated. */
export const MARK = "circuit_widget";
