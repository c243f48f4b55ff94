// The supervisor's floor: every window with its state, and every service with how many wait and how long. The states
// are the public board's; who works where is asked for on its own, and only by those who may know.
import { connectLive } from "./lib/live.js";
import { HallClock, byId, clockOf, demoText, minutes, span, windowCount } from "./lib/hall.js";
import { get, hallPath, toSignIn } from "./lib/api.js";
import { t, nameOf, number } from "./lib/i18n.js";
import { $, h, fill, calmly, swap } from "./lib/dom.js";
import { reportDevice } from "./lib/device.js";
import { session, signOut, langButton, liveLine, newsAt, may, whoText } from "./lib/staff.js";

const ASK_MS = 3000;        // who works where is asked for at most this often
const ASK_ANYWAY_MS = 15000;
const UNUSED_S = 15;        // idle this long while people wait is worth a look
const LONG_WAIT_S = 1800;
const SHAPES = { serving: "●", calling: "◆", idle: "○", paused: "‖", closed: "–", offline: "⚠" };

const hall = decodeURIComponent(location.pathname.split("/")[2] || "");
const topic = "hall." + hall;
const peopleTopic = "occupancy." + hall;
let who = null;
let live = null;
let clock = null;
let data = null;
let queues = {};
let people = null;    // whom cameras count: {people, at, stale, stale_secs, sources}
let floor = {};       // window -> {clerk, reason, waiting, served, recent}
let failure = null;
let chosen = null;
let asking = 0;
let asked = -Infinity;

const mayKnow = () => may(who, "manager", "supervisor");

function heard(of, whole, frame) {
  if (of === peopleTopic) {
    people = whole;
    return calmly(paint);
  }
  if (of !== topic) {
    queues[of.slice(("queue." + hall + ".").length)] = whole;
    return calmly(paint);
  }
  data = whole;
  failure = null;
  if (frame.kind === "snapshot") clock.snapshot(whole.clock, whole.demo);
  else clock.frame(frame.at);
  live.add(Object.keys(whole.services || {}).map((id) => "queue." + hall + "." + id));
  ask();
  return calmly(paint);
}

function ask() {
  if (!mayKnow() || asking || live.state !== "live") return;
  asking = setTimeout(async () => {
    try {
      floor = (await get(hallPath(hall, "floor"), { retry: false })).windows || {};
      calmly(paint);
    } catch (error) {
      if (error.status === 401) return void toSignIn();
    }
    asked = performance.now();
    asking = 0;
    return undefined;
  }, Math.max(100, ASK_MS - (performance.now() - asked)));
}

/* ---- painting ---- */

const waitingFor = (w) => (w.services || []).reduce((sum, id) => sum + (((data.services || {})[id] || {}).waiting || 0), 0);
const secondsIn = (w) => (clock.now() - Date.parse((w.state === "calling" && w.ticket && w.ticket.at) || w.since || "")) / 1000;
const unused = (w) => data.state !== "closed" && w.state === "idle" && waitingFor(w) > 0 && secondsIn(w) >= UNUSED_S;

function spot(id) {
  const w = data.windows[id];
  const more = floor[id] || {};
  const idle = unused(w);
  const words = idle ? "▲ " + t("floor.unused", { n: waitingFor(w) }) : (SHAPES[w.state] || "?") + " " + t("window." + w.state);
  return h("button.spot" + (idle ? ".unused" : ""), { type: "button", "data-window": id, "data-state": w.state, "aria-pressed": chosen === id ? "true" : "false",
    onclick: () => { chosen = chosen === id ? null : id; paint(); } },
  h("span.name", null, nameOf(w.name)), h("span.for.num", null, w.state === "closed" ? "" : span(secondsIn(w))),
  h("span.no.num", null, (w.ticket && w.ticket.number) || " "), h("span.what", null, words),
  h("span.who", null, [more.clerk, more.reason].filter(Boolean).join(" · ") || " "));
}

