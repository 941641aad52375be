/** Measures of screen and figure, in pixels unless they say otherwise; written by `python -m tools.generate_frontend`. */

/** Least space between two nodes of a cell that has room for its nodes. */
export const NODE_GAP = 1.5;

/** Lines of nodes in a row, at most. */
export const LANES = 6;

/** Width of the row labels, and the most that longer names of layers get, in pixels and as a share of the map. */
export const GUTTER = 34;

export const MOST_GUTTER = 96;

export const MOST_GUTTER_SHARE = 0.25;

export const ROW_LABEL_SIZE = 10.5;

/** Space left and right of a row label. */
export const ROW_LABEL_MARGIN = 10;

export const RIGHT = 10;

export const TOP = 18;

export const BOTTOM = 30;

export const TOKEN_SPACE = 10;

export const SLANTED_SPACE = 18;

/** Degrees by which slanted texts are turned. */
export const SLANT = 40;

export const SLANT_COS = 0.766;

export const SLANT_SIN = 0.643;

export const ROW_LABEL_SPACE = 11;

export const MANY_LOGITS = 4;

/** Width of a column that has its token alone, where there is no room for all texts. */
export const QUIET = 3;

/** Least distance of two slanted texts. */
export const TEXT_SPACE = 17;

/** Width from which a column is marked off by a line. */
export const LEAST_COLUMN = 6;

/** Height of a band of layers without visible nodes. */
export const BAND = 7;

/** Opacity of a band of positions: it is as high as the map. */
export const TOKEN_BAND = 0.6;

/** Least space between the nodes of two rows. */
export const ROW_GAP = 3;

/** Width to which labels are cut on a map that is not zoomed: about 14 characters of 10.5 pixels. */
export const LABEL_ROOM = 86;

/** Height of a label, in em. */
export const LABEL_LINE = 1.15;

/** Between a node and its label: room for the outline of a selected node. */
export const LABEL_GAP = 4.5;

/** Lengths of the line between a node and a label above or below it, the best first. */
export const LABEL_LEADS = [6, 20] as const;

/** How far a label that begins or ends above or below its node extends to the other side of the line. */
export const LABEL_OVERHANG = 3;

/** Width of the line between a node and its label. */
export const LEAD_WIDTH = 0.8;

/** Least distance of such a line from other nodes. */
export const LEAD_CLEAR = 0.5;

/** How far above or below its node a line turns to a side, to pass between two rows. */
export const LEAD_RISES = [1.8, 3.6, 7] as const;

/** How far a line goes to the side, out of a crowd of nodes. */
export const LEAD_RUNS = [16, 32, 56, 88] as const;

/** Least distance of a label from other nodes. */
export const LABEL_CLEAR = 1.5;

/** Least distance of two labels side by side. */
export const LABEL_SPACE = 5;

/** Least distance of a label from the edge of the map. */
export const LABEL_EDGE = 2;

/** Distance of two nodes up to which the same label is not written twice. */
export const LABEL_REPEAT = 90;

/** How many of the most influential nodes in view get labels, where there is room, on a map that is not zoomed. */
export const MOST_LABELS = 60;

/** How far labels reach below the lowest row where token texts are slanted. */
export const UNDER_SLANTED = 5;

/** How far labels reach below the lowest row where token texts are upright. */
export const UNDER_UPRIGHT = 8;

/** How a label begins that names what a node does on one prompt; words with + or − follow. */
export const LOCAL_LABEL = "here: ";

export const BOX_HEIGHT = 30;

export const BOX_TEXT = 12;

/** From one line of a name to the next. */
export const LINE_STEP = 14;

/** Lines of a name. */
export const MOST_LINES = 3;

export const BOX_PADDING = 28;

export const NARROWEST = 64;

export const WIDEST = 180;

export const BOX_GAP = 18;

export const SIDE_LABEL = 52;

export const COLUMN_STEP = 24;

export const ROW_SPACE = 26;

export const ROW_PITCH = 104;

export const MARGIN = 12;

export const CARD = 4;

/** Largest radius of the corners of a box. */
export const ROUNDEST = 5;

/** Width of the hue at the left side of a supernode's box. */
export const STRIP = 5;

/** What of a box's width its name leaves free. */
export const NAME_INSET = 16;

/** What of the widest box a name of several lines leaves free: other fonts than the figures' are wider. */
export const LINE_INSET = 40;

export const GIVES = [1, 0.7, 0.4] as const;

export const SCALES = [1, 0.9, 0.8, 0.7, 0.6, 0.5] as const;

/** Down to this scale boxes are made smaller rather than those of one layer put into several lines. */
export const WHOLE_ROWS = 0.8;

export const TIP_GAP = 3;

export const INSET = 10;

export const PORT_PITCH = 16;

export const LEAST_SHARE = 0.04;

/** How much of the way to their trunk edges between two columns of the map go. */
export const BUNDLED = 0.8;

/** Height from which they go that far. */
export const BUNDLED_RISE = 120;

