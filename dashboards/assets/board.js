// Waiting-hall board: paints the frames of one hall and of its queues. /board/{hall}?zone=A shows one zone of it.
import { connectLive } from "./lib/live.js";
import { CallShow, BLINK_MS } from "./lib/callshow.js";
import { query } from "./lib/api.js";
import { reportDevice } from "./lib/device.js";
import { HallClock, roughEstimate, windowCount, byId, foldHall, demoText } from "./lib/hall.js";
import { hoursKnown, nextOpening, partOfDay, weekLines } from "./lib/hours.js";
import { t, t2, nameOf, translatePage, number, lang } from "./lib/i18n.js";
import { fitLines, fitWindow } from "./lib/lines.js";
import { noticeNow, showEmergency } from "./lib/notice.js";
import { startVoice } from "./lib/voice.js";
import { $, h, fill, text, fit, memory } from "./lib/dom.js";

const LARGE = 2;
const LOST_AFTER_MS = 300000;
const PAGE_MS = 8000;
const SHIFT_MS = 180000;
const SHIFTS = [[0, 0], [3, 2], [0, 4], [-3, 2], [-2, -2], [2, -3]]; // px, so that nothing burns in

const hall = decodeURIComponent(location.pathname.split("/")[2] || "");
const zone = new URLSearchParams(location.search).get("zone");
const topic = "hall." + hall;
const kept = "hallkeeper.board." + hall;
const show = new CallShow();
const now = () => performance.now();
let data = null;
let queues = {};
let state = "boot";
let failure = null;
let asOf = NaN;
let page = 0;
let pagedAt = now();

translatePage();
const live = connectLive({
  topics: [topic],
  board: hall,
  reloadWithinMs: 60000,
  mayReload: () => !show.onAir(now()),
  onSnapshot: (of, whole, frame) => (of === topic ? hallFrame(whole, frame) : queueFrame(of, whole)),
  onDelta: (of, whole, frame) => (of === topic ? hallFrame(whole, frame) : queueFrame(of, whole)),
  onState(next) {
    state = next;
    if (next === "live") failure = null;
    paint();
  },
  onError(of, code, detail) {
    if (of !== topic) return;
    failure = { code, detail };
    paint();
  },
});
const clock = new HallClock(live.serverNow);
const AUDIO = { on: "on", standby: "on", blocked: "blocked", muted: "muted", off: "none" };
const voice = startVoice(live, { hall, zone, onState: (heard) => { $("sound").hidden = heard !== "blocked"; } });
reportDevice(live, { mayReload: () => !show.onAir(now()), audio: () => AUDIO[voice.state], onMuted: voice.mute });

const isMine = (call) => !zone || ((data.windows || {})[call.window] || {}).zone === zone;
const ageOf = (call) => clock.now() - Date.parse(call.at);

function hallFrame(whole, frame) {
  data = whole;
  failure = null;
  if (frame.kind === "snapshot") clock.snapshot(whole.clock, whole.demo);
  else clock.frame(frame.at);
  show.pace = clock.rate > 1 ? 0.5 : 1;
  asOf = clock.now();
  const call = frame.kind === "delta" && frame.data.call;
  if (frame.kind === "snapshot") show.whole((whole.calls || []).filter(isMine), ageOf, now());
  else if (call && isMine(call)) show.add(call, ageOf(call), now());
  live.add(Object.keys(whole.services || {}).map((s) => "queue." + hall + "." + s));
  paint();
}

function queueFrame(of, whole) {
  queues[of.slice(("queue." + hall + ".").length)] = whole;
  paintServices();
}

/** How many rows and tiles the composition has room for; board.css lays them out. */
function room() {
  const is = (query) => matchMedia(query).matches;
  if (is("(min-aspect-ratio: 5/2)")) return { rows: 8, tiles: 6, across: false };
  if (is("(max-aspect-ratio: 1/1)")) return { rows: 6, tiles: 4, across: false };
  return { rows: 6, tiles: $("code").hidden ? 6 : 5, across: true };
}