/** Windows by zone, in the order in which the hall lists its zones; those without one come last. */
function zones() {
  const all = Object.keys(data.windows || {}).sort(byId);
  const named = (data.zones || []).map((zone) => ({ name: nameOf(zone.name), windows: all.filter((id) => data.windows[id].zone === zone.id) }));
  const known = new Set((data.zones || []).map((zone) => zone.id));
  const rest = all.filter((id) => !known.has(data.windows[id].zone));
  return named.concat({ name: named.length ? t("floor.no-zone") : t("floor.windows"), windows: rest }).filter((group) => group.windows.length);
}

function map() {
  const groups = zones();
  if (!groups.length) return h("section.panel", null, h("p.dim", null, t("setup.no-windows")));
  return h("div", null, groups.map((group) => {
    const count = windowCount(group.windows.reduce((some, id) => Object.assign(some, { [id]: data.windows[id] }), {}));
    return h("section.floor-zone", null, h("h2", null, group.name, h("small.num", null, t("floor.open-of", { open: count.open, all: count.all }))),
      h("div.tiles", null, group.windows.map(spot)));
  }));
}

function totals() {
  const all = Object.keys(data.windows || {}).map((id) => data.windows[id]);
  const fact = (key, value) => h("div", null, h("b.num", null, value), h("span.small.dim", null, t(key)));
  const longest = Math.max(0, ...Object.values(queues).map((q) => (q.waiting ? q.longest_wait_secs || 0 : 0)));
  return h("section.panel.totals", null, fact("floor.waiting", number((data.figures || {}).waiting)),
    fact("floor.longest", t("floor.min", { n: minutes(longest) })), fact("floor.unused-windows", String(all.filter(unused).length)), counted());
}

/** The people cameras count. A count that is old stays, with the words that say so. */
function counted() {
  if (!people || typeof people.people !== "number") return null;
  const age = (live.serverNow() - Date.parse(people.at)) / 1000;
  const stale = people.stale || age > people.stale_secs;
  const words = stale ? "⚠ " + t("floor.count-stale", { ago: span(age) }) : "● " + t("floor.count-fresh");
  return h("p.counted" + (stale ? ".stale" : ""), { "data-stale": String(stale), role: "status" },
    h("b.num", null, number(people.people)), h("span", null, t("floor.counted"), h("br"), h("span.small", null, words)));
}

function lines() {
  const rows = Object.keys(data.services || {}).sort(byId).map((id) => {
    const queue = queues[id] || {};
    const waiting = data.services[id].waiting || 0;
    const secs = waiting ? queue.longest_wait_secs || 0 : 0;
    return { id, waiting, secs };
  }).sort((a, b) => b.secs - a.secs || b.waiting - a.waiting);
  return h("section.panel", null, h("h2", null, t("floor.by-service")),
    rows.length ? [h("div.line-row.line-head", null, h("span", null, t("ticket.service")), h("b", null, t("floor.people")), h("span", null, t("floor.longest"))),
      rows.map((row) => h("div.line-row" + (row.secs >= LONG_WAIT_S ? ".long" : ""), { "data-service": row.id },
        h("span", null, nameOf(data.services[row.id].name), h("br"), h("span.small.dim", null, t("floor.windows-open", { n: data.services[row.id].windows_open }))),
        h("b.num", null, number(row.waiting)), h("span.num", null, row.waiting ? (row.secs >= LONG_WAIT_S ? "▲ " : "") + t("floor.min", { n: minutes(row.secs) }) : "—")))]
      : h("p.dim", null, t("today.no-services")));
}

