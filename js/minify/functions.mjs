// Writes the functions of a module as arrow functions, which are shorter.
import { edited, treeOf, visit } from "./tree.mjs";

/** The code with its functions as constants at the top, where they are there as early as functions are. */
export function withArrows(code) {
  const tree = treeOf(code);
  const needed = new Set();
  visit(tree, null, (node, parent) => {
    if (node.type === "Identifier" && needsFunction(node, parent)) needed.add(node.name);
    return false;
  });
  const functions = tree.body.filter(
    (node) => node.type === "FunctionDeclaration" && !node.generator && !needed.has(node.id.name) && !usesThis(node),
  );
  if (functions.length === 0) return code;
  const arrows = functions.map(({ async, id, end, body }) => {
    const parameters = code.slice(id.end, body.start);
    return `${id.name}=${async ? "async" : ""}${parameters}=>${code.slice(body.start, end)}`;
  });
  const rest = edited(
    code,
    functions.map(({ start, end }) => ({ start, end, text: "" })),
  );
  return `const ${arrows.join(",")};${rest}`;
}

/** Whether a name is used in a way that an arrow function, or a constant, does not allow. */
function needsFunction(node, parent) {
  if (parent.type === "MemberExpression") return parent.object === node && parent.property.name === "prototype";
  if (parent.type === "NewExpression") return parent.callee === node;
  return parent.left === node || parent.superClass === node || parent.type === "UpdateExpression";
}

function usesThis(declaration) {
  let found = false;
  visit(declaration, null, (node) => {
    if (node.type === "ThisExpression" || node.type === "MetaProperty" || node.name === "arguments") found = true;
    return node !== declaration && (node.type === "FunctionExpression" || node.type === "FunctionDeclaration");
  });
  return found;
}
