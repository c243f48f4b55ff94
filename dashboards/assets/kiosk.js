// Kiosk: menu levels, then service, then (if the visitor likes) identity, then the slip. Personal data lives only in
// `held` below and is wiped whenever the kiosk returns to its start.
import { connectLive } from "./lib/live.js";
import { HallClock, estimateText, byId, clockOf, demoText } from "./lib/hall.js";
import { post, hallPath } from "./lib/api.js";
import { t, t2, nameOf, lang, otherLang, useLang, homeLang, number } from "./lib/i18n.js";
import { $, h, text, fit, calmly, swap } from "./lib/dom.js";

const BACK_TO_START_S = 30;
const PER_PAGE = 6;
const WINDOWS_NAMED = 3; // a slip does not list the windows of half the hall
const FULL_FOR_MS = 300000;

const hall = decodeURIComponent(location.pathname.split("/")[2] || "");
const topic = "hall." + hall;
const start = () => ({ step: "choose", path: [], page: 0 });
let view = start();
let held = null; // {kind, digits} while identity is typed
let data = null;
let failure = null;
let queues = {};
let left = BACK_TO_START_S;
const full = new Map(); // service -> when the server said that today's numbers are gone

const live = connectLive({
  topics: [topic],
  reloadWithinMs: 30000,
  mayReload: atStart,
  onSnapshot: frame,
  onDelta: frame,
  onState: paint,
  onError(of, code, detail) {
    if (of !== topic) return;
    failure = { code, detail };
    paint();
  },
});
const clock = new HallClock(live.serverNow);

function frame(of, whole, message) {
  if (of !== topic) {
    queues[of.slice(("queue." + hall + ".").length)] = whole;
  } else {
    if (data && data.day !== whole.day) full.clear();
    data = whole;
    failure = null;
    if (message.kind === "snapshot") clock.snapshot(whole.clock, whole.demo);
    else clock.frame(message.at);
    live.add(Object.keys(whole.services || {}).map((s) => "queue." + hall + "." + s));
  }
  if (view.step === "choose") paint();
}

function atStart() { return view.step === "choose" && !view.path.length && view.page === 0 && lang() === homeLang; }

function go(next) {
  view = next;
  if (view.step !== "type") held = null;
  left = BACK_TO_START_S;
  paint();
}

function toStart() {
  held = null;
  useLang(homeLang);
  go(start());
}

/* ---- what may be chosen ---- */

const offline = () => live.state !== "live";
const needsSkip = (id) => full.has(id) && Date.now() - full.get(id) < FULL_FOR_MS;

function entries() {
  const level = view.path.length ? view.path[view.path.length - 1] : null;
  const menu = (data.menu || []).filter((m) => (m.parent || null) === level);
  const known = new Set((data.menu || []).map((m) => m.id));
  const services = Object.keys(data.services || {}).sort(byId)
    .filter((id) => { const at = data.services[id].menu; return (known.has(at) ? at : null) === level; });
  return menu.map((m) => ({ menu: m })).concat(services.map((id) => ({ id, service: data.services[id] })));
}

function tile(entry) {
  const name = (of) => [h("b", null, nameOf(of)), h("small", null, nameOf(of, otherLang()) === nameOf(of) ? "" : nameOf(of, otherLang()))];
  if (entry.menu) {
    return h("button.tile", { type: "button", onclick: () => go({ step: "choose", path: view.path.concat(entry.menu.id), page: 0 }) },
      name(entry.menu.name), h("span.facts", null, t("kiosk.more") + " ›"));
  }
  const { id, service } = entry;
  const gone = needsSkip(id);
  const estimate = estimateText((queues[id] || {}).estimate);
  return h("button.tile", { type: "button", disabled: gone, "data-service": id, onclick: () => go({ step: "identify", path: view.path, service: id }) },
    name(service.name),
    gone ? h("span.why", null, t("kiosk.contingent")) : h("span.facts.num", null, h("span", null, t("kiosk.waiting", { n: number(service.waiting) })),
      " · ", h("span", null, t("kiosk.estimate", { range: estimate || "—" }))));
}

/* ---- the steps ---- */

const heading = (key, values) => h("h2", null, t(key, values), " ", h("small", null, t2(key, values)));

