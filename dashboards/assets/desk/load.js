// The desk's own load against the lines of ISA-18.2 and EEMUA 191: too many alerts are a fault of the rules, not of people.
import { t } from "../lib/i18n.js";
import { h } from "../lib/dom.js";
import { clock, percent } from "./parts.js";

const PER_10_MIN = 1;
const FLOOD = 10;
const PER_DAY = 150;
const STALE = 5;
const AIM = [80, 15, 5];

const one = (n) => (typeof n === "number" ? String(Math.round(n * 10) / 10) : "—");
const figure = (key, value, line, bad) => h("span.load-one" + (bad ? ".bad" : ""), { "data-load": key }, bad ? "▲ " : "", t("load." + key), " ", h("b.num", null, value), h("span.dim.small", null, " " + line));

/** Several topics are several halls of one desk: their counts add up. */
function sum(snapshots) {
  const loads = snapshots.map((data) => data.load).filter(Boolean);
  if (loads.length < 2) return loads[0];
  const add = (key) => loads.reduce((n, load) => n + (load[key] || 0), 0);
  return { per_operator_10min: add("per_operator_10min"), per_operator_day: add("per_operator_day"), stale: add("stale"), chattering: add("chattering"), flood: loads.some((load) => load.flood), flood_since: (loads.find((load) => load.flood) || {}).flood_since,
    top_rules: loads.reduce((all, load) => all.concat(load.top_rules || []), []).sort((a, b) => b.count - a.count) };
}

export function loadStrip(snapshots) {
  const load = sum(snapshots);
  if (!load) return null;
  const mix = load.severity_percent;
  const top = (load.top_rules || [])[0];
  const ten = load.per_operator_10min;
  return h("div.load" + (load.flood ? ".flood" : ""), { role: "status", title: t("load.source") },
    load.flood ? h("b.load-one.bad", null, "▲ " + t("load.flood") + (load.flood_since ? " " + clock(load.flood_since) : "")) : null,
    figure("ten", one(ten), t("load.ten-line", { n: PER_10_MIN, flood: FLOOD }), ten > PER_10_MIN), figure("day", one(load.per_operator_day), "≤ " + PER_DAY, load.per_operator_day > PER_DAY),
    figure("stale", load.stale, "< " + STALE, load.stale >= STALE), figure("chatter", load.chattering, "0", load.chattering > 0),
    mix ? figure("mix", mix.map((n) => Math.round(n)).join("/"), AIM.join("/"), mix[2] > 3 * AIM[2] && load.per_operator_day >= FLOOD) : null,
    top && top.percent !== undefined ? h("span.load-one.small.dim", null, t("load.top", { rule: top.rule, percent: percent(top.percent) })) : null);
}
