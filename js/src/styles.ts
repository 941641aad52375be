/** The one style sheet of the shadow root. */

import map from "./map/map.css";
import { paletteStyles } from "./theme";
import theme from "./theme.css";

export const styles = [paletteStyles(), theme, map].join("\n");