/** The windows and services of this board: the hall's, or its zone's. */
function mine() {
  const windows = {};
  for (const [id, face] of Object.entries(data.windows || {})) if (!zone || face.zone === zone) windows[id] = face;
  const served = (id) => Object.values(windows).some((face) => (face.services || []).includes(id));
  const services = Object.keys(data.services || {}).filter((id) => !zone || served(id)).sort(byId);
  return { windows, services };
}

const windowFace = (id) => nameOf(((data.windows || {})[id] || {}).name) || t("window.n", { n: id });
const serviceName = (id) => nameOf(((data.services || {})[id] || {}).name) || id;

/** A window's name with its number large: that is what people look for on the wall of windows. */
function windowName(id) {
  const name = windowFace(id);
  const found = /[A-Z]{0,2}\d+/.exec(name);
  if (!found) return h("span.win-rest", null, name);
  const rest = (part) => (part ? h("span.win-rest", null, part) : null);
  return [rest(name.slice(0, found.index)), found[0], rest(name.slice(found.index + found[0].length))];
}

function blink(node, entry) {
  const age = entry.since === null ? BLINK_MS : now() - entry.since;
  if (age >= BLINK_MS) return node;
  node.classList.add("fresh");
  node.style.animationDelay = "-" + (age / 1000).toFixed(2) + "s";
  setTimeout(() => node.classList.remove("fresh"), BLINK_MS - age);
  return node;
}

/** Repaints a list, leaving one that would look the same alone so that its blinking goes on. Says whether it did. */
function repaint(parent, looks, children) {
  if (parent.dataset.looks === looks + lang()) return false;
  parent.dataset.looks = looks + lang();
  fill(parent, children());
  if (parent.id === "now" || parent.id === "recent") fitHeights();
  else fitAll(parent);
  return true;
}

function paint() {
  document.body.dataset.state = failure ? "denied" : state;
  document.body.dataset.hall = data ? data.state : "";
  if (data) {
    document.title = nameOf(data.name) + " · " + t("board.title");
    paintZone();
    $("ribbon").hidden = !data.demo;
    text($("ribbon"), demoText(data));
    document.body.dataset.signs = signs();
    document.body.style.setProperty("--signs", signs());
    paintCode();
    paintStrip();
    paintMissed();
  }
  paintCalls();
  paintServices();
  paintCover();
  tick();
  if (data) paintHead();
}

/** Signs of the longest number of this hall, which sets the width of a column of numbers. */
function signs() {
  const longest = Object.values(data.services || {}).map((s) => (s.prefix || "").length + (s.digits || 0));
  return Math.max(4, Math.min(6, Math.max(...longest, 0)));
}

function paintHead() {
  const name = nameOf(data.name);
  const looks = [name, $("date").textContent, $("ribbon").hidden, $("zone").textContent, innerWidth, innerHeight].join("|");
  if ($("hall-name").dataset.looks === looks) return;
  $("hall-name").dataset.looks = looks;
  fitLines($("hall-name"), 0.6, name);
}

function paintZone() {
  const found = (data.zones || []).find((one) => one.id === zone);
  $("zone").hidden = !zone;
  text($("zone"), found ? nameOf(found.name) : zone);
}

function paintCalls() {
  if (!data) return;
  const large = show.large(LARGE);
  const names = (entry) => [entry.key, windowFace(entry.call.window), serviceName(entry.call.service)].join("|");
  const card = (entry) => h("div.big", { "data-number": entry.call.number },
    h("div.big-no.num.fit", null, entry.call.number), h("div.big-arrow", { "aria-hidden": true }),
    h("div.big-where", null, h("div.big-win.num.window", null, windowName(entry.call.window)),
      h("div.big-service.lines", null, serviceName(entry.call.service))));
  repaint($("now"), large.map(names).join(), () => large.map((entry, i) => (i ? card(entry) : blink(card(entry), entry)))
    .concat(blank(LARGE - large.length, () => h("div.big", { "aria-hidden": true }))));
  const guide = !show.shown.length && data.state !== "closed";
  fill($("recent-label"), t(guide ? "board.guide" : "board.recent") + " ", h("small", null, t2(guide ? "board.guide" : "board.recent")));
  if (guide) return paintGuide();
  const rows = show.rows(LARGE, room().rows);
  repaint($("recent"), rows.map((entry) => names(entry) + (entry.since === null)).join() + room().rows, () => rows.map((entry) => {
    const waits = show.queue.includes(entry);
    return h(waits ? "li.row.waits" : "li.row", { "data-number": entry.call.number },
      h("span.row-no.num.fit", null, entry.call.number), h("span.row-win.num.window", null, windowName(entry.call.window)),
      h("span.row-service.lines", null, entry.call.kind === "recall" ? "↻ " : "", serviceName(entry.call.service)));
  }).concat(blank(room().rows - rows.length, () => h("li.row", { "aria-hidden": true }))));
}

