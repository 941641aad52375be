// What the bundle's JSX compiles to: plain calls, shorter than those of the automatic runtime, under names that no
// component has for a variable of its own.
export { Fragment as jsxFragment, h as jsxElement } from "preact";
