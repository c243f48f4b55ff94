// A page that runs on a registered device says how it is, and does what its manager tells it: show its name, load
// again, be silent. A page that a person opened has no device, and all of this rests.
import { post } from "./api.js";
import { loadAgain } from "./live.js";
import { t } from "./i18n.js";
import { h, memory } from "./dom.js";

const REPORT_MS = 60000;
const LOOK_MS = 2000;     // a change is told this soon
const TOTALS = "hallkeeper.used";
const SHORTEST_MS = 5000; // and no two reports come closer

const browserName = () => (/(Chrome|Chromium|Firefox)\/[\d.]+/.exec(navigator.userAgent) || [navigator.userAgent])[0].slice(0, 120);

/** What this tab has counted so far, also before it was loaded again. */
function counted() {
  const fresh = { run: Date.now().toString(36) + Math.random().toString(36).slice(2, 10), used: {} };
  try { return JSON.parse(memory.get(TOTALS, sessionStorage)) || fresh; } catch (_) { return fresh; }
}

/**
 * Reports this page under its device's token: at the start, each minute, and soon after a change.
 *   audio()        "on" | "blocked" | "muted" | "none"
 *   faults()       [{function: "print", code: "paper_out"}], all that is wrong now
 *   onMuted(muted) when the manager silences the device or lets it speak again
 *   mayReload()    whether this is a good moment to load the page again
 * Returns {muted, id, look(), used(name)}; look() tells a change at once instead of within two seconds, used() counts
 * one use of a function. Totals are told, not steps, and live as long as the tab: what is lost or told twice does no harm.
 */
export function reportDevice(live, options = {}) {
  const mine = { id: null, muted: false, look, used };
  const totals = counted();
  const build = (document.querySelector("meta[name=build]") || {}).content || "";
  let told = "";
  let toldAt = -Infinity;
  let refused = false;
  let reload; // the order known when the page was loaded; a later one is obeyed

  function facts() {
    const audio = options.audio && options.audio();
    return {
      build,
      viewport: innerWidth + "x" + innerHeight,
      browser: browserName(),
      page: location.pathname.slice(0, 200),
      audio: audio || (mine.muted ? "muted" : null),
      faults: (options.faults && options.faults()) || [],
      usage: totals,
    };
  }

  function used(name) {
    totals.used[name] = (totals.used[name] || 0) + 1;
    memory.set(TOTALS, JSON.stringify(totals), sessionStorage);
  }

  function look() {
    if (!mine.id || refused || live.state !== "live") return;
    const now = facts();
    const words = JSON.stringify(now);
    const age = performance.now() - toldAt;
    if (age < SHORTEST_MS || (words === told && age < REPORT_MS)) return;
    told = words;
    toldAt = performance.now();
    now.skew_ms = Math.round(Date.now() - live.serverNow());
    post("/device/report", now, { key: false, retry: false }).catch((error) => {
      told = "";
      refused = error.status === 401 || error.status === 403;
    });
  }

  function heard(view) {
    if (reload === undefined) reload = view.reload;
    else if (view.reload && view.reload !== reload) return reloadSoon(view.reload);
    if (view.muted !== mine.muted) {
      mine.muted = view.muted;
      if (options.onMuted) options.onMuted(mine.muted);
    }
    if (view.identify_until && Date.parse(view.identify_until) > live.serverNow()) identify(view);
    return look();
  }

  function reloadSoon(order) {
    reload = order;
    if (options.mayReload && !options.mayReload()) return void setTimeout(() => reloadSoon(order), 1000);
    return loadAgain().catch(() => setTimeout(() => reloadSoon(order), SHORTEST_MS));
  }

  function identify(view) {
    const old = document.getElementById("identify");
    if (old) old.remove();
    const where = [view.zone && t("device.zone", { zone: view.zone }), view.window && t("window.n", { n: view.window })].filter(Boolean).join(" · ");
    const line = (words, size) => h("p", { style: "margin:0.3em 1em;font-size:" + size + ";line-height:1.2;overflow-wrap:anywhere" }, words);
    const sign = h("div#identify", { role: "status", style: "position:fixed;top:0;left:0;right:0;bottom:0;z-index:1000;display:grid;align-content:center;text-align:center;color:#0b1a2b;background:#ffd54a" },
      line(view.name, "min(12vw, 22vh)"), line(view.id, "min(6vw, 10vh)"), where ? line(where, "min(4vw, 7vh)") : null);
    document.body.appendChild(sign);
    setTimeout(() => sign.remove(), Math.max(1000, Date.parse(view.identify_until) - live.serverNow()));
  }

  live.onHello((id) => {
    refused = false;
    told = "";
    toldAt = -Infinity;
    if (!id) return;
    mine.id = id;
    live.follow("device." + id, heard);
    setTimeout(look, 500);
  });
  window.addEventListener("resize", () => setTimeout(look, 500));
  setInterval(look, LOOK_MS);
  return mine;
}