/** Before the first call: where each service is dealt with. */
function paintGuide() {
  const { windows, services } = mine();
  const shown = pageOf(services, room().rows);
  const where = (id) => Object.keys(windows).filter((w) => (windows[w].services || []).includes(id)).sort(byId).join(" ");
  const most = room().rows;
  repaint($("recent"), "guide" + most + shown.map((id) => serviceName(id) + where(id)).join(), () => shown.map((id) => h("li.row.guide", null,
    h("span.row-service.lines", null, serviceName(id)),
    h("span.row-win.num.lines", null, where(id) || "—"))).concat(blank(most - shown.length, () => h("li.row", { "aria-hidden": true }))));
}

const blank = (count, node) => Array.from({ length: Math.max(0, count) }, node);

/** Numbers as large as the composition has them, or smaller when a notice takes of their height. */
function fitHeights() {
  const scale = (list, parts, room) => {
    list.style.setProperty("--scale", 1);
    const scales = Array.from(list.querySelectorAll(parts), (part) => room(part) / part.offsetHeight);
    list.style.setProperty("--scale", Math.min(1, ...scales));
  };
  const inside = (part, card) => part.closest(card).clientHeight;
  const line = 1.9 * parseFloat(getComputedStyle(document.body).fontSize);
  scale($("now"), ".big-no, .big-win", (part) => inside(part, ".big") - (part.matches(".big-win") ? line : 0));
  scale($("recent"), ".row-no, .row-win", (part) => inside(part, ".row"));
  for (const node of document.querySelectorAll(".big-service")) node.style.maxHeight = inside(node, ".big") - node.previousElementSibling.offsetHeight + "px";
  for (const node of document.querySelectorAll(".row .lines")) node.style.maxHeight = inside(node, ".row") * 0.94 + "px";
  fitAll($("now"));
  fitAll($("recent"));
}

/** The part of a list that is on this page, in pages of like size. */
function pageOf(list, most) {
  const pages = Math.max(1, Math.ceil(list.length / most));
  const size = Math.ceil(list.length / pages);
  const at = page % pages;
  return list.slice(at * size, at * size + size);
}

function paintServices() {
  if (!data) return;
  const hidden = state === "offline"; // counts this old are false
  const { windows, services } = mine();
  const { tiles, across } = room();
  const shown = pageOf(services, tiles);
  const most = Math.ceil(services.length / Math.max(1, Math.ceil(services.length / tiles)));
  $("services").style.setProperty("--tiles", Math.max(1, most));
  $("services").style.setProperty("--half", Math.max(1, Math.ceil(most / 2)));
  $("services").classList.toggle("few", across && most <= 3);
  const figures = (id) => [data.services[id].waiting, roughEstimate((queues[id] || {}).estimate)];
  const looks = shown.map((id) => serviceName(id) + figures(id)).join() + hidden + tiles;
  repaint($("services"), looks, () => shown.map((id) => {
    const [waiting, estimate] = figures(id);
    return h("li.tile", { "data-service": id },
      h("p.tile-name.lines", null, serviceName(id)),
      h("p.tile-count.fit", null, t("board.waiting") + " ", h("b.num", null, hidden ? "—" : number(waiting)), " " + t("board.people")),
      h("p.tile-more.num.fit", null, !hidden && estimate === t("estimate.none") ? "" : t("board.estimate") + " ", h("b", null, (!hidden && estimate) || "—")));
  }));
  const pages = Math.max(1, Math.ceil(services.length / tiles));
  text($("dots"), pages > 1 ? Array.from({ length: pages }, (_, i) => (i === page % pages ? "●" : "○")).join("") : "");
  const count = windowCount(windows);
  const waiting = zone ? services.reduce((sum, id) => sum + (data.services[id].waiting || 0), 0) : (data.figures || {}).waiting;
  text($("windows-open"), hidden ? "—" : count.open + " / " + count.all);
  text($("waiting-all"), hidden ? "—" : number(waiting));
}

