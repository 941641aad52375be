/** Undo and redo over immutable values, each step with a name for the user. */

const DEEPEST = 200;

interface Step<T> {
  readonly value: T;
  readonly what: string;
}

/** What a view can go back and forth to; the present value itself is kept by whoever owns it. */
export class History<T> {
  #past: Step<T>[] = [];
  #future: Step<T>[] = [];

  /** Remembers the value before an edit; what had been undone is forgotten. */
  push(before: T, what: string): void {
    this.#past.push({ value: before, what });
    if (this.#past.length > DEEPEST) this.#past.shift();
    this.#future = [];
  }

  /** The value to go back to, given the present one; null when there is none. */
  undo(present: T): T | null {
    return step(this.#past, this.#future, present);
  }

  /** The value to go forward to, given the present one; null when there is none. */
  redo(present: T): T | null {
    return step(this.#future, this.#past, present);
  }

  /** What undo would take back; null for nothing. */
  get undoName(): string | null {
    return this.#past.at(-1)?.what ?? null;
  }

  /** What redo would bring back; null for nothing. */
  get redoName(): string | null {
    return this.#future.at(-1)?.what ?? null;
  }
}

function step<T>(from: Step<T>[], to: Step<T>[], present: T): T | null {
  const taken = from.pop();
  if (taken === undefined) return null;
  to.push({ value: present, what: taken.what });
  return taken.value;
}