function chooseStep() {
  const all = entries();
  const pages = Math.max(1, Math.ceil(all.length / PER_PAGE));
  const page = Math.min(view.page, pages - 1);
  const shown = all.slice(page * PER_PAGE, page * PER_PAGE + PER_PAGE);
  const turn = (by, key) => h("button.key", { type: "button", disabled: page + by < 0 || page + by >= pages,
    onclick: () => go({ step: "choose", path: view.path, page: page + by }) }, t(key));
  return h("section.step", null, heading("kiosk.choose"),
    h("div.list", null, shown.length ? h("div.tiles", null, shown.map(tile)) : h("p", null, t("kiosk.no-services")),
      pages > 1 && h("div.pager", null, turn(-1, "kiosk.prev"), h("span.num", null, (page + 1) + " / " + pages), turn(1, "kiosk.next"))));
}

function identifyStep() {
  const choice = (key, hint, act) => h("button.tile", { type: "button", onclick: act, "data-choice": key }, h("b", null, t(key)), h("small", null, t(hint)));
  const type = (kind) => { held = { kind, digits: "" }; go({ step: "type", path: view.path, service: view.service, kind }); };
  return h("section.step", null, heading("kiosk.identify"),
    h("div.choices", null,
      choice("kiosk.id-card", "kiosk.id-card-hint", () => type("id_card")),
      choice("kiosk.phone", "kiosk.phone-hint", () => type("phone")),
      choice("kiosk.skip", "kiosk.skip-hint", () => take(null))));
}

const lengthOf = (kind) => (kind === "phone" ? 11 : 18);

function typeStep() {
  const kind = view.kind;
  const grouped = kind === "phone" ? held.digits.replace(/^(\d{3})(\d{0,4})/, "$1 $2 ") : held.digits.replace(/^(\d{6})(\d{0,8})/, "$1 $2 ");
  const keys = "1 2 3 4 5 6 7 8 9".split(" ").concat(kind === "phone" ? "" : "X", "0", "⌫");
  return h("section.step", null, heading(kind === "phone" ? "kiosk.type-phone" : "kiosk.type-id"),
    h("div.entry", null,
      h("div", null,
        h("output.num", null, grouped.trim() || "\u00a0"),
        h("p.said" + (view.said ? ".bad" : ""), { role: "alert" }, view.said || t("kiosk.private")),
        h("button.key.go", { type: "button", disabled: held.digits.length !== lengthOf(kind), onclick: confirmTyped }, t("kiosk.confirm"))),
      h("div.pad", null, keys.map((key) => (key
        ? h("button.key", { type: "button", "aria-label": key === "⌫" ? t("kiosk.erase") : key, onclick: () => press(key) }, key)
        : h("span"))))));
}

function press(key) {
  if (view.step !== "type") return;
  if (key === "⌫") held.digits = held.digits.slice(0, -1);
  else if (held.digits.length < lengthOf(view.kind) && (key !== "X" || held.digits.length === 17)) held.digits += key;
  view.said = "";
  left = BACK_TO_START_S;
  paint();
}

function confirmTyped() {
  if (!held || held.digits.length !== lengthOf(view.kind)) return;
  take(view.kind === "phone" ? { kind: "phone", phone: held.digits } : { kind: "id_card", id_number: held.digits });
}

async function take(holder) {
  const { service, path, kind } = view;
  go({ step: "wait", path, service });
  try {
    const ticket = await post(hallPath(hall, "tickets"), holder ? { service, holder } : { service });
    go({ step: "slip", ticket });
  } catch (error) {
    if (error.code === "contingent_reached") full.set(service, Date.now());
    if (error.code === "invalid_identity" && kind) {
      held = { kind, digits: "" };
      go({ step: "type", path, service, kind, said: error.detail });
    } else {
      go({ step: "refused", detail: error.detail, network: error.code === "network" });
    }
  }
}

function slipStep() {
  const ticket = view.ticket;
  const slip = ticket.slip || {};
  const all = slip.windows || ticket.windows || [];
  const some = all.slice(0, all.length > WINDOWS_NAMED + 1 ? WINDOWS_NAMED : all.length).map((w) => nameOf(w)).join(t("list.comma"));
  const windows = all.length > WINDOWS_NAMED + 1 ? t("kiosk.windows-more", { some, n: all.length, rest: all.length - WINDOWS_NAMED }) : some;
  const row = (key, value) => [h("dt", null, t(key)), h("dd.num", null, value)];
  return h("section.done", null,
    h("article.slip", null,
      h("div", null,
        h("p.slip-service", null, nameOf(slip.service || ticket.service_name)),
        h("p.slip-number.num", { id: "number" }, ticket.number),
        h("dl", null,
          row("kiosk.windows", windows || "—"),
          row("kiosk.ahead", t("kiosk.ahead-n", { n: ticket.ahead })),
          row("kiosk.wait", estimateText(ticket.estimate) || "—"),
          row("kiosk.issued", clockOf(ticket.issued_at)))),
      ticket.token && h("figure", null, h("img", { src: "/t/" + encodeURIComponent(ticket.token) + "/qr.svg", alt: t("kiosk.qr") }),
        h("figcaption", null, t("kiosk.qr"))),
      h("p.slip-hint", null, t("kiosk.slip-hint"))),
    h("button.key.go", { type: "button", onclick: toStart }, t("kiosk.finish")));
}