function paintMissed() {
  const missed = data.missed || [];
  const list = $("missed");
  repaint(list, missed.join() + innerWidth, () => (missed.length ? missed.map((no) => h("span", null, no)) : "—"));
  while (list.children.length > 1 && list.scrollWidth > list.clientWidth) list.removeChild(list.lastChild); // the oldest
}

/** What visitors must know besides the calls: one line each, two at most. */
function stripLines() {
  const lines = [];
  const notice = noticeNow(data.notice, clock);
  if (notice && notice.level === "notice") lines.push([nameOf(notice.text), lang() === "en" || notice.text.en === notice.text.zh ? "" : notice.text.en]);
  if (data.state === "issuing_paused") lines.push([t("board.issuing-paused"), t2("board.issuing-paused")]);
  if (data.state === "closed" || !Object.keys(data.windows || {}).length) return lines;
  const { windows } = mine();
  const open = Object.keys(windows).filter((id) => !["closed", "paused", "offline"].includes(windows[id].state)).sort(byId);
  const local = clock.local();
  if (partOfDay(data.hours, local) === "break") {
    const values = { windows: open.join(t("list.comma")), at: clockOfLocal((nextOpening(data.hours, local) || {}).at) };
    const key = open.length ? "board.lunch-windows" : "board.lunch";
    lines.push([t(key, values), t2(key, values)]);
  } else if (!open.length) {
    lines.push([t("board.all-paused"), t2("board.all-paused")]);
  }
  return lines.slice(0, 2);
}

function paintStrip() {
  const lines = stripLines();
  $("strip").hidden = !lines.length;
  $("strip").classList.toggle("two", lines.length > 1);
  const changed = repaint($("strip"), JSON.stringify(lines), () => lines.map(([main, more]) => h("p.strip-text", null,
    main, more ? h("small", { lang: "en" }, more) : null)));
  if (changed) fitHeights();
  showEmergency(noticeNow(data.notice, clock));
}

function paintCode() {
  const path = data.visitor_issuing ? "board.code-take" : data.public_board ? "board.code-follow" : null;
  $("code").hidden = !path;
  document.body.dataset.code = path ? "yes" : "no";
  if (!path || !repaint($("code-label"), path + innerWidth, () => t(path))) return;
  fit($("code-label"));
  const what = { for: data.visitor_issuing ? "take" : "board", zone };
  $("code-picture").setAttribute("src", "/board/" + encodeURIComponent(hall) + "/code.svg" + query(what));
}

function cover() {
  if (state === "denied") return ["board.denied", "board.denied-hint"];
  if (failure && failure.code === "unknown_hall") return ["board.unknown-hall", "board.unknown-hall-hint"];
  if (failure) return ["board.refused", failure.detail];
  if (state === "offline" && live.silentMs > LOST_AFTER_MS) return ["board.lost", ""];
  if (!data) return state === "boot" ? ["board.boot", ""] : ["board.connecting", "board.follow-staff"];
  if (zone && !(data.zones || []).some((one) => one.id === zone)) return ["board.unknown-zone", "board.unknown-zone-hint"];
  if (!show.shown.length) return ["board.empty", data.visitor_issuing ? "board.empty-hint-phone" : "board.empty-hint"];
  return null;
}

function paintCover() {
  const what = cover();
  $("cover").hidden = !what;
  document.body.dataset.cover = what ? "yes" : "no";
  if (what) {
    repaint($("cover-main"), what[0], () => [t(what[0]), " ", h("small", null, t2(what[0]))]);
    text($("cover-more"), what[1] ? t(what[1]) : "");
  }
  paintClosed();
}

