/** The widget's frontend as anywidget loads it. */

import { signal as state } from "@preact/signals";
import { render as mount } from "preact";
import { readSnapshot } from "./core/snapshot";
import type { Snapshot } from "./core/types";
import type { Settings, SnapshotMessage } from "./messages/types";
import { VIEW } from "./page/constants";
import { hostTheme, type ThemeName, watchHostTheme } from "./page/theme";
import { App } from "./shell/app";
import { attachKeyboard } from "./shell/keyboard";
import { styles } from "./shell/styles";
import { followPicture } from "./store/notebook-picture";
import { createStore } from "./store/store";
import type { RenderContext, WidgetModel } from "./wire/host";
import { Rpc } from "./wire/rpc";

/** Draws one view of the widget inside a shadow root of its own; returns what takes it away again. */
function render({ model, el, signal }: RenderContext): () => void {
  const lifetime = new AbortController();
  signal?.addEventListener("abort", () => lifetime.abort(), { once: true });
  const root = attachRoot(el);
  const theme = followTheme(model, root, lifetime.signal);

  let graph = new AbortController();
  const show = () => {
    graph.abort();
    graph = new AbortController();
    delete root.dataset.ready;
    const displayed = AbortSignal.any([graph.signal, lifetime.signal]);
    const number = (model.get("snapshot") as Partial<SnapshotMessage> | null)?.number;
    const rpc = new Rpc(model, displayed, () => kernelGone(model, el), number);
    showGraph(model, root, theme, rpc, displayed);
    followPicture(model, rpc, displayed);
  };
  const unlisten = listen(model, "change:snapshot", show);
  show();

  lifetime.signal.addEventListener("abort", () => {
    unlisten();
    mount(null, root);
    root.getRootNode() instanceof ShadowRoot && (root.getRootNode() as ShadowRoot).host.remove();
  });
  return () => lifetime.abort();
}

/**
 * Whether the host knows that no kernel is behind the widget: the notebook was only opened, or its kernel was restarted
 * or shut down. A host that does not know is taken to have one.
 */
function kernelGone(model: WidgetModel, el: HTMLElement): boolean {
  const kernel = model.widget_manager?.kernel;
  return el.classList.contains("jupyter-widgets-disconnected") || kernel === null || kernel?.status === "dead";
}

function attachRoot(el: HTMLElement): HTMLElement {
  const page = el.ownerDocument;
  const host = page.createElement("div");
  // Outside the shadow root, so that the picture in the notebook can tell whether the widget is displayed above it.
  host.className = VIEW;
  const shadow = host.attachShadow({ mode: "open" });
  // A sheet made by script is allowed where a content security policy forbids style elements.
  const sheet = new (page.defaultView ?? window).CSSStyleSheet();
  sheet.replaceSync(styles);
  shadow.adoptedStyleSheets = [sheet];
  const root = page.createElement("div");
  root.className = "circuit-widget";
  shadow.append(root);
  el.append(host);
  return root;
}

function followTheme(model: WidgetModel, root: HTMLElement, signal: AbortSignal) {
  const page = root.ownerDocument;
  const theme = state<ThemeName>("light");
  const update = () => {
    const wanted = (model.get("settings") as Settings | undefined)?.theme ?? "auto";
    theme.value = wanted === "auto" ? hostTheme(page) : wanted;
    root.dataset.theme = theme.value;
  };
  watchHostTheme(page, update, signal);
  signal.addEventListener("abort", listen(model, "change:settings", update));
  update();
  return theme;
}

function showGraph(
  model: WidgetModel,
  root: HTMLElement,
  theme: ReturnType<typeof followTheme>,
  rpc: Rpc,
  signal: AbortSignal,
): void {
  const ready = () => {
    root.dataset.ready = "true";
  };
  let snapshot: Snapshot | null;
  try {
    const message = model.get("snapshot") as SnapshotMessage | null | undefined;
    snapshot = message?.version === undefined ? null : readSnapshot(message);
  } catch (error) {
    mount(<Message title="The graph cannot be displayed." text={(error as Error).message} />, root);
    ready();
    return;
  }
  if (snapshot === null) {
    mount(<Message title="No graph yet." text="Trace a prompt and show its graph: model.trace(prompt).show()" />, root);
    ready();
    return;
  }
  const store = createStore(model, snapshot, rpc, theme, signal);
  attachKeyboard(root, store, signal);
  const page = root.getRootNode();
  const focused = page instanceof ShadowRoot && page.activeElement !== null;
  mount(<App key={graphKey()} store={store} onFrame={ready} />, root);
  // What had the focus went with the last graph's view: keys go on in the map.
  if (focused) root.querySelector<HTMLElement>(".map-canvas")?.focus({ preventScroll: true });
}

let graphs = 0;

/** A new key for each graph, so that nothing of the last one's view stays. */
function graphKey(): number {
  graphs += 1;
  return graphs;
}

function Message({ title, text }: { title: string; text: string }) {
  return (
    <div class="empty-state" role="status" data-test="empty">
      <strong>{title}</strong>
      {text}
    </div>
  );
}

/** Listens to the model until the returned function is called. */
function listen(model: WidgetModel, event: string, listener: () => void): () => void {
  model.on(event, listener);
  return () => model.off(event, listener);
}

export default { render };
