import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { Button } from "../controls/button";
import type { InterventionJson, NodeId } from "../messages/types";
import { changeableOf, everywhere, featuresOf, intervene } from "../store/interventions";
import type { Store } from "../store/store";
import { count, plainNumber } from "../wording/words";
import type { BoxPopover } from "./active-box";
import { removeBox } from "./edits";
import type { Placed } from "./scene";

interface Props {
  readonly store: Store;
  readonly placed: Placed;
  readonly popover: BoxPopover | null;
  readonly onPopover: (popover: BoxPopover | null) => void;
  /** Closes what is open and goes back to the box. */
  readonly onLeave: () => void;
}

/** The toolbar of a box, a toolbar beside it: ×0, ×−1, ×2, any number, a swap; its members. */
export function BoxToolbar({ store, placed, popover, onPopover, onLeave }: Props) {
  const { box, name } = placed;
  const { intervene: possible, why_not } = store.capabilities.value;
  const { snapshot } = store;
  const features = featuresOf(snapshot, box.nodes);
  const all = useSignal(false);
  const at = (nodes: readonly NodeId[]) => (all.value ? everywhere(snapshot, nodes) : nodes);
  const nodes = at(changeableOf(snapshot, box.nodes));
  const bar = useRef<HTMLDivElement>(null);

  function change(kind: ChangeKind, number: number, event: Event): void {
    if (!Number.isFinite(number)) {
      store.actions.fail({ code: "intervention", message: "Type a number, such as 0.5 or −2, then press Enter." });
      return;
    }
    const together = event instanceof MouseEvent && event.shiftKey;
    void intervene(store, interventionOf(kind, number, kind === "scale" ? nodes : at(features)), together);
  }

  function onKeyDown(event: KeyboardEvent): void {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (event.key === "Escape") onLeave();
    else if (step !== 0 && !(event.target instanceof HTMLInputElement)) {
      const stops = Array.from(bar.current?.querySelectorAll<HTMLElement>("button, input") ?? []);
      stops[stops.indexOf(event.target as HTMLElement) + step]?.focus({ preventScroll: true });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  const why = possible ? "" : why_not;
  return (
    <div
      ref={bar}
      class="toolbar"
      role="toolbar"
      aria-label={`What to do with ${name}`}
      data-test="toolbar"
      onKeyDown={onKeyDown}
    >
      {nodes.length > 0 && (
        <>
          {[0, -1, 2].map((factor) => (
            <Button
              key={factor}
              data-test={`toolbar-${factor}`}
              aria-label={`×${plainNumber(factor)} ${name}`}
              title={why || `${factor === 0 ? "ablate" : "scale"} · with Shift beside the displayed interventions`}
              onClick={(event) => change("scale", factor, event)}
            >
              ×{plainNumber(factor)}
            </Button>
          ))}
          <AnyNumber name={name} why={why} valued={features.length > 0} onNumber={change} />
          <Button
            data-test="toolbar-swap"
            aria-expanded={popover === "swap"}
            title={why || "take the values it has in another prompt"}
            onClick={() => onPopover(popover === "swap" ? null : "swap")}
          >
            swap in…
          </Button>
          {features.length > 0 && (
            <Button
              data-test="toolbar-everywhere"
              aria-pressed={all.value}
              title="change these features at every position of the prompt, not only here"
              onClick={() => {
                all.value = !all.value;
              }}
            >
              {all.value ? "everywhere" : "here"}
            </Button>
          )}
        </>
      )}
      {box.name === null ? (
        <Button data-test="toolbar-unpin" aria-label={`Unpin ${name}`} onClick={() => removeBox(store, box)}>
          unpin
        </Button>
      ) : (
        <Button
          data-test="toolbar-members"
          aria-expanded={popover === "members"}
          onClick={() => onPopover(popover === "members" ? null : "members")}
        >
          {`${count(box.nodes.length, "member")} ▾`}
        </Button>
      )}
    </div>
  );
}

type ChangeKind = "scale" | "set" | "add";

const KINDS: readonly (readonly [ChangeKind, string, string])[] = [
  ["scale", "×", "scale by a factor"],
  ["set", "=", "set to a value"],
  ["add", "+", "add a value"],
];

function interventionOf(kind: ChangeKind, number: number, nodes: readonly NodeId[]): InterventionJson {
  if (kind !== "scale") return { kind, nodes, value: number };
  return number === 0 ? { kind: "ablate", nodes } : { kind: "scale", nodes, factor: number };
}

interface NumberProps {
  readonly name: string;
  readonly why: string;
  /** Whether it has activations, which can be set and added to. */
  readonly valued: boolean;
  readonly onNumber: (kind: ChangeKind, number: number, event: SubmitEvent) => void;
}

/** A number to type, as a factor, a value, or what is added; Enter runs it. */
function AnyNumber({ name, why, valued, onNumber }: NumberProps) {
  const input = useRef<HTMLInputElement>(null);
  const kind = useSignal<ChangeKind>("scale");

  function submit(event: SubmitEvent): void {
    event.preventDefault();
    const number = Number(input.current?.value.trim().replace("−", "-").replace(",", ".") || "NaN");
    onNumber(kind.value, number, event);
    if (!Number.isFinite(number)) input.current?.select();
  }

  return (
    <form onSubmit={submit}>
      <select
        aria-label={`How ${name} is changed`}
        data-test="toolbar-kind"
        value={kind.value}
        onChange={(event) => {
          kind.value = event.currentTarget.value as ChangeKind;
          input.current?.focus({ preventScroll: true });
        }}
      >
        {KINDS.filter(([which]) => valued || which === "scale").map(([which, sign, words]) => (
          <option key={which} value={which} title={words}>
            {sign}
          </option>
        ))}
      </select>
      <input
        ref={input}
        data-test="toolbar-custom"
        inputMode="decimal"
        maxLength={8}
        placeholder="any"
        aria-label={`Scale ${name} by any factor, set it, or add to it`}
        title={why || "a number, then Enter"}
      />
    </form>
  );
}
