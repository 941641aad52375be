/** An HTML file for readers: its content as the widget model that a notebook would hand over, with no kernel behind it. */

import type { Failed, HtmlContent, Reply, Request, RequestName, Requests, SnapshotMessage } from "../messages/types";
import type { WidgetModel } from "./host";
import type { Listener } from "./local-model";

// The ids of the page's elements: packed content, and picture.
const CONTENT = "circuit-widget-content";
const PICTURE = "circuit-widget-figure";

const VERSION = 1;

const NOT_RECORDED = "This experiment is not in this file.";
const NOT_COMPARED = "This file compares its latest experiments alone: open the graph in Python to compare these two.";
const ELSEWHERE = "The circuit was not opened. It is of another graph, or names nodes that this file does not have: ";
const NO_CARD = "This file has no card of this feature: open the graph in Python to see one.";

type Answers = { readonly [Name in RequestName]?: (body: Requests[Name]["body"]) => Recorded<Name> | string };

/** A recorded reply. */
interface Recorded<Name extends RequestName> {
  readonly body: Requests[Name]["reply"];
  readonly buffers?: readonly DataView[];
}

/** Reads the content of an HTML file; throws where it was cut off or is of another version. */
export async function readHtmlFile(page: Document): Promise<WidgetModel> {
  const packed = bytesOf(page.getElementById(CONTENT)?.textContent ?? "");
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const content = (await new Response(unpacked).json()) as HtmlContent;
  if (content.version !== VERSION) throw new Error(`The file is in version ${content.version} of the format.`);
  const picture = page.getElementById(PICTURE)?.getAttribute("src")?.split("base64,")[1] ?? "";
  return new RecordedModel(content, view(bytesOf(picture)));
}

/** A widget model whose traits stay in the page, and whose requests have recorded answers or none. */
export class RecordedModel implements WidgetModel {
  readonly #traits: Record<string, unknown>;
  readonly #answers: Answers;
  readonly #listeners = new Map<string, Set<Listener>>();

  constructor(content: HtmlContent, picture: DataView) {
    const { snapshot, comparison } = content.traits as {
      snapshot: PackedSnapshot;
      comparison?: PackedComparison | null;
    };
    this.#traits = {
      ...content.traits,
      snapshot: withBuffers(snapshot),
      comparison: comparison ? { ...comparison, snapshot: withBuffers(comparison.snapshot) } : null,
    };
    this.#answers = this.#recorded(content, picture);
  }

  // biome-ignore lint/suspicious/noExplicitAny: as in the interface.
  get(name: string): any {
    return this.#traits[name];
  }

  set(name: string, value: unknown): void {
    if (this.#traits[name] === value) return;
    this.#traits[name] = value;
    this.#emit(`change:${name}`);
  }

  save_changes(): void {}

  on(event: string, listener: Listener): void {
    this.#listeners.set(event, (this.#listeners.get(event) ?? new Set()).add(listener));
  }

  off(event: string, listener: Listener): void {
    this.#listeners.get(event)?.delete(listener);
  }

  /** Answers a request, after this call as a kernel would. */
  send(content: unknown): void {
    const { rid, name, body } = content as Request;
    queueMicrotask(() => {
      const answer = this.#answers[name as RequestName] as
        | ((body: unknown) => Recorded<RequestName> | string)
        | undefined;
      const found = answer?.(body) ?? (this.get("capabilities").why_not as string);
      if (typeof found === "string")
        this.#emit("msg:custom", { type: "error", rid, code: "recorded", message: found } satisfies Failed);
      else
        this.#emit("msg:custom", { type: "reply", rid, body: { ...found.body } } satisfies Reply, found.buffers ?? []);
    });
  }

  #emit(event: string, ...details: unknown[]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) listener(...details);
  }

  #recorded({ effects, comparisons, cards, table, name }: HtmlContent, picture: DataView): Answers {
    const effect = new Map(effects.map((one) => [one.id, one]));
    const comparison = new Map(comparisons.map((one) => [`${one.id} ${one.beside}`, one]));
    const card = new Map(cards.map((one) => [one.node, one]));
    return {
      ping: () => ({ body: {} }),
      cancel: () => ({ body: {} }),
      recall: ({ id }) => {
        const body = effect.get(id);
        if (body === undefined) return NOT_RECORDED;
        this.set("effect", body);
        return { body };
      },
      compare: ({ id, beside }) => {
        const [other, made] = [effect.get(id), comparison.get(`${id} ${beside}`)];
        if (other === undefined) return NOT_RECORDED;
        if (made === undefined) return NOT_COMPARED;
        return { body: { ...made, name: other.name, nodes: other.nodes } };
      },
      card: ({ node }) => {
        const body = card.get(node);
        return body === undefined ? NO_CARD : { body };
      },
      check_nodes: ({ nodes }) => `${ELSEWHERE}${nodes.slice(0, 3).join(", ")}${nodes.length > 3 ? " …" : "."}`,
      table: () => ({
        body: { filename: `${name}-experiments.csv`, mime: "text/csv" },
        buffers: [view(new TextEncoder().encode(table))],
      }),
      figure: () => ({ body: { filename: `${name}.svg`, mime: "image/svg+xml" }, buffers: [picture] }),
    };
  }
}

/** A snapshot whose columns are base64. */
type PackedSnapshot = Omit<SnapshotMessage, "columns"> & {
  readonly columns: Readonly<Record<string, { readonly dtype: string; readonly data: string }>>;
};

interface PackedComparison {
  readonly snapshot: PackedSnapshot;
}

function withBuffers(snapshot: PackedSnapshot) {
  const columns = Object.entries(snapshot.columns).map(([name, column]) => [
    name,
    { ...column, data: view(bytesOf(column.data)) },
  ]);
  return { ...snapshot, columns: Object.fromEntries(columns) };
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
