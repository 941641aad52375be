/** What the notebook hands over; its names are the notebook's, and the bundle keeps them. */

/** The part of the notebook's widget model that the frontend uses. */
export interface WidgetModel {
  // biome-ignore lint/suspicious/noExplicitAny: traits are checked where they are read.
  get(name: string): any;
  set(name: string, value: unknown): void;
  save_changes(): void;
  // biome-ignore lint/suspicious/noExplicitAny: the host's event signatures differ by event.
  on(event: string, listener: (...args: any[]) => void): void;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  off(event: string, listener: (...args: any[]) => void): void;
  /**
   * In JupyterLab and Notebook the kernel behind the notebook, null once it was shut down, and the open notebook; other
   * hosts lack them.
   */
  readonly widget_manager?: {
    readonly kernel?: { readonly status?: string } | null;
    readonly context?: { readonly model?: { readonly cells?: Iterable<NotebookCell> } };
  };
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[] | ArrayBufferView[]): void;
}

/** A cell of a notebook in JupyterLab; only one of code has outputs. */
interface NotebookCell {
  readonly outputs?: Outputs;
}

/** The outputs of a cell. */
export interface Outputs {
  readonly length: number;
  get(index: number): { readonly type: string; readonly metadata: Readonly<Record<string, unknown>> };
  set(index: number, output: Readonly<Record<string, unknown>>): void;
}

/** One view of the widget. */
export interface RenderContext {
  readonly model: WidgetModel;
  readonly el: HTMLElement;
  /** Aborts when the view goes away; hosts of older kinds call what `render` returns instead. */
  readonly signal?: AbortSignal;
}
