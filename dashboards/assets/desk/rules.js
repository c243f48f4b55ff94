// Rules: on and off, their text with every fault at its line and column, the variables they may name, their versions, and
// what a rule would have done before it is switched on.
import { get, post, put } from "../lib/api.js";
import { t, nameOf } from "../lib/i18n.js";
import { $, h, fill, openDialog } from "../lib/dom.js";
import { form, table, tell, th } from "../lib/staff.js";
import { button, clock, instant, lasting, listComma, severity, step, typed, word } from "./parts.js";

const CHECK_MS = 500;
const BACKTEST_MS = 120000;
const LOOK_BACK_DAYS = 7;
const DAY_MS = 86400000;

/** What a new rule begins with. */
const EXAMPLE = `version = 1

[[rule]]
id = "my-rule"
name = {zh = "", en = "My rule"}
topic = "flow"
subject = "queue"
when = "longest_wait_minutes > param.most"
for = "5m"
severity = "warning"
param.most = 30
message = {zh = "{label} {longest_wait_minutes} > {param.most}", en = "{label}: {longest_wait_minutes} min of {param.most}"}
notify = ["role:supervisor"]
`;

const path = (id, verb) => "/rules/" + encodeURIComponent(id) + (verb ? "/" + verb : "");
/** Mistakes with their places, and the rule's own tests that do not pass. */
function faultsOf(answer) {
  const { faults = [], failed = [] } = answer || {};
  return faults.concat(failed.map((one) => ({ message: t("rule.test-failed", { name: one.test, at: lasting(((one.failures || [])[0] || {}).at_secs) }) })));
}
const words = (one) => nameOf(one.message) || one.code || "";

/** How many alerts each hour of the day would have had. */
function hours(counts) {
  const most = Math.max(1, ...counts);
  return h("div.hours", { role: "img", "aria-label": t("backtest.by-hour") }, counts.map((n, hour) => h("span", { title: hour + ":00 · " + n, style: "height:" + Math.max(2, Math.round((n / most) * 48)) + "px" }, "")));
}

/** What a run over recorded time found, and what differs from the rule in force. */
function result(seen) {
  const report = seen.report || seen;
  const rule = (report.rules || [])[0] || {};
  const load = report.load || {};
  const found = seen.difference || seen.differences;
  const other = Array.isArray(found) ? found[0] : found;
  const row = (key, value) => (value === undefined || value === null ? null : [h("dt", null, t(key)), h("dd.num", null, h("b", null, String(value)))]);
  return h("div", { "data-backtest": "done" }, h("dl.facts", null, row("backtest.fired", rule.raised), row("backtest.standing", rule.standing), row("backtest.subjects", rule.subjects), row("backtest.median", rule.median_secs === undefined || rule.median_secs === null ? null : lasting(rule.median_secs)),
    row("backtest.longest", rule.longest_secs ? lasting(rule.longest_secs) + " · " + (rule.longest || "") : null), row("backtest.busiest", rule.busiest_10min), row("backtest.per-day", typeof load.per_operator_day === "number" ? Math.round(load.per_operator_day * 10) / 10 : null), row("backtest.missing", rule.without_data ? rule.without_data + " · " + (rule.missing || []).join(listComma()) : null),
    other ? [row("backtest.now", other.in_force === false ? "—" : other.raised_in_force), row("backtest.only-new", other.only_new), row("backtest.only-now", other.only_in_force)] : null),
  (rule.by_hour || []).some(Boolean) ? [h("p.small.dim", null, t("backtest.by-hour")), hours(rule.by_hour)] : null);
}

