/** The header's buttons whose panels are loaded when they are first opened. */

import { useRef } from "preact/hooks";
import { SearchIcon } from "../controls/icons";
import { onFirstUse } from "../controls/on-first-use";
import { Popover } from "../controls/popover";
import type { Store } from "../store/store";

const ExportMenu = onFirstUse(() => import("./export-menu").then((menu) => menu.ExportMenu));
const KeyboardHelp = onFirstUse(() => import("./keyboard-help").then((help) => help.KeyboardHelp));
const RetraceForm = onFirstUse(() => import("./retrace-form").then((form) => form.RetraceForm));
const Search = onFirstUse(() => import("./search").then((search) => search.Search));

/** Opens the search for a node. */
export function SearchButton({ store }: { store: Store }) {
  return (
    <Popover store={store} name="search" label="Search nodes" shortcut="/" face={<SearchIcon />} panel="search-panel">
      <Search store={store} />
    </Popover>
  );
}

/** Opens the menu of files: figures, tables, the circuit. */
export function ExportButton({ store }: { store: Store }) {
  // Outside the menu, which closes when the browser asks for a file.
  const chooser = useRef<HTMLInputElement>(null);
  const face = (
    <>
      Export <span aria-hidden="true">▾</span>
    </>
  );
  return (
    <>
      <Popover store={store} name="export" label="Export, save and open" face={face} panel="export-menu">
        <ExportMenu store={store} onOpen={() => chooser.current?.click()} />
      </Popover>
      <input
        ref={chooser}
        type="file"
        hidden
        accept=".json,application/json"
        data-test="circuit-file"
        onChange={({ currentTarget }) => {
          const file = currentTarget.files?.[0];
          // The same file can be chosen again, also after it changed.
          currentTarget.value = "";
          if (file !== undefined) void openFile(store, file);
        }}
      />
    </>
  );
}

/** Opens a file of a circuit with code that the page loads then. */
async function openFile(store: Store, file: File): Promise<void> {
  try {
    const { openCircuit } = await import("../store/circuit-file");
    await openCircuit(store, file);
  } catch (error) {
    store.actions.fail({ code: "page", message: `The file could not be opened. ${(error as Error).message}` });
  }
}

/** Opens the table of keys and gestures. */
export function HelpButton({ store }: { store: Store }) {
  return (
    <Popover store={store} name="help" label="Keys and gestures" shortcut="?" face="?" panel="help-page">
      <KeyboardHelp store={store} />
    </Popover>
  );
}

/** The pencil beside the prompt, which opens the form for another trace in place. */
export function RetraceButton({ store }: { store: Store }) {
  if (store.capabilities.value.recorded) return null;
  return (
    <Popover store={store} name="retrace" label="Trace another prompt" face="✎" panel="box-popover">
      <RetraceForm store={store} />
    </Popover>
  );
}
