// One ticket on a phone: live by WebSocket, by polling when that does not hold.
import { connectLive } from "./lib/live.js";
import { HallClock, clockOf, estimateText, demoText } from "./lib/hall.js";
import { get, post, newKey } from "./lib/api.js";
import { t, nameOf, lang, switchLang, number } from "./lib/i18n.js";
import { $, h, text, fit, memory, openDialog, calmly, swap } from "./lib/dom.js";

const POLL_MS = 15000;
const SOON = 3; // so few ahead: come back to the hall

const token = decodeURIComponent(location.pathname.split("/")[2] || "");
const path = "/tickets/" + encodeURIComponent(token);
const ratedKey = "hallkeeper.rated." + token;
let data = null;
let gone = null;   // the server's sentence when there is no such ticket
let said = "";     // the server's sentence after a refused action
let asOf = NaN;    // the hall's time of the last news
let polled = -Infinity;
let buzzed = "";
let warned = false;
let polledOk = -Infinity;
let good = "";     // what was done, in words
let stars = 0;
let busy = false;
const keys = {};   // of the actions whose answer was lost: asked again, they are done once

const live = connectLive({
  topics: ["ticket." + token],
  token,
  onSnapshot: (_, whole) => news(whole),
  onDelta: (_, whole) => news(whole),
  onState: paint,
  onError: poll,
});

const clock = new HallClock(live.serverNow);

function news(whole) {
  data = whole;
  gone = null;
  clock.snapshot(whole.clock, whole.demo);
  asOf = clock.now();
  buzz();
  paint();
}

/** A call shakes the phone once, not at every frame; so does the approach of one's turn. */
function buzz() {
  const call = data.state === "called" ? data.number + "|" + data.window + "|" + data.calls : "";
  if (call && call !== buzzed) shake([300, 150, 300, 150, 600]);
  buzzed = call;
  const soon = data.state === "waiting" && data.ahead <= SOON;
  if (soon && !warned) shake([200]);
  warned = soon || (warned && data.state !== "waiting");
}

/** A page that was never touched may not shake the phone; browsers complain of the attempt. */
function shake(pattern) {
  const touched = navigator.userActivation;
  if (navigator.vibrate && (!touched || touched.hasBeenActive)) navigator.vibrate(pattern);
}

async function poll() {
  if (performance.now() - polled < POLL_MS - 500) return;
  polled = performance.now();
  try {
    const whole = await get(path, { retry: false });
    polledOk = performance.now();
    news(whole);
  } catch (error) {
    if (!error.status) polledOk = -Infinity;
    if (error.status === 404 || error.status === 410 || error.status === 401 || error.status === 403) gone = error.detail;
    paint();
  }
}

async function act(verb, body) {
  if (busy) return;
  busy = true;
  said = "";
  good = "";
  paint();
  const what = verb + JSON.stringify(body);
  keys[what] = keys[what] || newKey();
  try {
    await post(path + "/" + verb, body, { key: keys[what] });
    delete keys[what];
    if (verb === "rating") memory.set(ratedKey, String(body.stars));
    if (verb === "postpone") good = t("ticket.postponed");
    polled = -Infinity;
    await poll();
  } catch (error) {
    if (error.status >= 400 && error.status < 500) delete keys[what];
    said = error.detail;
  }
  busy = false;
  paint();
}

const ask = (question, hint, yes) => openDialog((close) => h("div", null,
  h("p.lead", null, question),
  hint && h("p.more", null, hint),
  yes(close),
  h("button.big", { type: "button", onclick: () => close(false), autofocus: true }, t("ticket.cancel-no"))));

async function cancel() {
  const sure = await ask(t("ticket.cancel-sure", { number: data.number }), t("ticket.cancel-hint"),
    (close) => h("button.big.bad", { type: "button", onclick: () => close(true) }, t("ticket.cancel-yes")));
  if (sure) act("cancel", {});
}

async function postpone(places) {
  const sure = await ask(t("ticket.postpone-sure", { n: places }), "",
    (close) => h("button.big.go", { type: "button", onclick: () => close(true) }, t("ticket.postpone-yes")));
  if (sure) act("postpone", { places });
}

function postponing() {
  const may = data.postpone;
  if (data.state !== "waiting" || !may || !may.times_left) return null;
  const most = may.places_max;
  const choices = Array.from(new Set([1, Math.ceil(most / 2), most]));
  return h("section.postpone", null,
    h("p.more", null, t("ticket.postpone")),
    h("div.row", null, choices.map((n) => h("button.big", { type: "button", disabled: busy, "data-places": n, onclick: () => postpone(n) }, t("ticket.postpone-n", { n })))),
    h("p.more.small", null, t("ticket.postpone-left", { n: may.times_left })));
}

const missedHint = () => data.requeue && data.requeue.times_left
  ? t("ticket.missed-hint", { n: data.requeue.times_left, after: data.requeue.after }) : t("ticket.missed-last");

const retake = () => h("a.big", { href: "/take/" + encodeURIComponent(token.split(".")[0]) }, t("ticket.retake"));

const PLACE = { waiting: 1, called: 2, serving: 3, completed: 4 };

function steps() {
  const at = PLACE[data.state];
  if (at === undefined) return null;
  return h("ol.steps", null, ["taken", "waiting", "called", "serving", "rating"].map((name, i) =>
    h("li" + (i < at ? ".past" : i === at ? ".now" : ""), i === at ? { "aria-current": "step" } : null, t("ticket.step-" + name))));
}

