// How channels are used: by whom, when, in which version and what; and who may be abusing them, with the reason.
import { get, query } from "../lib/api.js";
import { t, nameOf, number } from "../lib/i18n.js";
import { $, h, fill } from "../lib/dom.js";
import { table, th } from "../lib/staff.js";
import { button, clock, percent, pick } from "../desk/parts.js";
import { zoneName } from "../lib/zone.js";
import { bySickness, ms, round } from "./parts.js";

const DAYS = [1, 7, 28];
const STEPS = 5; // shades of the heat map

const refusedShare = (one) => (one.calls + one.refused ? (one.refused * 100) / (one.calls + one.refused) : null);
const failedShare = (one) => (one.calls ? (one.failed * 100) / one.calls : null);

function lines(head, items, name) {
  const most = Math.max(1, ...items.map((one) => one.calls + one.refused));
  const line = (one) => h("tr", { "data-used": one.key || "" }, h("td.key", null, name(one.key)), h("td.share", null, h("span.meter", { "aria-hidden": "true" }, h("span", { style: "width:" + ((one.calls + one.refused) * 100) / most + "%" }))), h("td.num", null, number(one.calls)), h("td.num", null, percent(failedShare(one))), h("td.num", null, number(one.refused)), h("td.num", null, ms(one.mean_ms)), h("td.num.nowrap", null, clock(one.last_at)));
  return table([th(head), h("th"), th("channel.calls", true), th("ops.errors", true), th("channel.refused", true), th("usage.mean", true), th("usage.last", true)], items.map(line), t("usage.none"));
}

/** By path the calls that left the history are not known. */
const since = (answer) => (answer.incomplete_before ? h("p.small.dim", null, t("usage.incomplete", { at: clock(answer.incomplete_before) })) : null);

/** Weekdays down, hours across; the number is in the square's title and, for who does not see it, in its text. */
function heat(items) {
  const most = Math.max(1, ...items.map((one) => one.calls + one.refused));
  const cell = (one) => {
    const asked = one.calls + one.refused;
    const words = t("usage.cell", { day: t("date.week" + (one.weekday % 7)), hour: one.hour, n: number(asked) });
    return h("td.heat", { "data-heat": asked ? Math.max(1, Math.ceil((asked * STEPS) / most)) : 0, "data-cell": one.weekday + "-" + one.hour, title: words }, h("span.visually-hidden", null, number(asked)));
  };
  const rows = [1, 2, 3, 4, 5, 6, 7].map((day) => h("tr", null, h("th", { scope: "row" }, t("date.week" + (day % 7))), items.filter((one) => one.weekday === day).map(cell)));
  const hours = Array.from({ length: 24 }, (_, hour) => h("th.num", { scope: "col" }, hour % 3 ? "" : hour));
  return h("div", null, h("table.heat-map", { "aria-label": t("usage.heat") }, h("thead", null, h("tr", null, h("td"), hours)), h("tbody", null, rows)),
    h("p.small.dim", null, t("usage.less"), " ", [0, 1, 2, 3, 4, 5].map((step) => h("span.heat.key-square", { "data-heat": step, "aria-hidden": "true" })), " ", t("usage.more", { n: number(most) })));
}

function reason(one) {
  if (one.why === "often_refused") return t("usage.often-refused", { asked: number(one.asked), refused: number(one.refused), percent: round(one.percent) });
  return t("usage.far-above", { at: clock(one.hour), asked: number(one.asked), usual: round(one.usual), times: round(one.times) });
}

function suspects(answer) {
  if (!answer.suspects.length) return h("p.calm", null, "✓ " + t("usage.no-suspects"));
  const shown = answer.suspects.slice(0, 50);
  return h("ul.suspects", null, shown.map((one) => h("li", { "data-suspect": one.caller }, h("p", null, h("b.sev.warning", null, "◆ " + one.caller), " → ", h("a", { href: "#channels?id=" + encodeURIComponent(one.channel), "data-go": "" }, one.channel)), one.reasons.map((why) => h("p.small", { "data-why": why.why }, reason(why))))),
    answer.suspects_from_part ? h("li.small.dim", null, t("usage.part")) : null);
}

const panel = (id, title) => h("section.panel", { id, "aria-labelledby": id + "-title" }, h("h2", { id: id + "-title" }, title), h("div.body", { id: id + "-body" }, h("p.dim", null, t("live.boot"))));

export function usageTab(main, page, asked) {
  let channel = asked.get("id") || "";
  let days = 7;
  let turn = 0;

  async function part(id, by, paint) {
    const mine = turn;
    const until = new Date(page.live.serverNow());
    try {
      const answer = await get("/channels/usage" + query({ by, channel, time_zone: by === "hour" ? zoneName : undefined, from: new Date(until.getTime() - days * 86400e3).toISOString(), until: until.toISOString() }), { patience: 60000, retry: false });
      if (mine === turn && $(id + "-body")) paint(answer);
    } catch (error) {
      if (mine === turn && $(id + "-body")) fill($(id + "-body"), h("p.note.bad", { role: "alert" }, error.detail || error.message));
    }
  }

  function load() {
    turn += 1;
    part("use-caller", "caller", (answer) => {
      fill($("use-suspects-body"), suspects(answer));
      fill($("use-caller-body"), lines("channel.caller", answer.items, (key) => key || "—"));
    });
    part("use-hour", "hour", (answer) => fill($("use-hour-body"), heat(answer.items)));
    part("use-version", "version", (answer) => fill($("use-version-body"), lines("channel.version", answer.items, (key) => key || t("channel.no-version"))));
    part("use-path", "path", (answer) => fill($("use-path-body"), since(answer), lines("usage.path", answer.items.slice(0, 40), (key) => key || "—")));
  }

  const known = () => page.views("channels").reduce((all, view) => all.concat(view.items || []), []).sort(bySickness);
  let listed = -1;
  function filters() {
    const all = known();
    if (all.length === listed) return;
    listed = all.length;
    const names = all.map((one) => [one.id, nameOf(one.name)]).sort((a, b) => a[1].localeCompare(b[1]));
    fill($("use-filters"), pick("usage.channel", [["", t("filter.all")]].concat(names), channel, (value) => { channel = value; load(); }), pick("usage.days", DAYS.map((n) => [n, t("usage.days-of", { n })]), days, (value) => { days = Number(value); load(); }), button("list.again", load));
  }

  fill(main, h("div.usage", null, h("div.filters", { id: "use-filters" }), panel("use-suspects", t("usage.suspects")), panel("use-hour", t("usage.heat")), panel("use-caller", t("usage.by-caller")), panel("use-version", t("usage.by-version")), panel("use-path", t("usage.by-path"))));
  filters();
  load();
  return { paint: filters };
}
