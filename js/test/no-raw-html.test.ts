/// <reference types="node" />
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "..");

const REFUSED = [
  "element.innerHTML = text;",
  "element.outerHTML += text;",
  'element["innerHTML"] = text;',
  'element.insertAdjacentHTML?.("beforeend", text);',
  "document.write(text);",
  "element.ownerDocument.writeln(text);",
  "Object.assign(element, { innerHTML: text });",
  "element.append(<div dangerouslySetInnerHTML={{ __html: text }} />);",
  'new DOMParser().parseFromString(text, "text/html");',
  'element.append(<iframe title="x" srcdoc={text} />);',
];
const TAKEN = ["element.textContent = text;", "trait.write(text);", "element.append(<p>{text}</p>);"];

/** The lines of a source file that the rule reports. */
function reported(lines: readonly string[]): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), "raw-html-"));
  try {
    writeFileSync(join(folder, "example.tsx"), lines.join("\n"));
    const rule = join(root, "lint/no-raw-html.grit");
    writeFileSync(
      join(folder, "biome.json"),
      JSON.stringify({ linter: { rules: { preset: "none" } }, plugins: [rule] }),
    );
    const lint = ["lint", "--reporter=json", "--max-diagnostics=none", "."];
    const { stdout } = spawnSync(join(root, "node_modules/.bin/biome"), lint, { cwd: folder, encoding: "utf8" });
    const { diagnostics } = JSON.parse(stdout);
    return diagnostics.map((found: { location: { start: { line: number } } }) => lines[found.location.start.line - 1]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it("the lint rule refuses what parses a text as HTML, and nothing else", () => {
  expect(reported([...REFUSED, ...TAKEN])).toEqual(REFUSED);
});
