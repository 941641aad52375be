// A notebook's part: a widget model in memory, which has no kernel and says so.
import { EMPTY_CIRCUIT } from "../src/core/circuit";
import widget from "../src/index";

const query = new URLSearchParams(location.search);
const theme = query.get("theme") ?? "light";
document.body.classList.add(theme);
const cell = document.getElementById("cell");
cell.style.width = `${query.get("width") ?? 900}px`;

class Model {
  #traits;
  #listeners = new Map();

  constructor(traits) {
    this.#traits = traits;
  }

  get(name) {
    return this.#traits[name];
  }

  set(name, value) {
    if (this.#traits[name] === value) return;
    this.#traits[name] = value;
    this.emit(`change:${name}`);
  }

  save_changes() {}

  on(event, listener) {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
  }

  off(event, listener) {
    this.#listeners.set(
      event,
      (this.#listeners.get(event) ?? []).filter((other) => other !== listener),
    );
  }

  emit(event, ...details) {
    for (const listener of this.#listeners.get(event) ?? []) listener(...details);
  }

  send({ rid }) {
    const error = { type: "error", rid, code: "closed", message: "This page has no kernel." };
    setTimeout(() => this.emit("msg:custom", error, []));
  }
}

const snapshot = await (await fetch("snapshot")).json();
for (const column of Object.values(snapshot.columns)) {
  column.data = new DataView(Uint8Array.from(atob(column.data), (character) => character.charCodeAt(0)).buffer);
}
const effect = await (await fetch("effect")).json();
const model = new Model({
  snapshot,
  circuit: EMPTY_CIRCUIT,
  effect,
  selected: [],
  settings: { theme: "auto", height: Number(query.get("height") ?? 440) },
  capabilities: { intervene: false, why_not: "This page has no kernel.", figure: false },
});
window.model = model;

for (let view = 0; view < Number(query.get("views") ?? 1); view++) {
  const el = document.createElement("div");
  el.style.marginBottom = "20px";
  cell.append(el);
  widget.render({ model, el, signal: new AbortController().signal });
}
