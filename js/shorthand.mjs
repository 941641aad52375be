// JSX compiles to plain calls, shorter than those of the automatic runtime; no module has a variable of these names.
export { Fragment as jsxFragment, h as jsxElement } from "preact";
