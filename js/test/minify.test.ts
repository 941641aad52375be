import { describe, expect, it } from "vitest";
import { withoutRepeats } from "../minify/repeats.mjs";

const run = async (code: string) => (await import(`data:text/javascript,${encodeURIComponent(code)}`)).default;

async function expectSame(code: string) {
  const short = withoutRepeats(code);
  expect(await run(short)).toEqual(await run(code));
  return short;
}

describe("what a bundle repeats", () => {
  it.each([
    ["strings", 'export default ["a long string","a long string","a long string"]'],
    [
      "strings after words",
      'function f(x){switch(typeof x){case"something":return"something";default:return"something"}}export default f()',
    ],
    ["names", "const a={something:1,method(){return a.something}};const b={something:a?.something};export default b"],
    ["quoted names", 'const a={"data-thing":1,"data-other":2},b={"data-thing":a["data-thing"]};export default b'],
    [
      "names taken apart",
      'const {something:x,other:y}={something:"something",other:2};export default [x,y,"something"]',
    ],
    ["null", "export default [null,null,null,null,null,null,/null/.source].map(x=>x===null?void 0:x)"],
    ["void", "const f=()=>void f.x;export default [f(),void 0,void 0,void 0,void 0]"],
    ["functions", "const {max}=Math;export default Math.max(1,Math.max(2,Math.max(3,Math.max(4,max(5)))))"],
    ["classes", "export default new Set([new Set([1]),new Set([2]),new Set([3]),new Set([4])]).size"],
  ])("keeps its meaning: %s", async (_, code) => {
    await expectSame(code);
  });

  it("is said once", async () => {
    const short = await expectSame('export default [{something:"something"}.something,"something","something"]');
    expect(short.match(/something/g)).toHaveLength(1);
  });

  it("is taken out of style sheets by phrases", async () => {
    const rules = Array.from({ length: 30 }, (_, at) => `.a${at}{display:flex;color:var(--muted);content:attr($)}`);
    const short = await expectSame(`export default ${JSON.stringify(rules.join(""))}+'${rules.join("")}'`);
    expect(short.match(/display:flex/g)).toHaveLength(1);
  });

  it("stays in texts that backticks would change", async () => {
    for (const sign of ["`", "$".concat("{x}"), "\\n", "\\u2019"]) {
      await expectSame(`export default "${`color:red;${sign}`.repeat(60)}"`);
    }
  });
});