export const CLEAR = 7;

export const LANE = 7;

export const SAMPLES = 24;

export const EDGE = 4;

export const LEANS = [
  [0.5, 0.5],
  [0.35, 0.65],
  [0.65, 0.35],
  [0.25, 0.8],
  [0.8, 0.25],
  [0.15, 0.95],
  [0.95, 0.15],
] as const;

/** Between a new answer and the answer beside it: room for two probabilities. */
export const ANSWER_GAP = 96;

/** Between the box and the one at its left: room for a percentage and a tie. */
export const RIGHT_GAP = 60;

/** Between the box and the one at its right: room for a mark and a tie. */
export const LEFT_GAP = 72;

/** Between the two boxes, across and up or down, where they are not side by side. */
export const DIAGONAL = 14;

/** Between the box and the ends of the circuit. */
export const INJECTED_MARGIN = 4;

export const EDGE_CLEARANCE = 5;

/** Above a new answer that is beside no other. */
export const ANSWER_TOP = 12;

/** Between the places that are tried for it. */
export const ANSWER_STEP = 12;

/** Between the places of a grid that are tried for a box which has no room beside its own. */
export const PLACE_STEP = 16;

/** How many of them, nearest first, are tried for one that no edge crosses. */
export const MOST_PLACES = 40;

/** From the right and from the top, of a box that belongs to none of the circuit. */
export const CORNER = [12, 30] as const;

export const NUMBER_HEIGHT = 14;

/** Between the ends of a number and the ends of its ground. */
export const NUMBER_INSET = 3;

/** Between a number and a box. */
export const NUMBER_CLEARANCE = 2;

/** Height above a box where its result, or the mark on it, may be. */
export const ABOVE_BOX = 22;

/** Places that are tried before the middle of an edge, and as many after it. */
export const NUMBER_STEPS = 14;

/** Between two of these places, as a share of the whole edge. */
export const NUMBER_STEP = 0.03125;

/** Widths of edges without sign, thinnest first. */
export const FAINT_WIDTHS = [0.7, 1.1, 1.7] as const;

/** Width of an edge without sign, before it is rounded up to one of FAINT_WIDTHS, as a share of an edge of a circuit. */
export const FAINT_PART = 0.6;

/** Width of an edge of the map with its sign, as a share of an edge of a circuit. */
export const SIGNED_PART = 0.55;

export const THINNEST_SIGNED = 0.6;

/** Opacity of an edge of a circuit. */
export const EDGE_OPACITY = 0.85;

/** Opacity of an edge whose source has faded. */
export const FADED_EDGE_OPACITY = 0.35;

/** Opacity of an edge of the map with its sign, before it fades with its source. */
export const MAP_EDGE_OPACITY = 0.75;

/** Most edges of the map that are drawn with their sign while nothing is selected: the strongest. */
export const SIGNED_EDGES = 300;

/** Most edges that are drawn without sign behind them: more are a fog. */
export const FAINT_EDGES = 1200;

/** Opacity of all these behind the edges of the circuit, of the selection or of the hovered node. */
export const BEHIND = 0.4;

/** Opacity of errors outside the circuit, and of their edges: features are what can be read. */
export const ERROR_OPACITY = 0.7;

/** Width of the rim of a node of the map. */
export const RIM_WIDTH = 1;

/** Width of the rim of a pinned node. */
export const PINNED_RIM_WIDTH = 1.8;

/** Opacity of a feature of which an intervention left nothing. */
export const LEAST_PRESENCE = 0.18;

/** Opacity of the label of a feature of which an intervention left nothing: less would not be legible. */
export const LEAST_LABEL_PRESENCE = 0.6;

/** Opacity of an output that is never sampled. */
export const LEAST_OUTPUT_PRESENCE = 0.3;

/** Height of the band that the errors of a layer are where they are no nodes, in a row with room for it. */
export const ERROR_BAND = 9;

export const LEAST_BAND_PRESENCE = 0.12;

/** Opacity of such a band where it has no influence, and where it has most of all. */
export const MOST_BAND_PRESENCE = 0.5;

/** Part of an edge that is drawn in full though no pruning keeps it, so that its sign and its ends can be seen. */
export const LEAST_WHOLE = 0.2;

/** Width of the line in the middle of an edge, in pixels. */
export const OPEN_WIDTH = 0.6;

/** Opacity of the line in the middle, as a share of the edge's. */
export const OPEN_OPACITY = 0.45;

/** Corners of the shape of an output, as shares of its radius. */
export const PENTAGON = [
  [0, -1.08],
  [1, -0.1],
  [1, 0.86],
  [-1, 0.86],
  [-1, -0.1],
] as const;

/** Most explained tokens written beside their pentagons. */
export const MOST_ANSWERS = 3;

/** Most tokens with bars. */
export const TOKEN_ROWS = 5;

/** Where bars of activations end at least, as a share of before. */
export const LEAST_SCALE = 1.25;

/** Where bars of activations end at most. */
export const FARTHEST = 3;