const windowName = () => nameOf(data.window_name) || (data.window ? t("window.n", { n: data.window }) : "");

function lines() {
  const estimate = estimateText(data.estimate);
  switch (data.state) {
    case "waiting": return [h("p.lead.num", null, data.ahead === 0 ? t("ticket.next") : t("ticket.ahead", { n: number(data.ahead) })),
      h("p.more.num", null, !estimate ? t("ticket.no-estimate") : estimate === t("estimate.none") ? estimate : t("ticket.estimate", { range: estimate }))];
    case "called": return [h("p.lead", null, t("ticket.go", { window: windowName() })),
      h("p.more.num", null, data.calls > 1 ? t("ticket.calls", { n: data.calls }) : t("ticket.go-hint"))];
    case "serving": return [h("p.lead", null, t("ticket.serving", { window: windowName() }))];
    case "held": return [h("p.lead", null, t("ticket.held")), h("p.more", null, t("ticket.held-hint"))];
    case "missed": return [h("p.lead", null, t("ticket.missed")), h("p.more", null, missedHint())];
    case "completed": return [h("p.lead", null, t("ticket.completed"))];
    case "cancelled": return [h("p.lead", null, t("ticket.cancelled")), h("p.more", null, t("ticket.over-hint"))];
    default: return [h("p.lead", null, t("ticket.expired")), h("p.more", null, t("ticket.over-hint"))];
  }
}

function rating() {
  const given = memory.get(ratedKey);
  if (given || data.rated) return h("p.band", null, given ? t("ticket.rated", { word: t("stars." + given) }) : t("ticket.rated-before"));
  return h("section", null,
    h("p.more", null, t("ticket.rate")),
    h("div.stars", { role: "radiogroup", "aria-label": t("ticket.rate") }, [1, 2, 3, 4, 5].map((n) =>
      h("button" + (n <= stars ? ".on" : ""), { type: "button", role: "radio", "aria-checked": String(n === stars), "aria-label": t("stars." + n),
        onclick: () => { stars = n; paint(); } }, n <= stars ? "★" : "☆"))),
    h("p.star-word", null, stars ? t("stars." + stars) : ""),
    h("button.big.go", { type: "button", disabled: !stars || busy, onclick: () => act("rating", { stars }) }, t("ticket.rate-send")));
}

function body() {
  if (gone) return h("section.card", null, data && h("p.no.num.fit", null, data.number), h("p.lead", null, t("ticket.gone")), h("p.more", null, t("ticket.over-hint")), retake());
  if (!data) return h("section.card", null, h("p.lead", null, t(live.state === "boot" ? "live.boot" : "live.lost")));
  return h("div", null,
    h("section.card", null,
      h("p.service", null, nameOf(data.service_name)),
      h("p.no.num.fit", { id: "number" }, data.number),
      lines(),
      data.state === "completed" && rating()),
    steps(),
    data.state === "waiting" && data.ahead <= SOON && h("p.band", { role: "status" }, "◆ " + t("ticket.soon")),
    good && data.state === "waiting" && h("p.done", { role: "status" }, "✓ " + good),
    said && h("p.said", { role: "alert" }, said),
    postponing(),
    data.state === "waiting" && h("button.big.bad", { type: "button", disabled: busy, onclick: cancel }, t("ticket.cancel")),
    h("p.more.issued.num", null, t("ticket.issued", { at: clockOf(data.issued_at) })));
}

const at = (ms) => clock.time(ms, clock.rate <= 5);

/** Without a socket the page asks every 15 s; while that is answered, what it shows is hardly old. */
const polls = () => live.state !== "live" && performance.now() - polledOk < POLL_MS + 5000;
const isStale = () => live.state !== "live" && live.state !== "boot" && !polls();

function paint() { calmly(paintNow); }

function paintNow() {
  const stale = isStale();
  document.body.dataset.state = gone ? "gone" : data ? data.state : "boot";
  document.body.dataset.stale = String(stale && Boolean(data));
  text($("hall"), data ? nameOf(data.hall_name) : "");
  text($("lang"), lang() === "en" ? "中文" : "English");
  $("ribbon").hidden = !(data && data.demo);
  if (data && data.demo) text($("ribbon"), demoText(data));
  const next = body();
  if (swap($("main"), next)) {
    const no = next.querySelector(".fit");
    if (no) fit(no);
  }
  document.title = !data ? t("ticket.title") : data.state === "called"
    ? t("ticket.title-called", { number: data.number, window: windowName() }) : data.number + " · " + nameOf(data.service_name);
  line(stale);
}

function line(stale) {
  $("line").classList.toggle("bad", stale);
  document.body.dataset.stale = String(stale && Boolean(data));
  if (gone) text($("line"), "");
  else if (stale) text($("line"), data ? t("ticket.stale", { at: at(asOf) }) : "⚠ " + t("live.lost"));
  else if (polls()) text($("line"), t("ticket.polling", { at: at(asOf) }));
  else text($("line"), live.state === "live" && data ? "● " + t("live.on") + " " + at(clock.now()) : "");
}

$("lang").addEventListener("click", switchLang);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  polled = -Infinity;
  if (live.state !== "live") poll();
});
setInterval(() => {
  if (live.state === "live") asOf = clock.now() - live.silentMs * clock.rate;
  else if (!document.hidden && live.silentMs > 1500) poll();
  line(isStale());
}, 1000);
window.addEventListener("resize", () => { const no = document.querySelector(".fit"); if (no) fit(no); });
paint();