const message = (kind, title, detail) => h("section.message" + (kind ? "." + kind : ""), { role: "status" }, h("h2", null, title), detail && h("p", null, detail));

function blocked() {
  if (live.state === "denied") return message("bad", t("live.denied"), t("kiosk.ask-staff"));
  if (failure) return message("bad", failure.detail || failure.code, t("kiosk.ask-staff"));
  if (!data) return message("", t(live.state === "boot" ? "live.boot" : "live.lost"), t("kiosk.ask-staff"));
  if (offline()) return message("bad", t("kiosk.offline"), t("kiosk.ask-staff"));
  if (data.state === "closed") return message("", t("kiosk.closed") + " " + t2("kiosk.closed"), t("board.closed-hint"));
  if (data.state === "issuing_paused") return message("", t("kiosk.paused") + " " + t2("kiosk.paused"), t("kiosk.paused-hint"));
  return null;
}

function stepNode() {
  if (view.step === "slip") return slipStep();
  if (view.step === "wait") return message("", t("kiosk.working"), "");
  if (view.step === "refused") return message("bad", view.detail, t("kiosk.ask-staff"));
  const stop = blocked();
  if (stop) return stop;
  return view.step === "identify" ? identifyStep() : view.step === "type" && held ? typeStep() : chooseStep();
}

/** Long names shrink until the whole tile is inside its frame. */
function fitTiles(root) {
  for (const box of root.querySelectorAll(".tile")) {
    const name = box.querySelector("b");
    let size = parseFloat(getComputedStyle(name).fontSize);
    const least = size * 0.5;
    while (box.scrollHeight > box.clientHeight && size > least) {
      size -= 1;
      name.style.fontSize = size + "px";
    }
  }
}

function paint() { calmly(paintNow); }

function paintNow() {
  text($("hall-name"), data ? nameOf(data.name) : "");
  fit($("hall-name"));
  $("ribbon").hidden = !(data && data.demo);
  if (data) text($("ribbon"), demoText(data));
  text($("lang"), lang() === "en" ? "中文" : "English");
  text($("back"), "‹ " + t("kiosk.back"));
  text($("home"), t("kiosk.home"));
  $("back").hidden = !(view.step === "identify" || view.step === "type" || (view.step === "choose" && view.path.length));
  $("home").hidden = $("back").hidden && view.step !== "refused";
  const bad = live.state !== "live" && live.state !== "boot";
  $("line").classList.toggle("bad", bad);
  text($("line"), bad ? "⚠ " + t("live.lost") : live.state === "live" ? "● " + t("live.on") : t("live.boot"));
  const next = stepNode();
  if (swap($("main"), next)) {
    const output = next.querySelector("output");
    if (output) fit(output);
    fitTiles(next);
  }
  tick();
}

function tick() {
  text($("clock"), data ? clock.time() : "");
  text($("countdown"), atStart() || view.step === "wait" ? "" : t("kiosk.countdown", { n: left }));
}

$("lang").addEventListener("click", () => {
  useLang(otherLang());
  left = BACK_TO_START_S;
  paint();
});
$("home").addEventListener("click", toStart);
$("back").addEventListener("click", () => {
  if (view.step === "type") go({ step: "identify", path: view.path, service: view.service });
  else if (view.step === "identify") go({ step: "choose", path: view.path, page: 0 });
  else go({ step: "choose", path: view.path.slice(0, -1), page: 0 });
});
// a card reader that types, or a keyboard
document.addEventListener("keydown", (event) => {
  if (view.step !== "type" || event.repeat) return;
  if (/^[0-9xX]$/.test(event.key)) press(event.key.toUpperCase());
  else if (event.key === "Backspace") press("⌫");
  else if (event.key === "Enter") { event.preventDefault(); confirmTyped(); }
});
document.addEventListener("pointerdown", () => { left = BACK_TO_START_S; });
document.addEventListener("contextmenu", (event) => event.preventDefault());
window.addEventListener("resize", () => { fit($("hall-name")); fitTiles(document); });
setInterval(() => {
  if (!atStart() && view.step !== "wait") {
    left -= 1;
    if (left <= 0) toStart();
  } else {
    left = BACK_TO_START_S;
  }
  tick();
}, 1000);
paint();
