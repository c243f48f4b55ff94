// Window strip: paints `window.{hall}.{window}`. When the server is silent it never leaves an old number standing.
import { connectLive } from "./lib/live.js";
import { t, nameOf } from "./lib/i18n.js";
import { $, text, fit } from "./lib/dom.js";

const WIPE_AFTER_MS = 30000;
const BLINK_MS = 4000;
const SILENT_AFTER_MS = 30000;

const [, , hall, win] = location.pathname.split("/").map(decodeURIComponent);
let data = null;
let failure = null;
let shownCall = "";

const live = connectLive({
  topics: ["window." + hall + "." + win],
  reloadWithinMs: 60000,
  onSnapshot: frame,
  onDelta: frame,
  onState: paint,
  onError(_, code, detail) { failure = detail || code; paint(); },
});

function frame(_, whole, message) {
  data = whole;
  failure = null;
  const ticket = whole.ticket;
  const call = ticket && whole.state === "calling" ? [ticket.number, ticket.calls, ticket.at].join("|") : "";
  if (call && call !== shownCall) {
    const age = Date.parse(message.at) - Date.parse(ticket.at);
    if (!(age > SILENT_AFTER_MS)) blink();
  }
  shownCall = call;
  paint();
}

function blink() {
  $("main").classList.remove("fresh");
  void $("main").offsetWidth; // restarts the animation for a second call
  $("main").classList.add("fresh");
  setTimeout(() => $("main").classList.remove("fresh"), BLINK_MS);
}

/** What the strip says: kind, the large line, the small line. */
function words() {
  if (failure) return ["off", t("led.off"), failure];
  if (live.state === "denied") return ["off", t("led.off"), t("live.denied")];
  if (!data) return ["off", live.state === "boot" ? t("led.boot") : t("led.follow-staff"), ""];
  if (live.silentMs > WIPE_AFTER_MS) return ["off", t("led.follow-staff"), t("live.lost")];
  const ticket = data.ticket;
  const service = ticket ? nameOf(ticket.service_name) : "";
  if (ticket && data.state === "calling") return ["calling", ticket.number, t("led.come", { window: nameOf(data.name) })];
  if (ticket && data.state !== "closed") return ["serving", ticket.number, t("led.serving") + (service ? " · " + service : "")];
  if (data.state === "paused") return ["off", t("led.paused"), t("led.paused-hint")];
  if (data.state === "idle") return ["idle", t("led.idle"), nameOf(data.name)];
  return ["off", t("led.closed"), ""];
}

function paint() {
  const [kind, large, small] = words();
  document.body.dataset.show = kind;
  $("no").classList.toggle("long", kind === "idle" || kind === "off");
  text($("no"), large);
  text($("more"), small);
  fit($("no"), 0.2);
  fit($("more"), 0.2);
  text($("name"), data ? nameOf(data.name) : "");
  text($("line"), live.state === "live" ? "● " + t("live.on") : live.state === "boot" ? "" : "⚠ " + t("live.lost"));
}

setInterval(paint, 1000);
window.addEventListener("resize", paint);
