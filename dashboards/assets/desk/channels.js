// API channels: the sickest first; each with its figures, callers, versions and grants, and its calls down to one.
import { get, post, query } from "../lib/api.js";
import { t, nameOf, number } from "../lib/i18n.js";
import { $, h, fill, openDialog } from "../lib/dom.js";
import { dialogForm, field, table, tell, th } from "../lib/staff.js";
import { button, choices, clock, fact, facts, instant, pages, percent, pick, typed, word } from "./parts.js";

const HEALTH = ["down", "recovering", "degraded", "maintenance", "healthy"];
const MARKS = { healthy: "●", degraded: "◆", down: "▲", recovering: "◇", maintenance: "■" };
const GRAVITY = { down: "critical", recovering: "warning", degraded: "warning", maintenance: "notice", healthy: "good" };
const RESULTS = ["ok", "failed", "refused"];
const FRESH_SECS = 5;

const health = (state) => h("span.sev." + (GRAVITY[state] || "notice"), { "data-health": state }, (MARKS[state] || "?") + " " + word("health.", state));
const ms = (value) => (typeof value === "number" ? number(Math.round(value * 10) / 10) : "—");

/** Why a channel is as it is, in a sentence. */
function why(reason) {
  if (!reason) return "";
  const round = (value) => Math.round(value * 10) / 10;
  const told = Object.assign({}, reason);
  for (const key of ["failed_percent", "slow_percent", "calls_per_minute", "usual"]) if (key in told) told[key] = round(told[key]);
  return t("health-why." + reason.why, told);
}

const figures = (all) => table([th("channel.window"), th("channel.calls", true), th("channel.success", true), th("channel.median", true), th("channel.p95", true), th("channel.most", true), th("channel.refused", true)],
  all.map((one) => h("tr", { "data-window": one.window }, h("td.nowrap", null, word("channel-window.", one.window)), h("td.num", null, number(one.calls)), h("td.num", null, percent(one.success_percent)), h("td.num", null, ms(one.p50_ms)), h("td.num", null, ms(one.p95_ms)), h("td.num", null, ms(one.max_ms)), h("td.num", null, number(one.refused)))), "");

const callers = (all) => table([th("channel.caller"), th("channel.version"), th("channel.calls", true), th("channel.failed", true), th("channel.refused", true)],
  all.map((one) => h("tr", null, h("td", null, one.caller || t("channel.others")), h("td", null, one.version || "—"), h("td.num", null, number(one.calls)), h("td.num", null, number(one.failed)), h("td.num", null, number(one.refused)))), t("list.none"));

const versions = (one) => one.versions.map((version) => version.version + " " + word("version-state.", version.state)).join(" · ");
const grants = (one) => one.grants.filter((grant) => !grant.revoked_at).map((grant) => grant.caller + (grant.version ? " → " + grant.version : "")).join(" · ");

function maintain(path) {
  const end = new Date(Date.now() + 3600e3).toISOString();
  return dialogForm(t("channel.maintain"), [field("until", t("alert.until"), { type: "datetime-local", required: true, value: typed(end) }), field("reason", t("alert.reason"), { required: true, maxlength: 200, autofocus: true })],
    (input) => post(path + "/maintenance", { until: instant(input.until.value), reason: input.reason.value.trim() }), t("form.ok-send"));
}

