// Data received and pushed by agreement: feeds, their batches, what is held back, and its correction.
import { get, post } from "../lib/api.js";
import { addTexts, number, nameOf, t } from "../lib/i18n.js";
import { h, fill, openDialog, swap, calmly } from "../lib/dom.js";
import { covers } from "../lib/staff.js";
import { clock } from "../desk/parts.js";
import { texts } from "./feeds-strings.js";

const EVERY_MS = 10000;
const ROWS = 50;

addTexts(texts);

const percent = (value) => (typeof value === "number" ? Math.round(value * 10) / 10 + "%" : "—");
const shown = (value) => (value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value));
const path = (...parts) => "/feeds/" + parts.map(encodeURIComponent).join("/");
const GRAVITY = { late: "critical", incomplete: "warning", ok: "good", empty: "notice" };

/** A table that says so when it is empty. */
function table(heads, rows, none) {
  if (!rows.length) return h("p.dim", null, none);
  return h("div.scroll", null, h("table.table", null, h("thead", null, h("tr", null, heads.map((head) => h("th", null, head)))), h("tbody", null, rows)));
}
const num = (value) => h("td.num", null, value);

/** The tab; it asks again every few seconds until it is closed. */
export function dataTab(root, page) {
  const seen = { feeds: null, detail: null, batches: [], held: null, fixed: [], anomalies: null, fault: null, told: "" };
  let chosen = new URLSearchParams((location.hash.split("?")[1] || "")).get("feed");
  let over = false;
  const slots = { fault: h("div"), list: h("section.panel"), detail: h("div") };
  fill(root, slots.fault, slots.list, slots.detail);

  const word = (name) => { const found = t("feed." + name); return found === "feed." + name ? name : found; };
  const fault = (one) => [one.field, word(one.reason), one.value].filter(Boolean).join(" ");

  async function ask() {
    try {
      seen.feeds = (await get("/feeds")).items;
      if (!chosen && seen.feeds.length) chosen = seen.feeds[0].id;
      if (chosen) await askOne(chosen);
      seen.fault = null;
    } catch (error) {
      seen.fault = error.detail || error.message;
    }
    paint();
  }

  async function askOne(id) {
    const [detail, batches] = await Promise.all([get(path(id)), get(path(id, "batches") + "?limit=" + ROWS)]);
    Object.assign(seen, { detail, batches: batches.items, held: null, fixed: [], anomalies: null });
    if (detail.setup.unit) seen.anomalies = await get(path(id, "anomalies"));
    try {
      seen.held = await get(path(id, "quarantine") + "?limit=" + ROWS);
      seen.fixed = (await get(path(id, "quarantine") + "?limit=" + ROWS + "&state=corrected,waiting,acknowledged")).items;
    } catch (error) {
      if (error.status !== 403) throw error;
    }
  }

  function line(one) {
    const due = one.due_at ? [clock(one.due_at), one.missed ? h("div.hot", null, t("feed.missed", { n: number(one.missed) }) + " · " + t("feed.late-by", { n: number(Math.floor(one.late_secs / 60)) })) : null] : t("feed.any-time");
    const arrived = one.direction === "push" ? one.acknowledged : one.accepted + one.corrected;
    const open = () => { chosen = one.id; ask(); };
    return h("tr" + (one.id === chosen ? ".chosen" : ""), { "data-feed": one.id }, h("td", null, h("button.btn.thin", { type: "button", "data-go": one.id, "aria-pressed": String(one.id === chosen), onclick: open }, nameOf(one.name)), " ", h("span.dim", null, t("feed." + one.direction))),
      h("td", null, h("span.sev." + GRAVITY[one.state], { "data-state": one.state }, t("feed." + one.state))), num(clock(one.last_at)), num(due), num(number(one.received)), num(number(arrived)), num(number(one.corrected)), num(number(one.direction === "push" ? one.failed + one.rejected : one.rejected)), num(percent(one.first_pass_percent)), num(percent(one.success_percent)));
  }

  const batchState = (state) => (state === "corrected" ? t("feed.corrected-state") : word(state));

  function batchLine(one) {
    const again = async () => {
      const answer = await act(() => post(path(chosen, "batches", one.id, "retry"), {}));
      if (answer) seen.told = t("feed.again", { n: number(answer.again) });
      ask();
    };
    const retry = one.direction === "push" && one.failed && seen.detail.setup.target ? h("button.btn.thin", { type: "button", "data-do": "retry", onclick: again }, t("feed.retry")) : null;
    return h("tr", { "data-batch": one.id }, h("td", null, one.id), h("td", null, batchState(one.state)), num(clock(one.last_at || one.opened_at)), num(number(one.received)), num(number(one.direction === "push" ? one.acknowledged : one.accepted + one.corrected)), num(number(one.rejected)), num(number(one.failed)), num(percent(one.first_pass_percent)), num(percent(one.success_percent)), h("td", null, retry));
  }

  async function act(work) {
    try {
      return await work();
    } catch (error) {
      seen.fault = error.detail || error.message;
      return null;
    }
  }

  /** Asks for the record as it should be; what the server still finds wrong stands over the form. */
  async function correct(one) {
    const fields = Object.keys(one.original || {});
    const bad = new Set((one.faults || []).map((each) => each.field));
    for (const each of one.faults || []) if (each.field && !fields.includes(each.field)) fields.push(each.field);
    const answer = await openDialog((close) => {
      const says = h("p.note.bad", { role: "alert", hidden: true });
      const inputs = fields.map((name) => [name, h("input.input", { name, value: shown((one.original || {})[name]), autofocus: bad.has(name) })]);
      const save = async (event) => {
        event.preventDefault();
        const body = {};
        for (const [name, input] of inputs) {
          const before = (one.original || {})[name];
          if (input.value !== shown(before)) body[name] = typeof before === "number" && input.value.trim() !== "" && Number.isFinite(Number(input.value)) ? Number(input.value) : input.value;
          else if (before !== undefined) body[name] = before;
        }
        try {
          await post(path(chosen, "batches", one.batch, "corrections"), { record: one.id, body });
          close(true);
        } catch (error) {
          const faults = (error.problem && error.problem.faults) || [];
          fill(says, error.detail || error.message, faults.map((each) => h("div", null, fault(each))));
          says.hidden = false;
        }
      };
      return h("form", { onsubmit: save }, h("h2", null, t("feed.correct-title", { id: one.id })), h("p.dim", null, (one.faults || []).map(fault).join("; ")), h("p.dim", null, t("feed.masked")), says,
        inputs.map(([name, input]) => h("label.field", null, h("span", null, name + (bad.has(name) ? " ▲" : "")), input)),
        h("div.btns", null, h("button.btn.primary", { type: "submit" }, t("feed.save")), h("button.btn", { type: "button", onclick: () => close(null) }, t("feed.cancel"))));
    });
    if (answer) ask();
  }

  const heldLine = (one) => h("tr", { "data-record": one.id }, num(one.row === null ? "—" : number(one.row)), h("td", null, one.id, h("div.dim", null, one.batch)), h("td", null, (one.faults || []).map((each) => h("div", null, fault(each)))), h("td", null, h("button.btn.thin", { type: "button", "data-do": "correct", onclick: () => correct(one) }, t("feed.correct"))));

  function fixedLine(one) {
    const [was, is] = [one.original || {}, one.body || {}];
    const changed = Object.keys(Object.assign({}, was, is)).filter((name) => one.body && shown(was[name]) !== shown(is[name]));
    return h("tr", { "data-fixed": one.id }, h("td", null, one.id), h("td", null, changed.map((name) => h("div", null, name + " ", h("del", null, shown(was[name])), " → ", h("ins", null, shown(is[name]))))), h("td", null, one.corrected_by === "source" ? t("feed.source") : one.corrected_by || "—"), num(clock(one.corrected_at || one.arrived_at)));
  }

  function detail() {
    const one = seen.detail;
    if (!one) return null;
    const gaps = one.gaps.slice(0, 5).map((gap) => h("div", null, t("feed.gap", { since: clock(gap.since), until: clock(gap.until), n: number(gap.periods_missed) })));
    const compared = one.compared && t("feed.differs", one.compared.difference);
    const some = seen.anomalies && seen.anomalies.found ? t("feed.fixed", { fixed: seen.anomalies.fixed, found: seen.anomalies.found, percent: seen.anomalies.fixed_percent, units: seen.anomalies.by_unit.filter((each) => each.open).map((each) => each.unit || "—").join("、") || "—" }) : null;
    const fact = (key, value) => (value && value.length !== 0 ? [h("dt", null, t(key)), h("dd", null, value)] : null);
    return h("div", { id: "feed-detail" }, h("section.panel", null, h("h2", null, nameOf(one.name) + " · " + one.party), seen.told ? h("p.note", { role: "status" }, seen.told) : null,
      h("dl.facts", null, fact("feed.waiting", one.waiting ? number(one.waiting) : null), fact("feed.gaps", gaps), fact("feed.compared", compared && clock(one.compared.at) + " · " + compared), fact("feed.anomalies", some)),
      h("h3", null, t("feed.batches")), table(["feed.batch", "feed.state", "feed.last", "feed.received", "feed.arrived", "feed.rejected", "feed.failed", "feed.first-pass", "feed.success"].map((key) => t(key)).concat(""), seen.batches.map(batchLine), t("feed.no-batches"))),
    h("section.panel", { id: "quarantine" }, h("h2", null, t("feed.quarantine") + (seen.held && seen.held.total ? " " + number(seen.held.total) : "")),
      seen.held ? table([t("feed.row"), t("feed.record"), t("feed.faults"), ""], seen.held.items.map(heldLine), t("feed.no-quarantine")) : h("p.dim", null, t("feed.not-yours")),
      seen.fixed.length ? [h("h3", null, t("feed.history")), table([t("feed.record"), t("feed.change"), t("feed.by"), t("feed.at")], seen.fixed.map(fixedLine), "")] : null));
  }

  function paint() {
    if (over) return;
    calmly(() => {
      swap(slots.fault, seen.fault ? h("p.note.bad", { role: "alert" }, seen.fault) : h("span"));
      const heads = ["feed.name", "feed.state", "feed.last", "feed.due", "feed.received", "feed.arrived", "feed.corrected", "ops.held", "feed.first-pass", "feed.success"].map((key) => t(key));
      if (seen.feeds) swap(slots.list, table(heads, seen.feeds.map(line), t(covers(page.who, "*") ? "ops.no-feeds" : "ops.no-feeds-of-yours")));
      if (seen.detail) swap(slots.detail, detail());
    });
  }

  ask();
  const timer = setInterval(() => { if (!document.hidden && !document.querySelector("dialog")) ask(); }, EVERY_MS);
  return { paint, close: () => { over = true; clearInterval(timer); } };
}
