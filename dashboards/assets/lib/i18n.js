// Language of the page: Chinese first, English by ?lang=en or by the switch, which is remembered.
import { strings } from "./strings.js";
import { memory } from "./dom.js";

const KEY = "hallkeeper.lang";
const known = (value) => (value && /^en/i.test(value) ? "en" : value && /^zh/i.test(value) ? "zh-CN" : null);
const asked = known(new URLSearchParams(location.search).get("lang"));

let current = asked || known(memory.get(KEY)) || "zh-CN";
document.documentElement.lang = current;

export const lang = () => current;
export const otherLang = () => (current === "en" ? "zh-CN" : "en");

/** The language this page starts in, and a kiosk returns to. */
export const homeLang = asked || "zh-CN";

/** Pages with links to one another keep the language that the address of the first asked for; screens do not. */
export function keepLang() {
  if (asked) memory.set(KEY, asked);
}

/** Changes the language without a reload; the page paints itself again. */
export function useLang(next) {
  current = known(next) || "zh-CN";
  document.documentElement.lang = current;
}

/** The visitor's switch: remembered, then the page is loaded again in that language. */
export function switchLang() {
  const next = otherLang();
  memory.set(KEY, next);
  const url = new URL(location.href);
  if (url.searchParams.has("lang")) url.searchParams.set("lang", next);
  if (url.href === location.href) location.reload();
  else location.replace(url.href);
}

/** A page's own texts, in the form of the common table: {key: [Chinese, English]}. */
export function addTexts(table) {
  for (const [key, [zh, en]] of Object.entries(table)) {
    strings["zh-CN"][key] = zh;
    strings.en[key] = en;
  }
}

/** t("ticket.ahead", {n: 3}) fills {n}. An unknown key shows itself, so that a gap is seen at once. */
export function t(key, values, language = current) {
  const line = strings[language][key];
  if (line === undefined) return key;
  return values ? line.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole)) : line;
}

/** The small English print beside the Chinese on public screens; an English page stands alone. */
export const t2 = (key, values) => (current === "en" ? "" : t(key, values, "en"));

/** A name from the server: {"zh","en"} or a bare string. */
export function nameOf(name, language = current) {
  if (name === null || name === undefined) return "";
  if (typeof name === "string") return name;
  return (language === "en" ? name.en || name.zh : name.zh || name.en) || "";
}

/** Puts the texts into the static part of a page: data-t, data-t2 (other language), data-t-label, data-t-hint. */
export function translatePage(root = document) {
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll("[data-t2]")) node.textContent = t2(node.dataset.t2);
  for (const node of root.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", t(node.dataset.tLabel));
  for (const node of root.querySelectorAll("[data-t-hint]")) node.setAttribute("placeholder", t(node.dataset.tHint));
}

export const number = (n) => (typeof n === "number" ? String(n).replace(/\B(?=(\d{3})+$)/g, ",") : "—");
