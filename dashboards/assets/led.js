// Window strip: follows `window.{hall}.{window}`. With ?size=128x16 it paints the strip's own dots, else large type.
// When the server is silent it never leaves an old number standing.
import { connectLive } from "./lib/live.js";
import { get, hallPath, query } from "./lib/api.js";
import { reportDevice } from "./lib/device.js";
import { HallClock } from "./lib/hall.js";
import { Dots } from "./lib/dots.js";
import { lang, t, nameOf } from "./lib/i18n.js";
import { $, text, fit } from "./lib/dom.js";
import { noticeNow, showEmergency } from "./lib/notice.js";

const WIPE_AFTER_MS = 30000;
const BLINK_MS = 4000;
const SILENT_AFTER_MS = 30000;
const SAME_CALL_MS = 5000;   // a number called again so soon does not flash anew
const LEAST_FOR_WORDS = 200; // pixels of height that an emergency's words take at least
const MOVE_MS = 40;
const RETRY_MS = 1000;
const LATE_MS = 3000;        // a change is known but its dots do not come: no old number meanwhile

const [, , hall, win] = location.pathname.split("/").map(decodeURIComponent);
const size = new URLSearchParams(location.search).get("size");
let data = null;
let failure = null;
let notice = null;
let shownCall = "";
let flashed = { number: "", at: -Infinity };

const live = connectLive({
  topics: ["window." + hall + "." + win, "hall." + hall],
  reloadWithinMs: 60000,
  onSnapshot: frame,
  onDelta: frame,
  onState: paint,
  onError(topic, code, detail) {
    if (topic.startsWith("hall.")) return;
    failure = detail || code;
    paint();
  },
});

const clock = new HallClock(live.serverNow);
reportDevice(live);
const strip = size ? dotStrip() : null;

function frame(topic, whole, message) {
  if (topic.startsWith("hall.")) return hallFrame(whole, message);
  data = whole;
  failure = null;
  const ticket = whole.ticket;
  const call = ticket && whole.state === "calling" ? [ticket.number, ticket.calls, ticket.at].join("|") : "";
  const fresh = Boolean(call) && call !== shownCall && !(Date.parse(message.at) - Date.parse(ticket.at) > SILENT_AFTER_MS);
  shownCall = call;
  if (fresh && mayFlash(ticket.number)) blink();
  if (strip) strip.changed();
  return paint();
}

function hallFrame(whole, message) {
  notice = whole.notice;
  if (message.kind === "snapshot") clock.snapshot(whole.clock, whole.demo);
  else clock.frame(message.at);
  emergency();
}

/** Over the whole screen; a panel of a few dots has no room for the words and goes on with its window. */
function emergency() {
  if (!strip || innerHeight >= LEAST_FOR_WORDS) showEmergency(noticeNow(notice, clock));
}

function mayFlash(number) {
  const soon = number === flashed.number && performance.now() - flashed.at < SAME_CALL_MS;
  if (!soon) flashed = { number, at: performance.now() };
  return !soon;
}

function blink() {
  if (strip) return strip.flashNext();
  $("main").classList.remove("fresh");
  void $("main").offsetWidth; // restarts the animation for a second call
  $("main").classList.add("fresh");
  return void setTimeout(() => $("main").classList.remove("fresh"), BLINK_MS);
}

/** What the large type says: kind, the large line, the small line. */
function words() {
  if (failure) return ["off", t("led.off"), failure];
  if (live.state === "denied") return ["off", t("led.off"), t("live.denied")];
  if (!data) return ["off", live.state === "boot" ? t("led.boot") : t("led.follow-staff"), ""];
  if (live.silentMs > WIPE_AFTER_MS) return ["off", t("led.follow-staff"), t("live.lost")];
  const ticket = data.ticket;
  const service = ticket ? nameOf(ticket.service_name) : "";
  if (ticket && data.state === "calling") return ["calling", ticket.number, t("led.come", { window: nameOf(data.name) })];
  if (ticket && data.state === "serving") return ["serving", ticket.number, t("led.serving") + (service ? " · " + service : "")];
  if (data.state === "offline") return ["off", t("led.follow-staff"), nameOf(data.name)];
  if (data.state === "paused") return ["off", t("led.paused"), t("led.paused-hint")];
  if (data.state === "idle") return ["idle", t("led.idle"), nameOf(data.name)];
  return ["off", t("led.closed"), ""];
}

/** The dots: fetched from the server whenever the window changes, so that they are the wall's own. */
function dotStrip() {
  const dots = new Dots($("dots"));
  let now = null;       // the strip as fetched last
  let staff = null;     // what to show when the server is silent
  let wanted = 0;       // since when newer dots are wanted, 0 when there are none
  let fetching = false;
  let flash = false;
  let refused = "";
  document.body.dataset.mode = "dots";
  $("dots").hidden = false;
  $("main").hidden = true;

  async function fetchDots() {
    if (fetching || !wanted) return;
    fetching = true;
    const asked = wanted;
    try {
      const got = await get(hallPath(hall, "windows", win, "strip.json") + query({ size, lang: lang() }), { retry: false });
      now = got;
      staff = Object.assign({}, got, { show: "staff", colour: "red", lines: got.staff });
      refused = "";
      if (wanted === asked) wanted = 0;
      if (flash) dots.flash();
      flash = false;
    } catch (error) {
      refused = error.status >= 400 && error.status < 500 ? error.detail : "";
      setTimeout(fetchDots, RETRY_MS);
    }
    fetching = false;
    paint();
    if (wanted && wanted !== asked) fetchDots();
  }

  return {
    changed() { wanted = performance.now(); fetchDots(); },
    flashNext() { flash = true; },
    paint() {
      const late = wanted && performance.now() - wanted > LATE_MS;
      const lost = failure || refused || live.state === "denied" || live.silentMs > WIPE_AFTER_MS || late;
      const shown = lost ? staff : now;
      if (shown) dots.show(shown);
      const said = shown ? shown.lines.map((line) => line.text).join(" ") : refused || failure || t("led.boot");
      document.body.dataset.show = shown ? shown.show : "boot";
      document.body.dataset.flash = dots.flashing ? "yes" : "no";
      $("dots").setAttribute("aria-label", said);
      text($("said"), shown ? "" : said);
      if (refused) text($("name"), refused);
    },
    move() {
      if (dots.moves) dots.draw();
      document.body.dataset.flash = dots.flashing ? "yes" : "no";
    },
  };
}

function paint() {
  text($("name"), failure || (data ? nameOf(data.name) : ""));
  text($("line"), live.state === "live" ? "● " + t("live.on") : live.state === "boot" ? "" : "⚠ " + t("live.lost"));
  if (strip) return strip.paint();
  const [kind, large, small] = words();
  document.body.dataset.show = kind;
  $("no").classList.toggle("long", kind === "idle" || kind === "off");
  text($("no"), large);
  text($("more"), small);
  fit($("no"), 0.2);
  return fit($("more"), 0.2);
}

setInterval(() => { paint(); emergency(); }, 1000);
if (strip) setInterval(() => strip.move(), MOVE_MS);
window.addEventListener("resize", paint);
