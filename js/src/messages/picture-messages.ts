/** Messages between page and kernel; written by `python -m circuit_widget.widget.frontend_types`. */

/** How often the picture in the notebook was drawn; its outputs have the same id and the number that they are of. */
export interface PictureState {
  readonly id: string;
  readonly number: number;
}

/** An output of the notebook: its media types with their data, and its metadata. */
export interface NotebookOutput {
  readonly id: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** The outputs of the picture as it was drawn last. */
export interface PictureReply {
  readonly outputs: readonly NotebookOutput[];
}
