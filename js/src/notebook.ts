/** The frontend as a notebook has it: panels that are rarely open are in a module of their own. */

import widget from "./index";
import { offer, share } from "./page/panels-module";
import type { RenderContext } from "./wire/host";

export { share };

export default {
  render(context: RenderContext): () => void {
    offer(context.model.get("_panels"));
    return widget.render(context);
  },
};
