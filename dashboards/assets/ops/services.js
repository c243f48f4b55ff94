// On-line services as they tell of themselves: visits, cases and what became of them, and which have gone silent.
import { get, query } from "../lib/api.js";
import { addTexts, number, t } from "../lib/i18n.js";
import { h, fill, calmly, swap } from "../lib/dom.js";
import { covers, table, th } from "../lib/staff.js";
import { clock, lasting, pick, word } from "../desk/parts.js";
import { age, ages, round } from "./parts.js";
import { texts } from "./services-strings.js";

addTexts(texts);

const DAYS = [1, 7, 30];
const CLASSES = ["handling", "query", "publication", "page"];
const ROWS_MAX = 1000;
const EVERY_MS = 5000;
const OLD_SECS = 15; // an answer that is older is no longer what is
const SILENT_SECS = 86400; // a service that nobody visits for so long is looked at

const sum = (rows, key) => rows.reduce((all, row) => all + (row[key] || 0), 0);
const latest = (rows) => rows.reduce((at, row) => (row.last_at > at ? row.last_at : at), "");
const uniquely = (rows, key) => Array.from(new Set(rows.map((row) => row[key]).filter(Boolean))).sort();

export function servicesTab(main, page) {
  let days = 7;
  let seen = null; // {rows, at}
  let fault = "";
  let over = false;
  let turn = 0;
  let asked = 0;
  const filter = { class: "", region: "", department: "", state: "", text: "" };
  const now = () => page.live.serverNow();

  const silentSecs = (row) => (now() - Date.parse(row.last_at)) / 1000;
  const isSilent = (row) => silentSecs(row) > SILENT_SECS;
  const regionName = (row) => row.region_name || row.region;

  if (!covers(page.who, "*")) {
    fill(main, h("div.usage", null, h("p.note.warn", { role: "alert" }, t("service.not-yours"))));
    return {};
  }

  async function load() {
    turn += 1;
    asked = Date.now();
    const mine = turn;
    const until = now() + 1000;
    try {
      const from = new Date(until - days * 86400e3).toISOString();
      const answer = await get("/telemetry/counts" + query({ from, before: new Date(until).toISOString(), limit: ROWS_MAX }), { retry: false });
      if (mine !== turn || over) return;
      seen = { rows: answer.items, at: new Date(now()).toISOString() };
      fault = "";
    } catch (error) {
      if (mine !== turn || over) return;
      fault = error.detail || error.message;
    }
    calmly(paint);
  }

  const fits = (row) => (!filter.class || row.class === filter.class) && (!filter.region || regionName(row) === filter.region) && (!filter.department || row.department === filter.department)
    && (!filter.state || isSilent(row) === (filter.state === "silent")) && (!filter.text || (row.name + " " + row.code).toLowerCase().includes(filter.text));

  const results = (row) => (row.results || []).map((one) => h("span.tag", { "data-result": one.result }, word("service-result.", one.result) + " " + number(one.cases)));

  function line(row, most) {
    const silent = isSilent(row);
    return h("tr", { "data-service": row.code, "data-silent": String(silent) }, h("td", null, row.name, h("div.small.dim", null, row.code)), h("td.nowrap", null, t("service-class." + row.class)), h("td", null, regionName(row), row.region_name ? h("div.small.dim", null, row.region) : null), h("td", null, row.department || "—"),
      h("td.share", null, h("span.meter", { "aria-hidden": "true" }, h("span", { style: "width:" + (row.visits * 100) / most + "%" }))), h("td.num", null, number(row.visits)), h("td.num", null, row.cases === null ? "—" : number(row.cases)),
      h("td.num", null, row.cases === null || !row.visits ? "—" : round((row.cases * 100) / row.visits)), h("td", null, results(row)),
      h("td.nowrap", null, h("span.sev." + (silent ? "warning" : "good"), null, silent ? "◆ " + t("service.silent-for", { n: lasting(silentSecs(row)) }) : "● " + t("service.heard")), h("div.small.dim.num", null, clock(row.last_at))));
  }

  const figure = (key, value) => h("div.figure", { "data-figure": key }, h("b.num", null, value), h("span", null, t("service." + key)));

  const slots = { filters: h("div.filters"), fault: h("div"), figures: h("div"), list: h("div") };
  const aged = h("span", { id: "services-age" });

  function paint() {
    if (over) return;
    swap(slots.fault, fault ? h("p.note.bad", { role: "alert" }, t("service.failed") + " " + fault) : null);
    if (!seen) return;
    fill(aged, age(seen.at, OLD_SECS));
    ages(aged, now());
    const rows = seen.rows.filter(fits);
    const last = latest(rows);
    const silent = rows.filter(isSilent).length;
    swap(slots.figures, h("div.figures.services-figures", null, figure("services", number(rows.length)), figure("visits", number(sum(rows, "visits"))), figure("cases", number(sum(rows, "cases"))), figure("silent", (silent ? "◆ " : "") + number(silent)), figure("last", clock(last))));
    const most = Math.max(1, ...rows.map((row) => row.visits));
    const none = t(seen.rows.length ? "list.none" : "service.none");
    swap(slots.list, h("div", null, seen.rows.length >= ROWS_MAX ? h("p.note.warn", null, t("service.part", { n: number(ROWS_MAX) })) : null,
      table([th("service.name"), th("service.class"), th("service.region"), th("service.department"), h("th"), th("service.visits", true), th("service.cases", true), th("service.per-hundred", true), th("service.results"), th("service.state")], rows.map((row) => line(row, most)), none)));
    filters();
  }

  let listed = "";
  function filters() {
    const rows = seen ? seen.rows : [];
    const regions = Array.from(new Set(rows.map(regionName))).sort();
    const departments = uniquely(rows, "department");
    if (listed === JSON.stringify([regions, departments])) return;
    listed = JSON.stringify([regions, departments]);
    const chosen = (key, name, values) => pick(key, [["", t("filter.all")]].concat(values), filter[name], (value) => { filter[name] = value; paint(); });
    const search = h("input.input", { type: "search", value: filter.text, placeholder: t("filter.text") + " /", "aria-label": t("filter.text"), oninput: (event) => { filter.text = event.target.value.trim().toLowerCase(); paint(); }, onkeydown: (event) => { if (event.key === "Escape") event.target.blur(); } });
    fill(slots.filters, pick("usage.days", DAYS.map((n) => [n, t("usage.days-of", { n })]), days, (value) => { days = Number(value); load(); }), chosen("service.class", "class", CLASSES.map((one) => [one, t("service-class." + one)])),
      chosen("service.region", "region", regions.map((one) => [one, one])), chosen("service.department", "department", departments.map((one) => [one, one])), chosen("service.state", "state", ["heard", "silent"].map((one) => [one, t("service." + one)])), search);
  }

  fill(main, h("div.usage", null, slots.filters, h("section.panel.wide", { id: "services" }, h("div.head", null, h("h2", null, t("ops.tab-services")), h("span"), aged), slots.fault, slots.figures, slots.list)));
  fill(slots.list, h("p.dim", null, t("live.boot")));
  filters();
  load();
  return {
    tick() {
      ages(aged, now());
      if (!document.hidden && Date.now() - asked > EVERY_MS) load();
    },
    close() { over = true; },
  };
}