export function channelsTab(main, desk, asked) {
  let chosen = asked.get("id");
  let secs = 0;
  const filter = { state: "", result: "" };
  const heads = [th("channel.name"), th("alert.state"), th("channel.since", true), th("channel.provider")];
  const list = pages("/channels", heads, (one) => h("tr", { "data-item": one.id, "aria-selected": String(one.id === chosen), onclick: () => show(one.id) },
    h("td", null, h("a", { href: "#channels?id=" + one.id, onclick: (event) => event.preventDefault() }, nameOf(one.setup.name)), h("div.dim", null, one.id)),
    h("td.nowrap", null, health(one.health)), h("td.num.nowrap", null, clock(one.health_since)), h("td", null, one.setup.provider)), t("channel.none"));
  const load = () => list.load({ sort: "rank", state: filter.state });

  async function show(id) {
    const another = id !== chosen || !$("channel-calls");
    chosen = id;
    for (const row of list.node.querySelectorAll("tr[data-item]")) row.setAttribute("aria-selected", String(row.dataset.item === id));
    if (!id) return fill($("item"), h("p.dim", null, t("channel.choose")));
    try {
      const one = await get("/channels/" + encodeURIComponent(id), { retry: false });
      if (id !== chosen) return null;
      if (another) fill($("item"), h("div", { id: "channel-face", "data-detail": id }), h("div", { id: "channel-calls" }));
      fill($("channel-face"), face(one));
      return another ? calls(id) : null;
    } catch (error) {
      return fill($("item"), h("p.note.bad", { role: "alert" }, error.detail || error.message));
    }
  }

  function face(one) {
    const path = "/channels/" + encodeURIComponent(one.id);
    const manages = desk.may("engineer");
    const refused = Object.entries(one.refusals).filter(([, count]) => count > 0).map(([code, count]) => word("call-refusal.", code) + " " + number(count)).join(" · ");
    const again = (done) => done && show(one.id);
    return [h("h2", null, nameOf(one.setup.name), " ", h("span.dim", null, one.id)), h("p", null, health(one.health), " · ", t("channel.since-at", { at: clock(one.health_since) }), one.health_reason ? " · " + why(one.health_reason) : ""),
      manages ? h("div.btns", null, one.maintenance ? button("channel.maintain-end", () => tell(async () => again(await post(path + "/maintenance", {})))) : button("channel.maintain", () => maintain(path).then(again))) : null,
      h("h3", null, t("channel.figures")), figures(one.figures),
      facts(fact("channel.provider", one.setup.provider), fact("channel.direction", word("direction.", one.setup.direction)), fact("alert.hall", one.setup.hall), fact("channel.maintenance", one.maintenance && clock(one.maintenance.from) + "–" + clock(one.maintenance.until) + " " + one.maintenance.reason),
        fact("channel.versions", versions(one)), fact("channel.grants", grants(one)), fact("channel.refusals", refused)),
      h("h3", null, t("channel.callers")), callers(one.callers)];
  }

  function calls(id) {
    const path = "/channels/" + encodeURIComponent(id) + "/calls";
    const row = (call) => h("tr", { "data-call": call.id, onclick: () => open(path, call.id) }, h("td.nowrap", null, clock(call.at, true)), h("td", null, h("a", { href: "#channels?id=" + id, onclick: (event) => event.preventDefault() }, call.path_family || call.id)), h("td", null, call.caller, call.version ? " · " + call.version : ""),
      h("td.nowrap", null, word("call-result.", call.result), call.reason ? h("div.dim", null, word("call-refusal.", call.reason)) : null), h("td.num", null, ms(call.duration_ms)));
    const history = pages(path, [th("message.at"), th("channel.call"), th("channel.caller"), th("channel.result"), th("channel.ms", true)], row, t("channel.no-calls"));
    const again = () => history.load({ result: filter.result });
    fill($("channel-calls"), h("div.filters", null, h("h3", null, t("channel.history")), pick("channel.result", choices("call-result.", RESULTS), filter.result, (value) => { filter.result = value; again(); }), button("list.again", again)), history.node);
    again();
  }

  async function open(path, id) {
    await tell(async () => {
      const call = await get(path + "/" + encodeURIComponent(id));
      const part = (key, value) => (value === null || value === undefined ? null : [h("h3", null, t(key)), h("pre.scroll", null, JSON.stringify(value, null, 2))]);
      const shown = facts(fact("message.at", clock(call.at, true)), fact("channel.caller", call.caller), fact("channel.version", call.version), fact("channel.result", word("call-result.", call.result)), fact("alert.reason", call.reason && word("call-refusal.", call.reason)), fact("channel.status", call.status), fact("channel.ms", call.duration_ms && ms(call.duration_ms)), fact("channel.trace", call.trace_id));
      await openDialog((close) => h("div", { "data-call-shown": call.id }, h("h2", null, t("channel.call") + " " + call.id), shown, part("channel.request", call.request), part("channel.response", call.response), h("div.btns", null, button("form.ok", () => close(null)))));
    });
  }

  fill(main, h("div.split", null, h("section.panel.rows", null, h("div.filters", null, pick("filter.state", choices("health.", HEALTH), "", (value) => { filter.state = value; load(); }), button("list.again", load)), list.node), h("section.panel.detail", { id: "item", "aria-live": "polite" })));
  load();
  show(chosen);
  return {
    tick() {
      secs += 1;
      if (secs % FRESH_SECS === 0 && !document.hidden) { load(); if (chosen) show(chosen); }
    },
  };
}
