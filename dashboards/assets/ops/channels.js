// API channels, on the operations page and on the desk: the sickest first, as they turn; each with its figures, charts, callers,
// versions and grants, and its calls down to one.
import { get, post } from "../lib/api.js";
import { t, nameOf, number } from "../lib/i18n.js";
import { $, h, fill, calmly, swap, openDialog } from "../lib/dom.js";
import { covers, dialogForm, field, table, tell, th } from "../lib/staff.js";
import { button, choices, clock, fact, facts, instant, pages, percent, pick, typed, word } from "../desk/parts.js";
import { bySickness, health, ms, rate, refusal, why, HEALTH } from "./parts.js";
import { chart } from "./chart.js";

const RESULTS = ["ok", "failed", "refused"];
const WINDOWS = ["five_minutes", "hour", "day"];
const CHARTS = ["calls", "times", "distribution"];
const CALLS_SHOWN = 100;
const CHARTS_EVERY_MS = 15000;
const HISTORY_EVERY_MS = 3000;

const figures = (all) => table([th("channel.window"), th("channel.calls", true), th("channel.success", true), th("channel.median", true), th("channel.p95", true), th("channel.most", true), th("channel.refused", true)],
  all.map((one) => h("tr", { "data-window": one.window }, h("td.nowrap", null, word("channel-window.", one.window)), h("td.num", null, number(one.calls)), h("td.num", null, percent(one.success_percent)), h("td.num", null, ms(one.p50_ms)), h("td.num", null, ms(one.p95_ms)), h("td.num", null, ms(one.max_ms)), h("td.num", null, number(one.refused)))), "");

const uses = (one) => [h("td.num", null, number(one.calls)), h("td.num", null, number(one.failed)), h("td.num", null, number(one.refused))];
const callers = (all) => table([th("channel.caller"), th("channel.version"), th("channel.calls", true), th("channel.failed", true), th("channel.refused", true)],
  all.map((one) => h("tr", null, h("td", null, one.caller || t("channel.others")), h("td", null, one.version || "—"), uses(one))), t("list.none"));
const byVersion = (all) => table([th("channel.version"), th("channel.calls", true), th("channel.failed", true), th("channel.refused", true)],
  Object.entries(all).map(([version, one]) => h("tr", { "data-version": version }, h("td", null, version || t("channel.no-version")), uses(one))), t("list.none"));

const versions = (one) => one.versions.map((version) => version.version + " " + word("version-state.", version.state)).join(" · ");
const grants = (one) => one.grants.filter((grant) => !grant.revoked_at).map((grant) => grant.caller + (grant.version ? " → " + grant.version : "")).join(" · ");

function maintain(path) {
  const end = new Date(Date.now() + 3600e3).toISOString();
  return dialogForm(t("channel.maintain"), [field("until", t("alert.until"), { type: "datetime-local", required: true, value: typed(end) }), field("reason", t("alert.reason"), { required: true, maxlength: 200, autofocus: true })],
    (input) => post(path + "/maintenance", { until: instant(input.until.value), reason: input.reason.value.trim() }), t("form.ok-send"));
}

/** Asks the interface now, and shows what came back. */
const check = (path) => tell(async () => {
  const found = await post(path + "/probe", {}, { patience: 40000 });
  await openDialog((close) => h("div", { "data-checked": "" }, h("h2", null, t("channel.checked")), h("pre.scroll", null, JSON.stringify(found, null, 2)), h("div.btns", null, button("form.ok", () => close(null)))));
});

/** One call whole, with what was asked and answered. */
async function openCall(path, id, page, setup) {
  await tell(async () => {
    const call = await get(path + "/calls/" + encodeURIComponent(id));
    const part = (key, value) => (value === null || value === undefined ? null : [h("h3", null, t(key)), h("pre.scroll", null, typeof value === "string" ? value : JSON.stringify(value, null, 2))]);
    const shown = facts(fact("message.at", clock(call.at, true)), fact("channel.caller", call.caller), fact("channel.version", call.version), fact("channel.result", word("call-result.", call.result)), fact("alert.reason", refusal(call.reason)), fact("channel.status", call.status), fact("channel.ms", call.duration_ms && ms(call.duration_ms)), fact("channel.trace", call.trace_id));
    await openDialog((close) => h("div", { "data-call-shown": call.id }, h("h2", null, t("channel.call") + " " + call.id), shown, part("channel.request", call.request), part("channel.response", call.response),
      h("div.btns", null, button("form.ok", () => close(null)), setup && setup.probe && page.may("engineer") ? button("channel.check", () => check(path), "go") : null)));
  });
}

