// What the JSX of the bundle compiles to: plain calls of h, shorter than those of the automatic runtime.
export { Fragment, h } from "preact";