const clockOfLocal = (local) => (Number.isFinite(local) ? new Date(local).toISOString().slice(11, 16) : "");

function paintClosed() {
  const closed = Boolean(data) && data.state === "closed" && !failure && state !== "denied";
  $("closed").hidden = !closed;
  if (!closed) return;
  const local = clock.local();
  const part = partOfDay(data.hours, local);
  const key = { before: "closed.before", break: "closed.break", after: "closed.after", off: "closed.off" }[part] || "board.closed";
  text($("closed-name"), nameOf(data.name));
  fill($("closed-main"), t(key), " ", h("small", { lang: "en" }, t2(key)));
  const next = nextOpening(data.hours, local);
  const day = next && (next.today ? t("closed.today") : clock.date(next.at - clock.zone * 60000));
  text($("closed-next"), next ? t("closed.next", { day, at: clockOfLocal(next.at) }) : t("board.closed-hint"));
  repaint($("closed-hours"), JSON.stringify(data.hours || {}), () => (hoursKnown(data.hours)
    ? weekLines(data.hours).map((line) => [h("dt", null, line.days), h("dd", null, line.times)]) : null));
  const notice = noticeNow(data.notice, clock);
  text($("closed-notice"), notice && notice.level === "notice" ? nameOf(notice.text) : "");
  // Nothing stands in one place all night.
  const minute = Math.floor(local / 60000);
  $("closed").style.paddingLeft = 4 + (minute * 7) % 20 + "vw";
  $("closed").style.paddingTop = 2 + (minute * 5) % 9 + "vh";
}

function lineText() {
  if (state === "denied") return "⚠ " + t("live.denied");
  if (failure) return "⚠ " + t("board.refused");
  if (state === "live") return "● " + t("live.on") + " " + clock.time(clock.now(), clock.rate <= 5);
  if (state === "boot") return t("live.boot");
  return "⚠ " + t("live.lost") + (data ? " " + t("live.as-of", { at: clock.time(asOf, true) }) : "");
}

function tick() {
  text($("clock"), clock.time());
  text($("closed-clock"), clock.time());
  text($("date"), clock.date());
  text($("line"), lineText());
  text($("closed-line"), state === "live" || state === "boot" ? "" : lineText());
}

function fitAll(root) {
  for (const node of root.querySelectorAll(".fit")) fit(node);
  for (const node of root.querySelectorAll(".lines")) fitLines(node);
  for (const node of root.querySelectorAll(".window")) fitWindow(node);
}

setInterval(() => { if (show.advance(now())) paintCalls(); }, 200);
setInterval(() => {
  if (state === "live") asOf = clock.now() - live.silentMs * clock.rate;
  tick();
  paintCover();
  if (data) paintStrip();
  if (now() - pagedAt < PAGE_MS || show.onAir(now())) return;
  pagedAt = now();
  page += 1;
  paintServices();
  paintCalls();
}, 1000);
setInterval(() => {
  const [x, y] = SHIFTS[Math.floor(Date.now() / SHIFT_MS) % SHIFTS.length];
  $("sheet").style.transform = "translate(" + x + "px, " + y + "px)";
}, 10000);
setInterval(() => data && state === "live" && memory.set(kept, JSON.stringify({ data, asOf })), 10000);

function again() {
  for (const node of document.querySelectorAll("[data-looks]")) delete node.dataset.looks;
  paint();
  fitAll(document);
}
window.addEventListener("resize", again);
if (document.fonts) document.fonts.ready.then(again);

// After a power cut the last picture is better than none, as long as it says how old it is.
setTimeout(() => {
  const old = !data && !failure && JSON.parse(memory.get(kept) || "null");
  if (!old) return;
  data = foldHall(old.data, { notice: null }); // who knows whether it still holds
  show.whole((data.calls || []).filter(isMine), () => Infinity, now());
  clock.snapshot(data.clock, data.demo);
  asOf = old.asOf;
  paint();
}, 3200);