/** Asks for a period, runs the rule over it, and then perhaps offers to go on. */
function backtest(id, source, goOn) {
  return openDialog((close) => {
    const out = h("div");
    const next = goOn ? h("button.btn.go", { type: "button", disabled: true, "data-do": "go-on", onclick: () => tell(goOn).then((done) => done && close(true)) }, t("rule.enable")) : null;
    return h("div", null, h("h2", null, t("rule.backtest") + " · " + id), goOn ? h("p.dim", null, t("rule.backtest-first")) : null, form(h("div.grid", null, h("label.field", { "data-field": "from" }, h("span", null, t("silence.from")), h("input", { name: "from", type: "datetime-local", value: typed(Date.now() - LOOK_BACK_DAYS * DAY_MS) })),
      h("label.field", { "data-field": "until" }, h("span", null, t("alert.until")), h("input", { name: "until", type: "datetime-local", value: typed(Date.now()) }))), t("rule.run"), async (input) => {
      const body = { from: instant(input.from.value), until: instant(input.until.value) };
      if (source) body.source = source;
      if (next) next.disabled = false; // seen, or seen that it cannot be run
      fill(out, result(await post(path(id, "backtest"), body, { retry: false, patience: BACKTEST_MS })));
    }), out, h("div.btns", null, next, h("button.btn", { type: "button", onclick: () => close(null) }, t("form.cancel"))));
  });
}

