/** The one style sheet of the shadow root. */

import circuit from "./circuit/circuit.css";
import effects from "./effects/effects.css";
import studies from "./effects/studies.css";
import footer from "./footer.css";
import header from "./header.css";
import inspector from "./inspector/inspector.css";
import map from "./map/map.css";
import panes from "./panes.css";
import rows from "./rows.css";
import status from "./status.css";
import { paletteStyles } from "./theme";
import theme from "./theme.css";

export const styles = [
  paletteStyles(),
  theme,
  header,
  panes,
  status,
  map,
  rows,
  circuit,
  inspector,
  effects,
  studies,
  footer,
].join("\n");
