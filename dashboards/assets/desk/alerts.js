// The alerts: what nobody has taken on first, then one's own, then the rest; alerts of one cause in one row.
import { t, nameOf } from "../lib/i18n.js";
import { $, h, fill, calmly, swap, openDialog } from "../lib/dom.js";
import { byId } from "../lib/hall.js";
import { post } from "../lib/api.js";
import { tell as sayFault } from "../lib/staff.js";
import { clock, severity, rank, word, pick, choices, remember, SEVERITIES, TOPICS } from "./parts.js";
import { detail } from "./detail.js";
import { acknowledge, shelve, assign, order } from "./acts.js";
import { loadStrip } from "./load.js";
import * as siren from "./siren.js";

const ROWS_MAX = 300; // more than a person reads; the filters are for the rest

const quiet = (alert) => Boolean(alert.shelved_until || alert.suppressed_by);
const stands = (alert) => alert.state !== "closed";
const isLoud = (alert) => alert.state === "firing" && alert.severity === "critical" && !quiet(alert);

/** Where an alert stands in the list: 0 first. */
export function place(alert, me) {
  if (quiet(alert)) return 8;
  if (isLoud(alert)) return 0;
  if (stands(alert) && alert.state !== "resolved" && (alert.assignee === me || alert.acked_by === me || alert.handler === me)) return 1;
  return { firing: 2, acknowledged: 4, in_progress: 4, resolved: 6, closed: 7 }[alert.state] + (alert.state === "firing" ? rank(alert.severity) / 4 : 0);
}

/** Rows of the list: {id, alerts, lead}; alerts of one group are one row unless it is opened. */
export function rowsOf(alerts, me, opened) {
  const sorted = alerts.slice().sort((a, b) => place(a, me) - place(b, me) || rank(a.severity) - rank(b.severity) || String(b.raised_at).localeCompare(String(a.raised_at)) || byId(a.id, b.id));
  const groups = new Map();
  for (const alert of sorted) {
    const key = alert.group && alert.group.size > 1 ? alert.group.key + (quiet(alert) ? "|quiet" : "") : alert.id;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(alert);
  }
  const rows = [];
  for (const [key, members] of groups) {
    const folded = members.length > 1;
    rows.push({ id: folded ? "group:" + key : members[0].id, lead: members[0], alerts: members, folded });
    if (folded && opened.has("group:" + key)) for (const alert of members) rows.push({ id: alert.id, lead: alert, alerts: [alert], folded: false, member: true });
  }
  return rows;
}

