// What the pages about channels share: marks of health, reasons in words, numbers, ages that turn.
import { t, number } from "../lib/i18n.js";
import { h, text } from "../lib/dom.js";
import { lasting, word } from "../desk/parts.js";

/** From the sickest to the healthiest. */
export const HEALTH = ["down", "recovering", "degraded", "maintenance", "healthy"];
const MARKS = { healthy: "●", degraded: "◆", down: "▲", recovering: "◇", maintenance: "■" };
const GRAVITY = { down: "critical", recovering: "warning", degraded: "warning", maintenance: "notice", healthy: "good" };

export const health = (state) => h("span.sev." + (GRAVITY[state] || "notice"), { "data-health": state }, (MARKS[state] || "?") + " " + word("health.", state));
export const mark = (state, count) => h("span.sev." + GRAVITY[state], { "data-health": state, "data-count": count, title: word("health.", state) }, MARKS[state] + " " + number(count));

export const round = (value, digits = 1) => Math.round(value * Math.pow(10, digits)) / Math.pow(10, digits);
export const ms = (value) => (typeof value === "number" ? number(round(value, value < 10 ? 1 : 0)) : "—");

/** Calls a second as people say them: none, few with a decimal, many without. */
export const rate = (value) => (typeof value !== "number" ? "—" : value === 0 ? "0" : value < 10 ? value.toFixed(value < 1 ? 2 : 1) : number(Math.round(value)));

/** Why a call was refused or failed; its status alone stands beside it anyway. */
export const refusal = (code) => (code && !/^status_\d+$/.test(code) ? word("call-refusal.", code) : null);

/** Why a channel is as it is, in a sentence. */
export function why(reason) {
  if (!reason || !reason.why) return "";
  const told = Object.assign({}, reason);
  for (const key of ["failed_percent", "slow_percent", "calls_per_minute", "usual"]) if (key in told) told[key] = round(told[key]);
  return t("health-why." + reason.why, told).replace(/ %/g, "%"); // written as in the tables
}

/** Bytes in the unit a person would say. */
export function bytes(value) {
  if (typeof value !== "number") return "—";
  const units = ["B", "KB", "MB", "GB", "TB"];
  let at = 0;
  let size = value;
  while (size >= 1000 && at < units.length - 1) { size /= 1024; at += 1; }
  return round(size, size < 10 && at > 0 ? 1 : 0) + " " + units[at];
}

/** The age of a source; it turns when it is older than `limit` seconds. Painted anew by ages(). */
export const age = (at, limit) => h("span.age.num", { "data-at": at || "", "data-limit": limit });

export function ages(root, now) {
  for (const node of root.querySelectorAll(".age")) {
    const at = /^\d+$/.test(node.dataset.at) ? Number(node.dataset.at) : Date.parse(node.dataset.at);
    const secs = Number.isFinite(at) ? Math.max(0, Math.floor((now - at) / 1000)) : null;
    const stale = secs === null || secs > Number(node.dataset.limit);
    node.classList.toggle("stale", stale);
    text(node, secs === null ? t("ops.no-data") : (stale ? "⚠ " : "") + t("ops.ago", { n: lasting(secs) }));
  }
}

/** Channels, the sickest first, then by name. */
export const bySickness = (a, b) => HEALTH.indexOf(a.health) - HEALTH.indexOf(b.health) || (b.error_percent || 0) - (a.error_percent || 0) || String(a.id).localeCompare(String(b.id), "en", { numeric: true });