function drill() {
  const w = chosen && (data.windows || {})[chosen];
  if (!w) return h("section.panel.dim", null, t("floor.choose"));
  const more = floor[chosen] || {};
  const row = (key, value) => (value || value === 0 ? [h("dt", null, t(key)), h("dd.num", null, value)] : null);
  const services = (w.services || []).map((id) => nameOf(((data.services || {})[id] || {}).name) || id).join(t("list.comma"));
  return h("section.panel.drill", { "data-drill": chosen }, h("h2", null, nameOf(w.name)),
    h("dl.facts", null, row("ticket.state", t("window." + w.state) + (w.since ? " · " + clockOf(w.since) : "")), row("floor.ticket", w.ticket && w.ticket.number),
      row("ticket.service", w.ticket && nameOf(((data.services || {})[w.ticket.service] || {}).name)), row("floor.calls", w.ticket && w.ticket.calls),
      row("floor.clerk", more.clerk), row("floor.reason", more.reason), row("floor.serves", services), row("floor.waiting-here", waitingFor(w)), row("floor.served", more.served)),
    mayKnow() ? [h("h3", null, t("floor.recent")), (more.recent || []).length ? h("ul", null, more.recent.map((k) => h("li", null, h("b.num", null, k.number),
      h("span.small", null, t("ticket-state." + k.state), " · ", clockOf(k.called_at)), h("span.small.dim.num", null, typeof k.service_secs === "number" ? span(k.service_secs) : "")))) : h("p.dim", null, t("floor.recent-none"))] : null);
}

function banner() {
  if (failure) return h("p.note.bad", { role: "alert" }, failure);
  if (live.state === "denied") return h("p.note.bad", { role: "alert" }, t("live.denied"));
  if (live.state === "stale" || live.state === "offline") return h("p.note.bad", { role: "alert" }, "⚠ " + t("live.lost") + " · " + t("live.as-of", { at: newsAt(live, clock) }));
  if (data && data.state === "closed") return h("p.note.warn", null, t("console.hall-closed"));
  if (data && data.state === "issuing_paused") return h("p.note.warn", null, t("hall.issuing_paused"));
  return null;
}

function paint() {
  if (!$("floor-map")) {
    fill($("main"), h("div.floor-grid", { id: "grid" }, h("div.floor-banner", { id: "floor-banner" }), h("div.floor-map", { id: "floor-map" }),
      h("aside.floor-side", null, h("section", { id: "floor-totals" }), h("section", { id: "floor-drill" }), h("section", { id: "floor-lines" }))));
  }
  const note = banner();
  $("floor-banner").hidden = !note;
  swap($("floor-banner"), note);
  $("grid").classList.toggle("old", live.state === "stale" || live.state === "offline");
  if (!data) return void (note || swap($("floor-map"), h("p.dim", null, t("live.boot"))));
  const focused = document.activeElement && document.activeElement.dataset.window;
  if (swap($("floor-map"), map()) && focused) {
    const again = document.querySelector(".spot[data-window=\"" + focused + "\"]");
    if (again) again.focus();
  }
  swap($("floor-totals"), totals());
  swap($("floor-drill"), drill());
  swap($("floor-lines"), lines());
  paintBar();
}

function paintBar() {
  const key = [nameOf(data.name), data.state].join("|");
  if ($("bar").dataset.key === key) return;
  $("bar").dataset.key = key;
  document.title = t("floor.title") + " · " + nameOf(data.name);
  fill($("bar"), h("h1", null, nameOf(data.name) + " · " + t("floor.title") + " ", data.demo ? h("span.tag.demo", null, demoText(data)) : null),
    h("span.live.num", { id: "line", role: "status" }), who ? h("span", null, whoText(who)) : null, who ? h("a.btn.thin", { href: "/" }, t("manage.home")) : null, langButton(),
    who ? h("button.btn.thin", { type: "button", onclick: signOut }, t("sign.out")) : null);
}

function tick() {
  if ($("line")) liveLine($("line"), live, newsAt(live, clock));
  if (performance.now() - asked > ASK_ANYWAY_MS) ask();
  calmly(paint);
}

session().then((found) => {
  who = found;
  live = connectLive({
    topics: [topic, peopleTopic],
    reloadWithinMs: 20000,
    onSnapshot: heard,
    onDelta: heard,
    onState: () => paint(),
    onError: (of, code, detail) => { if (of === topic) { failure = detail || code; paint(); } },
  });
  clock = new HallClock(live.serverNow);
  reportDevice(live);
  paint();
  setInterval(tick, 1000);
}).catch((error) => fill($("main"), h("p.note.bad", null, error.detail || error.message)));
