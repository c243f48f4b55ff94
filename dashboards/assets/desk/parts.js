// What the desk's tabs share: times, marks, lists that come page by page, and questions to a person.
import { get, post, query } from "../lib/api.js";
import { t, lang } from "../lib/i18n.js";
import { h, fill } from "../lib/dom.js";
import { dialogForm, field, tell, table } from "../lib/staff.js";
import { instantOf, local } from "../lib/zone.js";

const SHAPES = { critical: "▲", warning: "◆", notice: "●" };
export const SEVERITIES = ["critical", "warning", "notice"];
export const TOPICS = ["overdue", "flow", "crowd", "api", "data", "device", "rating", "assessment", "operations"];
export const rank = (severity) => SEVERITIES.indexOf(severity);

export const severity = (value) => h("span.sev." + value, null, (SHAPES[value] || "?") + " " + t("severity." + value));

/** A word of the table, or the server's own when the table has none. */
export function word(prefix, value) {
  const found = t(prefix + value);
  return found === prefix + value ? String(value || "—") : found;
}

/** HH:MM in the halls' zone, with the date when it is not today there. */
export function clock(at, seconds = false) {
  const written = local(at);
  if (!written) return "—";
  const time = written.slice(11, seconds ? 19 : 16);
  return written.slice(0, 10) === local(Date.now()).slice(0, 10) ? time : written.slice(5, 10) + " " + time;
}

/** How long something lasts: in minutes, hours or days, whichever a person would say. */
export function lasting(secs) {
  if (typeof secs !== "number" || !Number.isFinite(secs)) return "—";
  const s = Math.max(0, Math.round(secs));
  if (s < 60) return t("span.secs", { n: s });
  if (s < 5400) return t("span.minutes", { n: Math.round(s / 60) });
  return s < 172800 ? t("span.hours", { n: Math.round(s / 360) / 10 }) : t("span.days", { n: Math.round(s / 8640) / 10 });
}

/** What is left until a time, or how much it is over. */
export function left(at, now) {
  const secs = (Date.parse(at || "") - now) / 1000;
  if (!Number.isFinite(secs)) return "—";
  return secs >= 0 ? t("span.left", { n: lasting(secs) }) : "▲ " + t("span.over", { n: lasting(-secs) });
}

/** When something is due, and what is left until then while it is open. */
export const due = (one, open, desk) => h("td.num.nowrap", null, one.due_at ? [clock(one.due_at), open ? h("div", null, left(one.due_at, desk.live.serverNow())) : null] : "—");

export const percent = (value) => (typeof value === "number" ? Math.round(value * 10) / 10 + "%" : "—");

/** A time typed without a zone is of the halls' own. */
export const instant = (typed) => (typed ? new Date(instantOf(typed)).toISOString() : undefined);
export const typed = (at) => local(at).slice(0, 16);

export const fact = (key, value) => (value === null || value === undefined || value === "" ? null : [h("dt", null, t(key)), h("dd.num", null, value)]);
export const facts = (...rows) => h("dl.facts", null, rows);
export const button = (key, act, kind) => h("button.btn.thin" + (kind ? "." + kind : ""), { type: "button", onclick: act, "data-do": key }, t(key));
export const choices = (prefix, values) => [["", t("filter.all")]].concat(values.map((one) => [one, word(prefix, one)]));

/** A choice above a list. */
export function pick(label, options, value, change) {
  const node = h("select.input", { "aria-label": t(label), title: t(label), "data-filter": label, onchange: () => change(node.value) },
    options.map(([key, words]) => h("option", { value: key }, key === "" ? t(label) + (lang() === "en" ? ": " : "：") + words : words)));
  node.value = value;
  return node;
}

/** Asks for a sentence and sends it. */
export const sentence = (title, name, label, send) => dialogForm(title, [h("label.field.full", { "data-field": name }, h("span", null, label),
  h("textarea", { name, rows: 3, maxlength: 2000, autofocus: true }))], (input) => send(input[name].value.trim()), t("form.ok-send"));

/** Asks for a person. */
export const person = (title, who, send) => dialogForm(title, [field("to", t("desk.person"), { required: true, autofocus: true, maxlength: 64, list: "people" }, t("desk.person-hint", { me: who.username })), people(who)],
  (input) => send(input.to.value.trim() || who.username), t("form.ok-send"));

const known = new Set();
export const remember = (...names) => names.filter(Boolean).forEach((name) => known.add(name));
export const people = (who) => { known.add(who.username); return h("datalist", { id: "people" }, Array.from(known).sort().map((name) => h("option", { value: name }))); };

/** One step of one thing; the answer or null when it was refused, which is then said. */
export async function step(path, body) {
  let answer = null;
  await tell(async () => { answer = (await post(path, body || {})) || {}; });
  return answer;
}

/** What was noted: a person's own words, or the word for why the desk did it. */
const REASONS = { alerts_told: "cause.", alert_resolved: "ending." };
const said = (one) => one.text || (REASONS[one.what] ? word(REASONS[one.what], one.note) : one.note);

/** What happened, newest last. */
export const history = (entries) => h("ol.history", null, (entries || []).map((one) => h("li", null, h("span.num.dim", null, clock(one.at)),
  h("span", null, h("b", null, word("did.", one.what || one.kind)), one.to ? " → " + one.to : "", one.by && one.by !== "clock" ? " · " + one.by : "",
    one.text || one.note ? h("span.quote", null, said(one)) : null))));

/**
 * A list that the server keeps, page by page. `heads` are the heads of its columns, `row(item)` makes a line.
 * Returns {node, load(fields)}: loading begins anew from the first page.
 */
export function pages(path, heads, row, none) {
  const node = h("div.list");
  let fields = {};
  let items = [];
  let turn = 0;
  const paint = (next) => fill(node, table(heads, items.map(row), none), next ? h("div.btns", null, button("list.more", () => more(next))) : null);
  async function more(after) {
    const mine = turn;
    try {
      const answer = await get(path + query(Object.assign({ limit: 50 }, fields, after ? { after } : {})));
      if (mine !== turn) return;
      items = after ? items.concat(answer.items) : answer.items;
      paint(answer.next);
    } catch (error) {
      if (mine === turn) fill(node, h("p.note.bad", { role: "alert" }, error.detail || error.message));
    }
  }
  return {
    node,
    get items() { return items; },
    load(next) {
      if (next) fields = next;
      turn += 1;
      return more(null);
    },
  };
}

export const listComma = () => (lang() === "en" ? ", " : "、");
