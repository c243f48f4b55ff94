// Waiting-hall board: paints the frames of one hall and of its queues.
import { connectLive } from "./lib/live.js";
import { HallClock, estimateText, windowCount, byId, foldHall, demoText } from "./lib/hall.js";
import { t, t2, nameOf, translatePage, number, lang } from "./lib/i18n.js";
import { $, h, fill, text, fit, memory } from "./lib/dom.js";

const BLINK_MS = 4000;
const SILENT_AFTER_MS = 30000; // a call older than this, by the hall's clock, is painted without blinking
const LOST_AFTER_MS = 300000;
const PAGE_MS = 8000;
const TILES = 6;
const ROWS = 6;

const hall = decodeURIComponent(location.pathname.split("/")[2] || "");
const topic = "hall." + hall;
const kept = "hallkeeper.board." + hall;
let data = null;
let queues = {};
let state = "boot";
let failure = null;
let asOf = NaN;
let page = 0;
const aired = new Map(); // call -> when its blinking began, or 0 for one painted silently

translatePage();
const live = connectLive({
  topics: [topic],
  reloadWithinMs: 60000,
  mayReload: () => !Array.from(aired.values()).some((since) => since && performance.now() - since < BLINK_MS),
  onSnapshot: (of, whole, frame) => (of === topic ? hallFrame(whole, frame, true) : queueFrame(of, whole)),
  onDelta: (of, whole, frame) => (of === topic ? hallFrame(whole, frame, false) : queueFrame(of, whole)),
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

const callKey = (call) => [call.number, call.window, call.at, call.calls].join("|");

function hallFrame(whole, frame, isSnapshot) {
  data = whole;
  failure = null;
  if (isSnapshot) clock.snapshot(whole.clock, whole.demo);
  else clock.frame(frame.at);
  asOf = clock.now();
  for (const call of whole.calls || []) {
    const key = callKey(call);
    if (aired.has(key)) continue;
    const old = clock.now() - Date.parse(call.at) > SILENT_AFTER_MS;
    aired.set(key, old ? 0 : performance.now());
  }
  const shown = new Set((whole.calls || []).map(callKey));
  for (const key of aired.keys()) if (!shown.has(key)) aired.delete(key);
  live.add(Object.keys(whole.services || {}).map((s) => "queue." + hall + "." + s));
  paint();
}

function queueFrame(of, whole) {
  queues[of.slice(("queue." + hall + ".").length)] = whole;
  paintServices();
}

function blink(node, call) {
  const since = aired.get(callKey(call));
  const age = since ? performance.now() - since : BLINK_MS;
  if (age >= BLINK_MS) return node;
  node.classList.add("fresh");
  node.style.animationDelay = "-" + (age / 1000).toFixed(2) + "s";
  setTimeout(() => node.classList.remove("fresh"), BLINK_MS - age);
  return node;
}

const windowName = (id) => nameOf(((data.windows || {})[id] || {}).name) || t("window.n", { n: id });
const serviceName = (id) => nameOf(((data.services || {})[id] || {}).name) || id;

/** Repaints a list of calls, leaving a call that stays in its place alone so that its blinking goes on. */
function paintCalls(parent, calls, make) {
  const keys = calls.map(callKey).join() + lang();
  if (parent.dataset.keys === keys) return;
  parent.dataset.keys = keys;
  fill(parent, calls.map((call) => blink(make(call), call)));
  fitAll(parent);
}

function paint() {
  document.body.dataset.state = failure ? "denied" : state;
  document.body.dataset.hall = data ? data.state : "";
  if (data) {
    text($("hall-name"), nameOf(data.name));
    fit($("hall-name"));
    document.title = nameOf(data.name) + " · " + t("board.title");
    $("ribbon").hidden = !data.demo;
    text($("ribbon"), demoText(data));
    const calls = data.calls || [];
    paintCalls($("now"), calls.slice(0, 2), (call) => h("div.big", { "data-number": call.number },
      h("div.big-no.num.fit", null, call.number), h("div.big-arrow", { "aria-hidden": true }, "→"),
      h("div.big-win.fit", null, windowName(call.window))));
    paintCalls($("recent"), calls.slice(2, 2 + ROWS), (call) => h("li.row", { "data-number": call.number },
      h("span.row-no.num.fit", null, call.number), h("span.row-win.fit", null, windowName(call.window)),
      h("span.row-service.two.fit", null, call.kind === "recall" ? "↻ " : "", serviceName(call.service))));
    const missed = data.missed || [];
    fill($("missed"), missed.length ? missed.map((no) => h("span", null, no)) : "—");
    fit($("missed"));
    $("missed-hint").hidden = !missed.length;
    $("issuing").hidden = data.state !== "issuing_paused";
    text($("issuing"), t("board.issuing-paused"));
  }
  paintServices();
  paintNotice();
  tick();
}

function paintServices() {
  if (!data) return;
  const hidden = state === "offline"; // counts this old are false
  const ids = Object.keys(data.services || {}).sort(byId);
  const pages = Math.max(1, Math.ceil(ids.length / TILES));
  page %= pages;
  fill($("services"), ids.slice(page * TILES, page * TILES + TILES).map((id) => {
    const service = data.services[id];
    const estimate = estimateText((queues[id] || {}).estimate);
    const waiting = hidden ? "—" : number(service.waiting);
    return h("li.tile", { "data-service": id },
      h("p.tile-name.two.fit", null, nameOf(service.name)),
      h("p.tile-count.fit", null, t("board.waiting") + " ", h("b.num", null, waiting), " " + t("board.people")),
      h("p.tile-more.num.fit", null, t("board.estimate") + " " + ((!hidden && estimate) || "—")));
  }));
  text($("dots"), pages > 1 ? Array.from({ length: pages }, (_, i) => (i === page ? "●" : "○")).join("") : "");
  fitAll($("services"));
  const count = windowCount(data.windows);
  text($("windows-open"), hidden ? "—" : count.open + " / " + count.all);
  text($("waiting-all"), hidden || !data.figures ? "—" : number(data.figures.waiting));
}

function notice() {
  if (state === "denied") return ["board.denied", "board.denied-hint"];
  if (failure && failure.code === "unknown_hall") return ["board.unknown-hall", "board.unknown-hall-hint"];
  if (failure) return ["board.refused", failure.detail];
  if (state === "offline" && live.silentMs > LOST_AFTER_MS) return ["board.lost", ""];
  if (!data) return state === "boot" ? ["board.boot", ""] : ["board.connecting", "board.follow-staff"];
  if (data.state === "closed") return ["board.closed", "board.closed-hint"];
  if (!(data.calls || []).length) return ["board.empty", "board.empty-hint"];
  return null;
}

function paintNotice() {
  const what = notice();
  $("notice").hidden = !what;
  if (!what) return;
  fill($("notice-main"), t(what[0]), " ", h("small", null, t2(what[0])));
  text($("notice-more"), what[1] ? t(what[1]) : "");
}

function tick() {
  text($("clock"), clock.time());
  text($("date"), clock.date());
  const since = clock.time(asOf, true);
  if (state === "denied") text($("line"), "⚠ " + t("live.denied"));
  else if (failure) text($("line"), "⚠ " + t("board.refused"));
  else if (state === "live") text($("line"), "● " + t("live.on") + " " + clock.time(clock.now(), clock.rate <= 5));
  else if (state === "boot") text($("line"), t("live.boot"));
  else text($("line"), "⚠ " + t("live.lost") + (data ? " " + t("live.as-of", { at: since }) : ""));
}

function fitAll(root) {
  for (const node of root.querySelectorAll(".fit")) fit(node);
}

setInterval(() => {
  if (state === "live") asOf = clock.now() - live.silentMs * clock.rate;
  tick();
  if (state === "offline") paintNotice();
}, 1000);
setInterval(() => { page += 1; paintServices(); }, PAGE_MS);
setInterval(() => data && state === "live" && memory.set(kept, JSON.stringify({ data, asOf })), 10000);
window.addEventListener("resize", () => { fitAll(document); fit($("hall-name")); fit($("missed")); });
if (document.fonts) document.fonts.ready.then(() => fitAll(document));

// After a power cut the last picture is better than none, as long as it says how old it is.
setTimeout(() => {
  const old = !data && !failure && JSON.parse(memory.get(kept) || "null");
  if (!old) return;
  data = foldHall(old.data, {});
  for (const call of data.calls || []) aired.set(callKey(call), 0);
  clock.snapshot(data.clock, data.demo);
  asOf = old.asOf;
  paint();
}, 3200);
