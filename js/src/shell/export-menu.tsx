import { type Signal, useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { Button } from "../controls/button";
import { CopyCode } from "../controls/copy-code";
import type { CodeBody, FigureBody } from "../messages/types";
import { saveCircuit } from "../store/circuit-file";
import type { Store } from "../store/store";

const PARTS: readonly (readonly [FigureBody["part"], string])[] = [
  ["both", "map and circuit"],
  ["map", "map"],
  ["circuit", "circuit"],
];

/** A choice once an effect is displayed. */
const INTERVENTION = ["intervention", "intervention, before and after"] as const;

const THEMES: readonly (readonly [FigureBody["theme"], string])[] = [
  ["paper", "paper"],
  ["slides", "slides · larger text"],
  ["grey", "grey · without colour"],
];

const WIDTHS: readonly (readonly [FigureBody["width"], string])[] = [
  [3.25, "3.25 in · one column"],
  [5.5, "5.5 in · text"],
  [6.75, "6.75 in · two columns"],
];

/** What an HTML file has. */
const RECORDED: FigureBody = { format: "svg", width: 6.75, part: "both", theme: "paper" };

const FORMATS: readonly { readonly format: FigureBody["format"]; readonly what: string }[] = [
  { format: "svg", what: "for the web and for editing" },
  { format: "pdf", what: "for papers, with real text" },
  { format: "png", what: "for slides and messages" },
];

/** The menu of formats, of files of the circuit, and of Python lines. */
export function ExportMenu({ store, onOpen }: { store: Store; onOpen: () => void }) {
  const { recorded } = store.capabilities.value;
  return (
    <>
      {recorded ? <RecordedFigure store={store} /> : <Formats store={store} />}
      <CircuitFile store={store} onOpen={onOpen} />
      {!recorded && <Code store={store} />}
    </>
  );
}

/** Saves the circuit as a file that the page, and Circuit.load in Python, open again. */
function CircuitFile({ store, onOpen }: { store: Store; onOpen: () => void }) {
  return (
    <fieldset>
      <legend class="caption">circuit (JSON)</legend>
      <div class="pair">
        <Button
          class="button"
          data-test="save-circuit"
          title="download the circuit as a file; Circuit.load reads it in Python"
          onClick={() => {
            store.popover.value = null;
            saveCircuit(store);
          }}
        >
          Save
        </Button>
        <Button
          class="button"
          data-test="open-circuit"
          title="replace the circuit by that in a file; undo brings this one back"
          onClick={() => {
            store.popover.value = null;
            onOpen();
          }}
        >
          Open…
        </Button>
      </div>
    </fieldset>
  );
}

/** The one figure of an HTML file for readers: a circuit that they change is not in it. */
function RecordedFigure({ store }: { store: Store }) {
  return (
    <>
      <p class="none" data-test="export-why-not">
        The figure as it was when this file was made. Others are drawn in Python.
      </p>
      <div class="formats">
        <Button
          class="button"
          data-test="export-svg"
          onClick={() => {
            store.popover.value = null;
            void store.actions.save(store.kernel.figure(RECORDED));
          }}
        >
          SVG
        </Button>
      </div>
    </>
  );
}

function Formats({ store }: { store: Store }) {
  const part = useSignal<FigureBody["part"]>("both");
  const width = useSignal<FigureBody["width"]>(6.75);
  const theme = useSignal<FigureBody["theme"]>("paper");
  const possible = store.capabilities.value.figure;
  const parts = store.effect.value === null ? PARTS : [...PARTS, INTERVENTION];
  const drawn = parts.some(([one]) => one === part.value) ? part.value : "both";
  return (
    <>
      {!possible && (
        <p class="none" data-test="export-why-not">
          {whyNot(store)}
        </p>
      )}
      <Choice title="what" choices={parts} chosen={part} current={drawn} />
      <Choice title="width" choices={WIDTHS} chosen={width} current={width.value} />
      <Choice title="look" choices={THEMES} chosen={theme} current={theme.value} />
      <div class="formats">
        {FORMATS.map(({ format, what }) => (
          <Button
            key={format}
            class="button"
            data-test={`export-${format}`}
            title={what}
            disabled={!possible}
            onClick={() => {
              store.popover.value = null;
              const body = { format, width: width.value, part: drawn, theme: theme.value };
              void store.actions.save(store.kernel.figure(body));
            }}
          >
            {format.toUpperCase()}
          </Button>
        ))}
      </div>
      <fieldset>
        <legend class="caption">for readers</legend>
        <Button
          class="button"
          data-test="export-html"
          title="the circuit and its experiments in one file that opens in a browser, without Python or a network"
          disabled={!possible}
          onClick={() => {
            store.popover.value = null;
            void store.actions.save(store.kernel.html({}));
          }}
        >
          HTML
        </Button>
      </fieldset>
    </>
  );
}

function whyNot(store: Store): string {
  return (
    store.capabilities.value.why_not ||
    "Figures are drawn by the kernel, and none is connected. Run the notebook's cells."
  );
}

/** Copies Python lines that make the circuit again, or the graph, the circuit and all experiments. */
function Code({ store }: { store: Store }) {
  const written = useMemo(() => {
    const of = (what: CodeBody["what"]) => async () => (await store.kernel.code({ what }))?.body.code ?? null;
    return { circuit: of("circuit"), everything: of("everything") };
  }, [store]);
  return (
    <fieldset>
      <legend class="caption">copy as Python code</legend>
      <div class="pair">
        <CopyCode code={written.circuit} face="Circuit" look="button" test="copy-circuit" />
        <CopyCode code={written.everything} face="Everything" look="button" test="copy-everything" />
      </div>
    </fieldset>
  );
}

interface ChoiceProps<Value> {
  readonly title: string;
  readonly choices: readonly (readonly [Value, string])[];
  /** What a click sets. */
  readonly chosen: Signal<Value>;
  /** The choice that is marked. */
  readonly current: Value;
}

function Choice<Value extends string | number>({ title, choices, chosen, current }: ChoiceProps<Value>) {
  return (
    <fieldset>
      <legend class="caption">{title}</legend>
      {choices.map(([choice, name]) => (
        <label key={choice}>
          <input
            type="radio"
            name={`export-${title}`}
            value={choice}
            checked={choice === current}
            onChange={() => {
              chosen.value = choice;
            }}
          />
          {name}
        </label>
      ))}
    </fieldset>
  );
}