/** The last calls of one channel, with filters and further pages; load() begins anew. */
function callHistory(id, page, setupOf) {
  const path = "/channels/" + encodeURIComponent(id);
  const filter = { result: "", trace_id: "", caller: "" };
  const row = (call) => h("tr", { "data-call": call.id, "data-result": call.result, onclick: () => openCall(path, call.id, page, setupOf()) }, h("td.nowrap", null, clock(call.at, true)), h("td", null, h("a", { href: "#channels?id=" + encodeURIComponent(id), "data-go": "", onclick: (event) => event.preventDefault() }, call.path_family || call.id)), h("td", null, call.caller, call.version ? " · " + call.version : ""),
    h("td.nowrap", null, h("span.sev." + (call.result === "ok" ? "good" : call.result === "failed" ? "critical" : "warning"), null, word("call-result.", call.result)), " ", call.status || "", h("div.dim", null, refusal(call.reason))), h("td.num", null, ms(call.duration_ms)), h("td.trace", null, call.trace_id || "—"));
  const list = pages(path + "/calls", [th("message.at"), th("channel.call"), th("channel.caller"), th("channel.result"), th("channel.ms", true), th("channel.trace")], row, t("channel.no-calls"));
  const load = () => list.load(Object.assign({ limit: CALLS_SHOWN }, filter));
  const find = (name, key) => h("input.input", { type: "text", "data-filter": key, placeholder: t(key), "aria-label": t(key), onchange: (event) => { filter[name] = event.target.value.trim(); load(); } });
  const node = h("div", { id: "channel-calls" }, h("div.history-filters", null, h("h3", null, t("channel.history")), pick("channel.result", choices("call-result.", RESULTS), "", (value) => { filter.result = value; load(); }), find("caller", "channel.caller-find"), find("trace_id", "channel.trace-find"), button("list.again", load)), list.node);
  load();
  return { node, load, whole: () => list.items.length <= CALLS_SHOWN };
}

/** The three charts of one channel. */
function chartsOf(id) {
  let window = "hour";
  const all = CHARTS.map((kind) => ({ kind, picture: chart(kind) }));
  const load = () => all.forEach(({ kind, picture }) => picture.load("/channels/" + encodeURIComponent(id) + "/charts/" + kind + ".svg?window=" + window));
  const chosen = pick("channel.window", WINDOWS.map((one) => [one, word("channel-window.", one)]), window, (value) => { window = value; load(); });
  load();
  return { node: h("div", { id: "channel-charts" }, h("div.filters", null, h("h3", null, t("channel.charts")), chosen), h("div.charts", null, all.map((one) => one.picture.node))), load };
}

