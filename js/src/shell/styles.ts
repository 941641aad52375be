/** The one style sheet of the shadow root. */

import boxMenu from "../circuit/box-menu.css";
import circuit from "../circuit/circuit.css";
import comparison from "../comparison/comparison.css";
import nameField from "../controls/name-field.css";
import rows from "../controls/rows.css";
import effects from "../effects/effects.css";
import studies from "../effects/studies.css";
import inspector from "../inspector/inspector.css";
import map from "../map/map.css";
import { paletteStyles } from "../page/theme";
import theme from "../page/theme.css";
import footer from "./footer.css";
import header from "./header.css";
import panes from "./panes.css";
import status from "./status.css";

export const styles = [
  paletteStyles(),
  theme,
  header,
  panes,
  status,
  map,
  comparison,
  rows,
  nameField,
  circuit,
  boxMenu,
  inspector,
  effects,
  studies,
  footer,
].join("\n");
