import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Button } from "../controls/button";
import type { Snapshot } from "../core/types";
import type { NodeId } from "../messages/types";
import { changeableOf, intervene } from "../store/interventions";
import type { Store } from "../store/store";
import { type Chosen, Counterparts, pairsWith, useAlignment } from "./alignment";
import type { Placed } from "./scene";

interface Props {
  readonly store: Store;
  readonly placed: Placed;
  readonly onClose: () => void;
}

/** Form for the prompt from which a box takes its values: this prompt, with the words to be changed selected. */
export function SwapForm({ store, placed, onClose }: Props) {
  const { snapshot } = store;
  const nodes = changeableOf(snapshot, placed.box.nodes);
  const prompt = promptText(snapshot);
  const input = useRef<HTMLTextAreaElement>(null);
  const running = useSignal(false);
  const chosen = useSignal<Chosen>(new Map());
  const alignment = useAlignment(store, chosen);
  const { intervene: possible, why_not } = store.capabilities.value;

  useLayoutEffect(() => {
    const [from, to] = wordOf(snapshot, nodes, prompt);
    input.current?.focus({ preventScroll: true });
    input.current?.setSelectionRange(from, to);
  }, []);

  function submit(event: Event): void {
    event.preventDefault();
    const given = input.current?.value.trim() ?? "";
    if (running.value) return;
    if (given === "") {
      store.actions.fail({ code: "intervention", message: "Type the prompt from which the values are taken." });
      return;
    }
    const before = store.effect.value;
    running.value = true;
    const edited = pairsWith(alignment.value, given, chosen.value);
    void intervene(store, { kind: "swap_in", nodes, prompt: given, ...edited }, false).then(() => {
      running.value = false;
      if (store.effect.value !== before) onClose();
    });
  }

  return (
    <form
      class="popover box-popover"
      data-test="swap-form"
      aria-label={`Swap ${placed.name} from another prompt`}
      onSubmit={submit}
      onKeyDown={(event) => {
        const typing = event.target === input.current && !event.shiftKey;
        if (event.key === "Enter" && typing) submit(event);
        if (event.key !== "Escape") return;
        event.stopPropagation();
        onClose();
      }}
    >
      <label>
        <span class="caption">take its values from this prompt</span>
        <textarea
          ref={input}
          class="token-text"
          rows={Math.min(5, prompt.split("\n").length)}
          data-test="swap-prompt"
          spellcheck={false}
          autocomplete="off"
          defaultValue={prompt}
          onInput={(event) => alignment.request(event.currentTarget.value.trim())}
        />
      </label>
      <Counterparts snapshot={snapshot} nodes={nodes} alignment={alignment.value} chosen={chosen} />
      <div class="popover-actions">
        <span>{possible ? "features active there come in, this box's go" : why_not}</span>
        <Button class="button" onClick={onClose}>
          cancel
        </Button>
        <button type="submit" class="button" data-test="swap-run" disabled={running.value}>
          {running.value ? "running" : "run"}
        </button>
      </div>
    </form>
  );
}

/** The prompt as it was typed; where that is not known as it would be: without the token put before it, its words joined as its tokenizer writes them. */
export function promptText(snapshot: Snapshot): string {
  if (snapshot.prompt) return snapshot.prompt;
  const texts = snapshot.tokens.map((token) => token.text);
  if (/^(<.*>|\[[A-Z]+\])$/u.test(texts[0] ?? "")) texts.shift();
  if (texts.some((text) => text.length > 1 && text.startsWith(" "))) return texts.join("").trim();
  return texts.join(" ").replaceAll(" ##", "");
}

/** Where in the prompt the word is at which most of the nodes are. */
export function wordOf(snapshot: Snapshot, nodes: readonly NodeId[], prompt: string): readonly [number, number] {
  const votes = new Map<number, number>();
  for (const id of nodes) {
    const node = snapshot.index.get(id);
    if (node === undefined) continue;
    const position = snapshot.nodePosition[node];
    votes.set(position, (votes.get(position) ?? 0) + 1);
  }
  const [position] = [...votes].sort((a, b) => b[1] - a[1])[0] ?? [];
  const word = position === undefined ? "" : (snapshot.tokens[position]?.text.trim() ?? "");
  const from = word === "" ? -1 : prompt.lastIndexOf(word);
  return from < 0 ? [prompt.length, prompt.length] : [from, from + word.length];
}
