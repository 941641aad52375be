import { Fragment } from "preact";
import { Button } from "../controls/button";
import type { Store } from "../store/store";

type Rows = readonly (readonly [keys: string, what: string])[];

const SECTIONS: readonly { readonly title: string; readonly rows: Rows }[] = [
  {
    title: "map",
    rows: [
      ["click", "select · Shift or Ctrl toggles"],
      ["drag a node onto a node", "group both into a supernode"],
      ["drag a node into the circuit", "keep it, or add it to a box"],
      ["Shift and drag the ground", "select what is inside"],
      ["drag the ground · Ctrl wheel · Shift wheel", "pan · zoom · scroll"],
      ["click a grey band", "its strongest nodes · again: close"],
      ["+ · − · 0", "zoom in · out · show all"],
      ["arrow keys · Enter · Space", "walk · select · add to the selection"],
      ["p · g · u", "pin · group the selection · ungroup"],
    ],
  },
  {
    title: "circuit",
    rows: [
      ["c · click a dashed box", "propose a circuit · why, accept, refuse"],
      ["drag a box", "move it · onto another: group"],
      ["drag out of the member list", "take a member out"],
      ["double-click · F2", "rename"],
      ["arrow keys · Enter · Space", "walk · select · add to the selection"],
      ["Alt and arrow keys", "move the box"],
      ["a · d", "ablate (×0) · go to the toolbar"],
      ["m · u · Delete", "members · ungroup · remove from the circuit"],
    ],
  },
  {
    title: "interventions",
    rows: [
      ["×0 · ×−1 · ×2 · ×any", "re-run the model with the box scaled"],
      ["= · + beside the number", "set its features to a value · add to them"],
      ["here · everywhere", "at its positions · at every position"],
      ["swap in…", "give the box its values from another prompt"],
      ["Shift and a toolbar button", "beside the displayed interventions"],
      ["click an intervention", "take it back"],
    ],
  },
  {
    title: "everywhere",
    rows: [
      ["Ctrl Z · Ctrl Shift Z", "undo · redo an edit or an experiment"],
      ["f · drag the edge of a pane", "full screen · resize"],
      ["/", "search nodes · all of a label"],
      ["Escape", "close, cancel, clear"],
      ["?", "this page"],
    ],
  },
];

/** A table of keys and gestures. */
export function KeyboardHelp({ store }: { store: Store }) {
  return (
    <>
      <Button
        class="button icon close"
        aria-label="Close"
        onClick={() => {
          store.popover.value = null;
        }}
      >
        ×
      </Button>
      {SECTIONS.map(({ title, rows }) => (
        <section key={title}>
          <h3 class="caption">{title}</h3>
          <dl>
            {rows.map(([keys, what]) => (
              <Fragment key={keys}>
                <dt>{keys}</dt>
                <dd>{what}</dd>
              </Fragment>
            ))}
          </dl>
        </section>
      ))}
    </>
  );
}
