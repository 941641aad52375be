// What the steps that rewrite the bundle share: its syntax tree, and edits of its text.
import { parse } from "acorn";

export const treeOf = (code) => parse(code, { ecmaVersion: "latest", sourceType: "module" });

/** Shows a node and those inside it, but not those inside one for which `take` is true. */
export function visit(node, parent, take) {
  if (take(node, parent)) return;
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child?.type === "string") visit(child, node, take);
    }
  }
}

/** The code with some of its stretches replaced; none may overlap another. */
export function edited(code, edits) {
  let result = "";
  let done = 0;
  for (const { start, end, text } of edits.sort((a, b) => a.start - b.start)) {
    result += code.slice(done, start) + text;
    done = end;
  }
  return result + code.slice(done);
}
