/** Every message; written by `python -m circuit_widget.widget.frontend_types`. */

export type * from "./envelopes";
export type * from "./experiment-messages";
export type * from "./graph-messages";
export type * from "./html-messages";
export type * from "./picture-messages";
export type * from "./study-messages";
