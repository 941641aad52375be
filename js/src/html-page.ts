/** The frontend as an HTML file for readers has it: it shows the widget in its page. */

import widget from "./index";
import { readHtmlFile } from "./wire/html-file";

/** Shows the widget of an HTML file in its page, or one sentence where the file is not whole. */
async function showFile(page: Document): Promise<void> {
  const el = page.getElementById("circuit-widget-main") ?? page.body.appendChild(page.createElement("main"));
  try {
    widget.render({ model: await readHtmlFile(page), el });
  } catch (error) {
    el.textContent = `This file cannot be displayed, it may have been cut off; get it again. ${(error as Error).message}`;
  }
}

void showFile(document);
