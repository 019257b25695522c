// Opens a page in an installed Chromium and does what a person does; prints what came of it as JSON.
// node look.mjs MODULES CHROMIUM PAGE ACT [ARGUMENT ...]
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modules, program, file, act, ...rest] = process.argv.slice(2);
const need = createRequire(`${modules}/package.json`);
const { chromium } = need("playwright-core");

const ACTS = {
  // axe's rules, all of them, in light and in dark.
  async axe(page) {
    const found = {};
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.evaluate(readFileSync(need.resolve("axe-core/axe.min.js"), "utf8"));
      const result = await page.evaluate(() => axe.run(document, { resultTypes: ["violations", "incomplete"] }));
      const short = one => `${one.id}: ${one.nodes.map(node => node.target).join(" ").slice(0, 300)}`;
      found[colorScheme] = { violations: result.violations.map(short), passes: result.passes.length };
    }
    return found;
  },
  // The colours that are really there in each scheme and on paper.
  async colours(page) {
    const found = {};
    const looks = { light: { colorScheme: "light" }, dark: { colorScheme: "dark" }, print: { media: "print", colorScheme: "dark" } };
    for (const [name, look] of Object.entries(looks)) {
      await page.emulateMedia({ media: "screen", ...look });
      found[name] = await page.evaluate(() => {
        const style = getComputedStyle(document.body), shown = query =>
          [...document.querySelectorAll(query)].filter(node => node.checkVisibility()).length;
        return { text: style.color, back: style.backgroundColor, fields: shown("input"), tables: shown("table"),
          cut: [...document.querySelectorAll(".scroll")].filter(node => getComputedStyle(node).overflowX === "auto").length };
      });
    }
    return found;
  },
  // Only keys: what gets the focus, in which order, and what Enter and letters do there.
  async keyboard(page, table) {
    const focused = () => page.evaluate(() => {
      const node = document.activeElement, label = node.labels && node.labels[0];
      return `${node.tagName.toLowerCase()} ${node.getAttribute("aria-label") || (label || node).textContent.trim()}`;
    });
    const ring = () => page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    const order = [], rings = new Set();
    for (let n = 0; n < 12; n++) {
      await page.keyboard.press("Tab");
      order.push(await focused());
      rings.add(await ring());
    }
    const rows = () => page.evaluate(query =>
      [...document.querySelector(query).tBodies[0].rows].filter(row => !row.hidden).map(row => row.cells[0].textContent), table);
    await page.locator(`${table} button`).first().focus();
    await page.keyboard.press("Enter");
    const up = (await rows())[0];
    await page.keyboard.press("Enter");
    const down = (await rows())[0], sorted = await page.evaluate(() => document.activeElement.parentElement.ariaSort);
    const field = await page.evaluate(query => document.querySelector(query).dataset.filter, table);
    await page.locator(`#${field}`).focus();
    await page.keyboard.type("service_17");
    const filtered = await rows(), told = await page.locator(`#${field}-count`).textContent();
    await page.keyboard.press("Control+a");
    await page.keyboard.press("Delete");
    return { order, rings: [...rings], up, down, sorted, filtered: filtered.length, told, all: (await rows()).length };
  },
  // Whether anything is wider than a window of this many pixels.
  async width(page, columns) {
    await page.setViewportSize({ width: Number(columns), height: 800 });
    return page.evaluate(() => ({ window: innerWidth, page: document.documentElement.scrollWidth }));
  },
  async picture(page, path, columns, scheme) {
    await page.setViewportSize({ width: Number(columns), height: 1000 });
    await page.emulateMedia({ colorScheme: scheme || "light" });
    await page.screenshot({ path, fullPage: false });
    return {};
  },
  async pdf(page, path) {
    await page.pdf({ path, format: "A4" });
    return {};
  },
};

const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage({ bypassCSP: act === "axe", viewport: { width: 1280, height: 900 } });
  const faults = [];
  page.on("pageerror", error => faults.push(String(error)));
  page.on("console", message => ["error", "warning"].includes(message.type()) && faults.push(message.text()));
  page.on("request", request => request.url() !== pathToFileURL(file).href && faults.push(request.url()));
  await page.goto(pathToFileURL(file).href);
  console.log(JSON.stringify({ ...(await ACTS[act](page, ...rest)), faults }));
} finally {
  await browser.close();
}
