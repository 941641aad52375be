/** The picture in the notebook, on a page that was loaded after the cell ran: there the kernel's own updates go nowhere. */

import type { PictureState } from "../messages/types";
import { MARK } from "../page/constants";
import type { Outputs, WidgetModel } from "../wire/host";
import type { Rpc } from "../wire/rpc";

/** An output in the notebook that is one of the picture's, by the id that both have. */
interface OldOutput {
  readonly outputs: Outputs;
  readonly index: number;
  readonly id: string;
}

/** Replaces the picture in the notebook now and after each change, wherever it is an older one, until the signal aborts. */
export function followPicture(model: WidgetModel, rpc: Rpc, signal: AbortSignal): void {
  const check = () => void replaceOutdated(model, rpc);
  model.on("change:_picture_state", check);
  signal.addEventListener("abort", () => model.off("change:_picture_state", check), { once: true });
  check();
}

async function replaceOutdated(model: WidgetModel, rpc: Rpc): Promise<void> {
  const state = model.get("_picture_state") as Partial<PictureState> | undefined;
  if (state?.id === undefined || outdated(model, state as PictureState).length === 0 || rpc.kernelGone()) return;
  let made: readonly { readonly id: string; readonly data: object; readonly metadata: object }[];
  try {
    made = (await rpc.request("picture", {}).reply).body.outputs;
  } catch {
    // The next change tries again; nobody waits for this one.
    return;
  }
  for (const { outputs, index, id } of outdated(model, state as PictureState)) {
    const newest = made.find((output) => output.id === id);
    if (newest === undefined) continue;
    outputs.set(index, { output_type: "display_data", data: newest.data, metadata: newest.metadata });
  }
}

/** The places in the notebook where an older picture of this widget is. */
function outdated(model: WidgetModel, state: PictureState): OldOutput[] {
  const found: OldOutput[] = [];
  for (const { outputs } of model.widget_manager?.context?.model?.cells ?? []) {
    for (let index = 0; index < (outputs?.length ?? 0); index++) {
      const mark = outputs?.get(index).metadata?.[MARK] as { output?: unknown; number?: unknown } | undefined;
      if (outputs === undefined || typeof mark?.output !== "string" || mark.number === state.number) continue;
      if (mark.output.startsWith(`${state.id}-`)) found.push({ outputs, index, id: mark.output });
    }
  }
  return found;
}