export function alertsTab(main, desk) {
  const me = desk.who.username;
  const opened = new Set();
  const filter = { severity: "", state: "open", hall: "", topic: "", rule: "", text: "" };
  let chosen = null;
  let rows = [];
  let seen = null;      // ids of the last look, to tell what is new
  let told = "";

  const all = () => desk.snapshots().reduce((list, data) => list.concat(data.alerts || []), []);
  const find = (id) => all().find((alert) => alert.id === id);
  /** Of a folded row its gravest alert. */
  const current = () => {
    const row = rows.find((one) => one.id === chosen);
    return row ? find(row.lead.id) : null;
  };
  const pane = detail(desk, current);

  const fits = (alert) => {
    const { text } = filter;
    const words = () => [alert.id, nameOf(alert.name), nameOf(alert.label), nameOf(alert.text), alert.hall, alert.department, alert.handler, alert.assignee, alert.rule].join(" ").toLowerCase();
    const state = filter.state === "open" ? stands(alert) && !quiet(alert) : filter.state === "" ? true
      : filter.state === "shelved" ? Boolean(alert.shelved_until) : filter.state === "suppressed" ? Boolean(alert.suppressed_by) : alert.state === filter.state && !quiet(alert);
    return state && (!filter.severity || alert.severity === filter.severity) && (!filter.hall || alert.hall === filter.hall)
      && (!filter.topic || alert.topic === filter.topic) && (!filter.rule || alert.rule === filter.rule) && (!text || words().includes(text.toLowerCase()));
  };

  function set(name, value) {
    filter[name] = value;
    filters();
    paint();
  }

  function filters() {
    const alerts = all();
    const ids = (name) => Array.from(new Set(alerts.map((alert) => alert[name]).filter(Boolean))).sort(byId);
    const rules = ids("rule").map((rule) => [rule, nameOf(alerts.find((alert) => alert.rule === rule).name)]);
    const looks = [ids("hall"), rules, filter].map((one) => JSON.stringify(one)).join();
    if ($("filters").dataset.looks === looks) return;
    $("filters").dataset.looks = looks;
    const search = h("input.input", { id: "search", type: "search", placeholder: t("filter.text") + " /", "aria-label": t("filter.text"), value: filter.text,
      oninput: (event) => { filter.text = event.target.value; paint(); }, onkeydown: (event) => { if (event.key === "Escape" || event.key === "Enter") event.target.blur(); } });
    const typing = document.activeElement === $("search");
    fill($("filters"), pick("filter.state", [["open", t("filter.open")]].concat(choices("alert-state.", ["firing", "acknowledged", "in_progress", "resolved"]), [["shelved", t("alert.shelved")], ["suppressed", t("alert.suppressed")]]), filter.state, (v) => set("state", v)),
      pick("filter.severity", choices("severity.", SEVERITIES), filter.severity, (v) => set("severity", v)),
      pick("filter.hall", choices("", ids("hall")), filter.hall, (v) => set("hall", v)),
      pick("filter.topic", choices("topic.", TOPICS), filter.topic, (v) => set("topic", v)),
      pick("filter.rule", [["", t("filter.all")]].concat(rules), filter.rule, (v) => set("rule", v)), search);
    if (typing) $("search").focus();
  }

  function marks(alert) {
    return [alert.escalated ? h("span.tag.warn", null, "↑ " + t("alert.escalated")) : null,
      alert.flapping ? h("span.tag.warn", null, "≈ " + t("alert.flapping")) : null, alert.no_data_since ? h("span.tag.warn", null, "? " + t("alert.no-data", { at: clock(alert.no_data_since) })) : null,
      alert.shelved_until ? h("span.tag", null, t("alert.shelved-until", { at: clock(alert.shelved_until) })) : null, alert.suppressed_by ? h("span.tag", null, t("alert.suppressed-by", { by: alert.suppressed_by })) : null,
      alert.work_order ? h("span.tag", null, alert.work_order) : null];
  }

  function line(row) {
    const { lead } = row;
    const open = row.alerts.filter((alert) => alert.state === "firing" && !quiet(alert)).length;
    const group = row.folded ? t("alert.group", { n: (lead.group && lead.group.size) || row.alerts.length }) : null;
    return h("li.row" + (row.member ? ".member" : "") + (open && lead.severity === "critical" ? ".urgent" : ""), { id: "row-" + row.id, role: "option", tabindex: row.id === chosen ? 0 : -1, "aria-selected": String(row.id === chosen),
      "data-row": row.id, "data-alert": row.folded ? null : lead.id, "data-rule": lead.rule, "data-state": lead.state, "data-severity": lead.severity, onclick: () => choose(row.id) },
    severity(lead.severity), h("b.what", null, row.folded ? (opened.has(row.id) ? "▾ " : "▸ ") : "", nameOf(lead.label) || lead.subject.id, " ", nameOf(lead.name), group && h("span.group", null, " ", group)),
    h("span.state", null, row.folded && open ? t("alert.open-of", { open }) : word("alert-state.", lead.state)),
    h("span.num.dim", null, clock(lead.raised_at)), h("span.text", null, nameOf(lead.text), " ", row.folded ? null : marks(lead), lead.assignee || lead.acked_by ? h("span.dim", null, " " + (lead.assignee || lead.acked_by)) : null),
    open ? h("button.btn.thin", { type: "button", "data-do": "ack", title: "A", disabled: desk.frozen(), onclick: (event) => { event.stopPropagation(); choose(row.id); ack(row); } }, t("alert.ack")) : h("span"));
  }

  function nothing() {
    const last = desk.snapshots().map((data) => data.last_pass_at).sort().pop();
    const hidden = all().filter(stands).length;
    return h("div.nothing", null, h("p", null, hidden ? t("alert.none-here", { n: hidden }) : "✓ " + t("alert.none")), h("p.num.dim", { id: "checked" }, t("alert.last-check", { at: clock(last, true) })));
  }

  /** A number of the desk, and the filter that lists what it counts. */
  const chip = (name, key, value, mark) => h("button.chip", { type: "button", "data-chip": key, "aria-pressed": String(filter[name] === key), onclick: () => set(name, filter[name] === key ? (name === "state" ? "open" : "") : key) },
    mark ? mark + " " : "", word(name === "severity" ? "severity." : key === "shelved" || key === "suppressed" ? "alert." : "alert-state.", key), " ", h("b.num", null, value));

  function counts() {
    const sum = (key) => desk.snapshots().reduce((n, data) => n + ((data.counts || {})[key] || 0), 0);
    return h("div.chips", null, chip("state", "firing", sum("unacknowledged")), chip("state", "acknowledged", sum("acknowledged")), chip("state", "in_progress", sum("in_progress")),
      chip("state", "shelved", sum("shelved")), chip("state", "suppressed", sum("suppressed")), h("span.gap"), chip("severity", "critical", sum("critical"), "▲"), chip("severity", "warning", sum("warning"), "◆"), chip("severity", "notice", sum("notice"), "●"));
  }

  function choose(id) {
    const again = chosen === id;
    chosen = id;
    if (id && id.startsWith("group:") && again) { if (!opened.delete(id)) opened.add(id); }
    paint();
    const node = document.querySelector(".row[aria-selected=true]");
    if (node) { node.focus({ preventScroll: true }); node.scrollIntoView({ block: "nearest" }); }
  }

  async function ack(row) {
    const open = row.alerts.filter((alert) => alert.state === "firing" && !quiet(alert));
    if (desk.frozen() || !open.length) return;
    if (open.length === 1) return void acknowledge(open[0]);
    await sayFault(async () => { for (const alert of open) await post("/alerts/" + alert.id + "/ack", {}); });
  }

  function news(alerts) {
    const now = new Set(alerts.map((alert) => alert.id));
    if (seen) {
      for (const alert of alerts) {
        if (!seen.has(alert.id) && alert.state === "firing" && !quiet(alert)) siren.tell(word("severity.", alert.severity) + " · " + nameOf(alert.label) + " " + nameOf(alert.name), nameOf(alert.text), alert.id);
      }
    }
    seen = now;
  }

  function bell() {
    siren.look(!desk.frozen() && all().some(isLoud));
    const node = siren.buttons(bell);
    if (told !== node.textContent + node.innerHTML) { told = node.textContent + node.innerHTML; fill($("bell"), node); }
  }

  function paintNow() {
    if (!$("rows")) return;
    const alerts = all();
    alerts.forEach((alert) => remember(alert.assignee, alert.handler, alert.acked_by));
    news(alerts);
    const known = desk.snapshots().length > 0;
    filters();
    rows = rowsOf(alerts.filter(fits), me, opened);
    if (!rows.some((row) => row.id === chosen)) chosen = rows.length ? rows[0].id : null;
    swap($("counts"), known ? counts() : null);
    swap($("load"), known ? loadStrip(desk.snapshots()) : null);
    const focused = document.activeElement && document.activeElement.dataset && document.activeElement.dataset.row;
    const list = !known ? h("p.dim", null, t("live.boot")) : rows.length ? h("ul", { role: "listbox", "aria-label": t("desk.alerts") }, rows.slice(0, ROWS_MAX).map(line),
      rows.length > ROWS_MAX ? h("li.dim", null, t("alert.more", { n: rows.length - ROWS_MAX })) : null) : nothing();
    if (swap($("rows"), list) && focused) { const again = document.querySelector("[aria-selected=true]"); if (again) again.focus({ preventScroll: true }); }
    const row = rows.find((one) => one.id === chosen);
    pane.show($("detail"), row ? row.lead : null);
    bell();
  }
  const paint = () => calmly(paintNow);

  function key(event) {
    const at = rows.findIndex((row) => row.id === chosen);
    const row = rows[at];
    const pressed = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const moves = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
    if (pressed in moves) return rows.length ? (choose(rows[Math.min(rows.length - 1, Math.max(0, at + moves[pressed]))].id), true) : false;
    if (pressed === "/") return void ($("search").focus()) || true;
    if (pressed === "m") return siren.mute(), bell(), true;
    if (pressed === "?") return help(), true;
    if (!row || desk.frozen()) return false;
    if (pressed === "Enter" && row.folded && event.target.closest(".row")) return choose(row.id), true;
    if (pressed === "a") return void ack(row) || true;
    if (pressed === "s") return void shelve(row.lead) || true;
    if (pressed === "g") return void assign(row.lead, desk.who) || true;
    if (pressed === "w") return void order(row.lead, desk.who) || true;
    return false;
  }

  const help = () => openDialog((close) => h("div", null, h("h2", null, t("help.title")), h("dl.facts", null, [["J / K", "help.move"], ["A", "alert.ack"], ["S", "alert.shelve"], ["G", "alert.assign"], ["W", "alert.order"], ["/", "filter.text"], ["M", "help.mute"], ["Enter", "help.group"], ["?", "help.title"]]
    .map(([sign, key]) => [h("dt", null, h("kbd", null, sign)), h("dd", null, t(key))])), h("div.btns", null, h("button.btn", { type: "button", autofocus: true, onclick: () => close(null) }, t("form.ok")))));

  fill(main, h("div", { id: "counts" }), h("div", { id: "load" }), h("div.filters", { id: "filters" }), h("div.split", null, h("section.rows", { id: "rows" }), h("section.detail", { id: "detail", "aria-live": "polite" })));
  paintNow();
  return { paint, key, tick: () => { bell(); pane.tick(); } };
}
