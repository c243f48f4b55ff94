// What the frames of a hall mean: folding deltas into the last snapshot, the hall's clock, times and estimates in words.
import { t } from "./i18n.js";

const CALLS_KEPT = 12;

/** Fields of each entry are merged; null removes the entry. */
function mergeFields(into, changes) {
  const merged = Object.assign({}, into);
  for (const [key, fields] of Object.entries(changes)) {
    if (fields === null) delete merged[key];
    else merged[key] = Object.assign({}, merged[key], fields);
  }
  return merged;
}

/** Entries are replaced whole; null removes the entry. */
function replaceWhole(into, changes) {
  const merged = Object.assign({}, into);
  for (const [key, entry] of Object.entries(changes)) {
    if (entry === null) delete merged[key];
    else merged[key] = entry;
  }
  return merged;
}

/** The snapshot of `hall.{h}` after one delta; the given snapshot is left as it was. */
export function foldHall(data, delta) {
  const next = Object.assign({}, data);
  for (const field of ["figures", "missed", "state", "day", "name", "clock", "menu", "zones", "demo", "calls", "notice"]) {
    if (delta[field] !== undefined) next[field] = delta[field];
  }
  if (delta.services) next.services = mergeFields(data.services, delta.services);
  if (delta.windows) next.windows = replaceWhole(data.windows, delta.windows);
  if (delta.call) next.calls = [delta.call].concat(next.calls || []).slice(0, CALLS_KEPT);
  return next;
}

/** The snapshot of `city` after one delta. */
export function foldCity(data, delta) {
  return Object.assign({}, data, {
    totals: delta.totals || data.totals,
    halls: mergeFields(data.halls || {}, delta.halls || {}),
  });
}

/** The snapshot of `alerts` after one delta: one alert, one that is gone, or the desk's own figures. */
export function foldAlerts(data, delta) {
  const next = Object.assign({}, data, delta.desk);
  const id = delta.gone || (delta.alert && delta.alert.id);
  if (id) next.alerts = (data.alerts || []).filter((alert) => alert.id !== id).concat(delta.alert || []);
  return next;
}

/** The snapshot of `channels` after one delta: channels that changed or are gone, and the sums over all. */
export function foldChannels(data, delta) {
  const gone = new Set(delta.gone || []);
  for (const one of delta.items || []) gone.add(one.id);
  return Object.assign({}, data, delta, { items: (data.items || []).filter((one) => !gone.has(one.id)).concat(delta.items || []) });
}

/** One frame folded into what a topic said so far. Queue, window, ticket, channel and operations frames are always whole. */
export function fold(topic, data, frame) {
  if (frame.kind === "snapshot" || !data) return frame.data;
  if (topic.startsWith("hall.")) return foldHall(data, frame.data);
  if (/^alerts(\.|$)/.test(topic)) return foldAlerts(data, frame.data);
  if (/^channels(\.|$)/.test(topic)) return foldChannels(data, frame.data);
  if (topic === "city") return foldCity(data, frame.data);
  return frame.data;
}

/** "+08:00" of an RFC 3339 time, in minutes. The hall's own zone, whatever the box is set to. */
export function zoneOf(at) {
  const m = /([+-])(\d\d):?(\d\d)$/.exec(at || "");
  return m ? (m[1] === "-" ? -1 : 1) * (Number(m[2]) * 60 + Number(m[3])) : 0;
}

/**
 * The hall's clock. A live hall follows the server's clock; a rehearsed one runs `rate` times as fast from its last frame.
 * A frame far behind the clock is a replayed one and does not turn it back.
 */
export class HallClock {
  constructor(serverNow) {
    this.serverNow = serverNow;
    this.rate = 1;
    this.zone = 480;
    this.anchor = null;
  }

  snapshot(clock, demo) {
    if (!clock || !clock.at) return;
    this.rate = clock.rate || 1;
    this.zone = zoneOf(clock.at);
    this.follows = this.rate === 1 && !demo;
    this.anchor = { server: this.serverNow(), hall: Date.parse(clock.at) };
  }

  frame(at) {
    const hall = Date.parse(at || "");
    if (!this.anchor || this.follows || !Number.isFinite(hall)) return;
    if (hall >= this.now() - 2000 * this.rate) this.anchor = { server: this.serverNow(), hall };
  }

  now() {
    if (!this.anchor) return NaN;
    if (this.follows) return this.serverNow();
    return this.anchor.hall + (this.serverNow() - this.anchor.server) * this.rate;
  }

  /** The hall's local time, in milliseconds since 1970 as if it were UTC. */
  local() {
    return this.now() + this.zone * 60000;
  }

  /** "10:23" or "10:23:41" in the hall's zone. */
  time(ms = this.now(), seconds = false) {
    if (!Number.isFinite(ms)) return "--:--";
    return new Date(ms + this.zone * 60000).toISOString().slice(11, seconds ? 19 : 16);
  }

  date(ms = this.now()) {
    if (!Number.isFinite(ms)) return "";
    const d = new Date(ms + this.zone * 60000);
    const values = { y: d.getUTCFullYear(), m: d.getUTCMonth() + 1, d: d.getUTCDate() };
    return t("date.long", Object.assign(values, { week: t("date.week" + d.getUTCDay()), month: t("date.month" + values.m) }));
  }
}

/** HH:MM of a time as written, without moving it into another zone. */
export const clockOf = (at) => (at ? String(at).slice(11, 16) : "—");

/** Seconds as whole minutes, for a sentence. */
export const minutes = (secs) => Math.max(0, Math.round(secs / 60));

/** 9′05″ for a running time. */
export function span(secs) {
  if (typeof secs !== "number" || !Number.isFinite(secs)) return "—";
  const s = Math.max(0, Math.floor(secs));
  const two = (n) => String(n).padStart(2, "0");
  return s >= 3600 ? Math.floor(s / 3600) + ":" + two(Math.floor((s % 3600) / 60)) + ":" + two(s % 60)
    : Math.floor(s / 60) + ":" + two(s % 60);
}

/** An estimate as a range of whole minutes: "15–20 分钟"; null when the server gives none. */
export function estimateText(estimate) {
  if (!estimate || typeof estimate.p80_secs !== "number") return null;
  const high = Math.ceil(estimate.p80_secs / 60);
  if (high <= 0) return t("estimate.none");
  const low = Math.max(1, Math.min(high, Math.round((estimate.p50_secs || 0) / 60)));
  return low >= high ? t("estimate.about", { n: high }) : t("estimate.range", { low, high });
}

/** An estimate for a wall, where a minute more or less means nothing: a range in steps of five; null when there is none. */
export function roughEstimate(estimate) {
  if (!estimate || typeof estimate.p80_secs !== "number") return null;
  if (estimate.p80_secs <= 0) return t("estimate.none");
  const high = Math.ceil(estimate.p80_secs / 300) * 5;
  const low = Math.min(high - 5, Math.round((estimate.p50_secs || 0) / 300) * 5);
  return low <= 0 ? t("estimate.within", { n: high }) : t("estimate.range", { low, high });
}

/** The mark on every page of a rehearsed hall, with its speed. */
export const demoText = (data) => t("demo.rate", { rate: (data.clock && data.clock.rate) || 1 });

/** Windows at work, of all. */
export function windowCount(windows) {
  const all = Object.values(windows || {});
  return { open: all.filter((w) => w.state !== "closed" && w.state !== "offline").length, all: all.length };
}

/** Ids in the order people expect: 2 before 10. */
export const byId = (a, b) => String(a).localeCompare(String(b), "en", { numeric: true });