export function channelsTab(main, page, asked) {
  const { live, who } = page;
  let chosen = asked.get("id");
  let shown = null; // {id, topic, face, charts, history, newest, charted, listed}
  const filter = { state: "", text: "" };
  const topics = covers(who, "*") ? ["channels"] : (who.halls || []).map((hall) => "channels." + hall);
  const followed = page.topics.channels ? [] : topics; // the operations page follows them anyway
  live.add(followed);

  const all = () => topics.map((topic) => live.data(topic)).filter(Boolean).reduce((list, data) => list.concat(data.items || []), []);
  const fits = (one) => (!filter.state || one.health === filter.state) && (!filter.text || [one.id, nameOf(one.name), one.provider, one.group].join(" ").toLowerCase().includes(filter.text.toLowerCase()));

  const line = (one) => h("tr", { "data-item": one.id, "aria-selected": String(one.id === chosen), onclick: () => choose(one.id) },
    h("td", null, h("a", { href: "#channels?id=" + encodeURIComponent(one.id), "data-go": "", onclick: (event) => event.preventDefault() }, nameOf(one.name)), h("div.dim.small", null, [one.id, one.group, one.provider].filter(Boolean).join(" · "))),
    h("td.nowrap", null, health(one.health), h("div.dim.small", null, clock(one.health_since))), h("td.num", null, rate(one.calls_per_sec)), h("td.num", null, ms(one.p95_ms)), h("td.num" + (one.error_percent > 0 ? ".hot" : ""), null, percent(one.error_percent)));

  function paintList() {
    const known = topics.some((topic) => live.data(topic));
    const rows = all().filter(fits).sort(bySickness);
    const none = t(!known ? "live.boot" : all().length ? "list.none" : covers(who, "*") ? "channel.none" : "ops.none-of-yours");
    swap($("channel-list"), table([th("channel.name"), th("alert.state"), th("channel.per-sec", true), th("ops.p95", true), th("ops.errors", true)], rows.map(line), none));
  }

  function face(one) {
    const path = "/channels/" + encodeURIComponent(one.id);
    const engineer = page.may("engineer");
    return h("div", { id: "channel-face", "data-detail": one.id }, h("h2", null, nameOf(one.setup.name), " ", h("span.dim", null, one.id)), h("p", null, health(one.health), " · ", t("channel.since-at", { at: clock(one.health_since) }), one.health_reason ? " · " + why(one.health_reason) : ""),
      engineer ? h("div.btns", null, one.setup.probe ? button("channel.check", () => check(path), "go") : null, one.maintenance ? button("channel.maintain-end", () => tell(() => post(path + "/maintenance", {}))) : button("channel.maintain", () => maintain(path))) : null,
      h("h3", null, t("channel.figures")), figures(one.figures),
      one.late ? h("p.dim.small", { id: "told-late" }, t("channel.told-late", { n: number(one.late) })) : null);
  }

  function more(one) {
    const refused = Object.entries(one.refusals).filter(([, count]) => count > 0).map(([code, count]) => word("call-refusal.", code) + " " + number(count)).join(" · ");
    return h("div", null, facts(fact("channel.provider", one.setup.provider), fact("channel.group", one.setup.group), fact("channel.direction", word("direction.", one.setup.direction)), fact("alert.hall", one.setup.hall), fact("channel.maintenance", one.maintenance && clock(one.maintenance.from) + "–" + clock(one.maintenance.until) + " " + one.maintenance.reason),
      fact("channel.versions", versions(one)), fact("channel.grants", grants(one)), fact("channel.refusals", refused)),
    h("h3", null, t("channel.callers")), callers(one.callers), one.by_version ? [h("h3", null, t("channel.by-version")), byVersion(one.by_version)] : null);
  }

  function paintDetail() {
    if (!shown || !shown.face || !$("channel-top")) return;
    swap($("channel-top"), face(shown.face));
    swap($("channel-more"), more(shown.face));
    const newest = ((shown.face.last_calls || [])[0] || {}).id;
    if (newest && shown.newest && newest !== shown.newest) shown.fresh = true;
    if (newest) shown.newest = newest;
  }

  function leave() {
    if (shown) live.remove([shown.topic]);
    shown = null;
  }

  async function show(id) {
    leave();
    if (!id) return fill($("item"), h("p.dim", null, t("channel.choose")));
    const mine = { id, topic: "channel." + id, face: null, newest: null, charted: Date.now(), listed: Date.now() };
    shown = mine;
    try {
      const one = await get("/channels/" + encodeURIComponent(id), { retry: false });
      if (shown !== mine) return null;
      mine.face = one;
      mine.charts = chartsOf(id);
      mine.history = callHistory(id, page, () => mine.face.setup);
      fill($("item"), h("div", { id: "channel-top" }), mine.charts.node, h("div", { id: "channel-more" }), mine.history.node);
      paintDetail();
      live.follow(mine.topic, (data) => { mine.face = data; if (shown === mine) calmly(paintDetail); });
    } catch (error) {
      if (shown === mine) fill($("item"), h("p.note.bad", { role: "alert" }, error.detail || error.message));
    }
    return null;
  }

  function choose(id) {
    if (id === chosen && shown) return;
    chosen = id;
    history.replaceState(null, "", "#channels?id=" + encodeURIComponent(id));
    paintList();
    show(id);
  }

  const search = h("input.input", { type: "search", placeholder: t("filter.text") + " /", "aria-label": t("filter.text"), oninput: (event) => { filter.text = event.target.value; paintList(); }, onkeydown: (event) => { if (event.key === "Escape") event.target.blur(); } });
  fill(main, h("div.split", null, h("section.panel.rows", null, h("div.filters", null, pick("filter.state", choices("health.", HEALTH), "", (value) => { filter.state = value; paintList(); }), search), h("div", { id: "channel-list" })), h("section.panel.detail", { id: "item" })));
  paintList();
  show(chosen);
  return {
    paint: () => calmly(paintList),
    close() { leave(); live.remove(followed); },
    tick() {
      if (!shown || !shown.charts || document.hidden) return;
      const now = Date.now();
      if (now - shown.charted > CHARTS_EVERY_MS) { shown.charted = now; shown.charts.load(); }
      if (shown.fresh && now - shown.listed > HISTORY_EVERY_MS && shown.history.whole()) { shown.fresh = false; shown.listed = now; shown.history.load(); }
    },
  };
}