export function rulesTab(main, desk, asked) {
  let catalogue = null;

  async function list() {
    await tell(async () => {
      const items = (await get("/rules")).items || [];
      const toggle = (one) => (one.enabled ? step(path(one.id, "disable")) : backtest(one.id, null, () => post(path(one.id, "enable")))).then((done) => done && list());
      fill(main, h("div.page", null, h("section.panel", null, h("h2", null, t("desk.rules"), " ", button("rule.new", () => editor(null), "go")), table([th("order.id"), th("form.name"), th("filter.topic"), th("filter.severity"), th("rule.subject"), th("rule.condition"), th("rule.version", true), th("alert.state"), h("th")], items.map((one) => h("tr", { "data-rule": one.id, "data-enabled": String(one.enabled) },
        h("td.nowrap", null, one.id), h("td", null, nameOf(one.name)), h("td.nowrap", null, word("topic.", one.topic)), h("td.nowrap", null, severity(one.severity)), h("td.nowrap", null, word("subject.", one.subject)), h("td", null, h("code", null, one.when || "")), h("td.num", null, one.version),
        h("td.nowrap", null, one.enabled ? h("span.tag.good", null, "● " + t("rule.on")) : h("span.tag", null, "○ " + t("rule.off"))), h("td.acts", null, button("form.edit", () => editor(one.id)), button("rule.backtest", () => backtest(one.id, null, null)), button(one.enabled ? "rule.disable" : "rule.enable", () => toggle(one)))), t("list.none"))))));
    });
  }

  /** The variables beside the text; a press puts one into it. */
  function variables(area) {
    const subjects = catalogue.subjects || catalogue.items || catalogue;
    const all = Array.isArray(subjects) ? subjects : Object.entries(subjects).map(([kind, list]) => ({ kind, variables: list.variables || list }));
    const put1 = (name) => () => { area.setRangeText(name, area.selectionStart, area.selectionEnd, "end"); area.focus(); area.dispatchEvent(new Event("input")); };
    const unit = (one) => [one.kind || one.type, one.unit === "none" ? "" : one.unit, (one.texts || []).join(" | ")].filter(Boolean).join(" · ");
    return all.map((subject) => h("details", { "data-subject": subject.kind || subject.subject }, h("summary", null, word("subject.", subject.kind || subject.subject)), h("ul", null, (subject.variables || []).map((one) => h("li", null, h("button.variable", { type: "button", onclick: put1(one.name) }, h("code", null, one.name)), h("span.dim.small", null, " " + unit(one)), h("span.small", null, nameOf(one.meaning || one)))))));
  }

  async function editor(id) {
    location.hash = "rules?id=" + (id || "");
  }

  async function edit(id) {
    let whole = { id: "", source: EXAMPLE, versions: [] };
    let timer = 0;
    let turn = 0;
    const ready = await tell(async () => {
      if (id) whole = await get(path(id));
      catalogue = catalogue || await get("/rules/catalogue");
    });
    if (!ready) return;
    const area = h("textarea.source", { id: "source", spellcheck: "false", wrap: "off", "aria-label": t("rule.source") });
    const gutter = h("pre.gutter", { "aria-hidden": "true" });
    const faults = h("div", { id: "faults", role: "status" });
    const save = h("button.btn.go", { type: "button", "data-do": "save", onclick: () => tell(keep) }, t("rule.save"));
    area.value = whole.source;

    const spot = (line, column) => area.value.split("\n").slice(0, line - 1).reduce((n, text) => n + text.length + 1, 0) + Math.max(0, column - 1);
    function go(one) {
      const at = spot(one.line || 1, one.column || 1);
      area.focus();
      area.setSelectionRange(at, Math.min(area.value.length, at + Math.max(1, one.length || 1)));
      area.scrollTop = Math.max(0, ((one.line || 1) - 4) * parseFloat(getComputedStyle(area).lineHeight));
    }
    function number(bad) {
      fill(gutter, area.value.split("\n").map((_, i) => h("span" + (bad.has(i + 1) ? ".bad" : ""), null, (bad.has(i + 1) ? "▲" : "") + (i + 1) + "\n")));
      gutter.scrollTop = area.scrollTop;
    }
    function say(list) {
      number(new Set(list.map((one) => one.line)));
      save.disabled = list.length > 0;
      fill(faults, list.length ? h("ul", null, list.map((one) => h("li", null, h("button.fault", { type: "button", "data-line": one.line, "data-column": one.column, onclick: () => go(one) }, one.line ? h("b.num", null, t("rule.at", { line: one.line, column: one.column })) : "▲", " " + words(one))))) : h("p.good", null, "✓ " + t("rule.fine")));
    }
    async function check() {
      turn += 1;
      const mine = turn;
      try {
        const answer = await post("/rules/check", { source: area.value }, { key: false, retry: false });
        if (mine === turn) say(faultsOf(answer));
      } catch (error) {
        if (mine === turn) say(faultsOf(error.problem).length ? faultsOf(error.problem) : [{ line: (error.problem || {}).line, column: (error.problem || {}).column, message: error.detail || error.message }]);
      }
    }
    async function keep() {
      const name = id || (/^\s*id\s*=\s*"([^"]+)"/m.exec(area.value) || [])[1];
      try {
        await put(path(name || "-"), { source: area.value });
      } catch (error) {
        if (faultsOf(error.problem).length) say(faultsOf(error.problem));
        throw error;
      }
      if (name === id) await edit(id);
      else location.hash = "rules?id=" + name;
    }
    area.addEventListener("input", () => { number(new Set()); save.disabled = true; clearTimeout(timer); timer = setTimeout(check, CHECK_MS); });
    area.addEventListener("scroll", () => { gutter.scrollTop = area.scrollTop; });
    const version = (one) => h("li", null, h("button.fault", { type: "button", onclick: () => { area.value = one.source; check(); } }, t("rule.version-n", { n: one.number || one.version })), h("span.dim", null, " " + clock(one.at) + " · " + one.by));
    fill(main, h("div.editor", null, h("section.panel.code-panel", null, h("h2", null, h("a", { href: "#rules" }, "‹ " + t("desk.rules")), " ", whole.id || t("rule.new"), " ", whole.id ? h("span.tag" + (whole.enabled ? ".good" : ""), null, t(whole.enabled ? "rule.on" : "rule.off")) : null), h("div.code", null, gutter, area), faults,
      h("div.btns", null, save, h("button.btn", { type: "button", "data-do": "check", onclick: check }, t("rule.check")), id ? h("button.btn", { type: "button", "data-do": "backtest", onclick: () => backtest(id, area.value, null) }, t("rule.backtest")) : null)),
    h("aside.side", null, h("section.panel", { id: "catalogue" }, h("h2", null, t("rule.variables")), variables(area)), (whole.versions || []).length ? h("section.panel", null, h("h2", null, t("rule.versions")), h("ul.versions", null, whole.versions.slice().reverse().map(version))) : null)));
    number(new Set());
    await check();
  }

  if (asked.has("id")) edit(asked.get("id") || null);
  else list();
  return {};
}
