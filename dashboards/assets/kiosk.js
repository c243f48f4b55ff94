// Kiosk: service, then identity, then the ticket; who scans a card or an appointment first needs a step less. Personal
// data lives only in `visitor` and `view`; both are made anew whenever the kiosk returns to its start.
import { connectLive } from "./lib/live.js";
import { HallClock, estimateText, byId, clockOf, demoText } from "./lib/hall.js";
import { get, post, newKey, hallPath } from "./lib/api.js";
import { reportDevice } from "./lib/device.js";
import { readScans, whatIs } from "./lib/scan.js";
import { noticeNow } from "./lib/notice.js";
import { printerAt } from "./lib/printer.js";
import { t, t2, nameOf, lang, otherLang, useLang, homeLang, number } from "./lib/i18n.js";
import { $, h, text, fit, calmly, swap } from "./lib/dom.js";

const PRINTER_LOOK_MS = 20000;
const WINDOWS_NAMED = 3; // a slip does not list the windows of half the hall

const KINDS = ["id_card", "social_security_code", "identity_code", "foreign_permanent_residence", "phone"];
const SIMPLE_KINDS = ["id_card", "social_security_code"];
const LENGTHS = { phone: [11], id_card: [18], foreign_permanent_residence: [15, 18] };
const CASE = "case_no"; // what is typed is not who one is, but which case one asks for
const LONGEST_CODE = 128;

const hall = decodeURIComponent(location.pathname.split("/")[2] || "");
const topic = "hall." + hall;
const set = new URLSearchParams(location.search);
/** Seconds without a touch until the kiosk is nobody's again. */
const BACK_TO_START_S = Math.min(120, Math.max(5, Number(set.get("idle")) || 30));
const start = () => ({ step: "choose", path: [], page: 0 });
const nobody = () => ({ elder: false, holder: null, wish: null, key: null });
let view = start();
let visitor = nobody();
let data = null;
let failure = null;
let queues = {};
let left = BACK_TO_START_S;

const printer = printerAt(set.get("print"), set.get("paper"));
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
const device = reportDevice(live, {
  mayReload: atStart,
  faults: () => (printer.fault ? [{ function: "print", code: printer.fault }] : []),
});

function frame(of, whole, message) {
  if (of !== topic) {
    queues[of.slice(("queue." + hall + ".").length)] = whole;
  } else {
    data = whole;
    failure = null;
    if (message.kind === "snapshot") clock.snapshot(whole.clock, whole.demo);
    else clock.frame(message.at);
    live.add(Object.keys(whole.services || {}).map((s) => "queue." + hall + "." + s));
  }
  if (view.step === "choose") paint();
}

function atStart() {
  return view.step === "choose" && !view.path.length && view.page === 0 && lang() === homeLang && !visitor.elder && !visitor.holder;
}

function go(next) {
  view = next;
  left = BACK_TO_START_S;
  paint();
}

/** Nothing of the visitor stays. */
function toStart() {
  visitor = nobody();
  useLang(homeLang);
  go(start());
}

/** The second tap of a double tap would choose what has just come under the finger. */
const tap = (act) => (event) => { if (!(event.detail > 1)) act(); };

/* ---- what may be chosen ---- */

const offline = () => live.state !== "live";

function entries() {
  const level = view.path.length ? view.path[view.path.length - 1] : null;
  const menu = (data.menu || []).filter((m) => (m.parent || null) === level);
  const known = new Set((data.menu || []).map((m) => m.id));
  const services = Object.keys(data.services || {}).sort(byId)
    .filter((id) => { const at = data.services[id].menu; return (known.has(at) ? at : null) === level; });
  return menu.map((m) => ({ menu: m })).concat(services.map((id) => ({ id, service: data.services[id] })));
}

/** Why a service cannot be had now, in words; nothing if it can. */
function whyNot(service) {
  if (service.left === 0) return t("kiosk.contingent");
  if (!(service.windows || []).length) return t("kiosk.no-window");
  return "";
}

function tile(entry) {
  const name = (of) => [h("b", null, nameOf(of)), visitor.elder ? null : h("small", null, nameOf(of, otherLang()) === nameOf(of) ? "" : nameOf(of, otherLang()))];
  if (entry.menu) {
    return h("button.tile", { type: "button", onclick: tap(() => go({ step: "choose", path: view.path.concat(entry.menu.id), page: 0 })) },
      name(entry.menu.name), h("span.facts", null, t("kiosk.more") + " ›"));
  }
  const { id, service } = entry;
  const why = whyNot(service);
  const estimate = estimateText((queues[id] || {}).estimate);
  return h("button.tile", { type: "button", disabled: Boolean(why), "data-service": id, onclick: tap(() => chosen(id)) },
    name(service.name),
    why ? h("span.why", null, "✕ " + why) : h("span.facts.num", null, h("span", null, t("kiosk.waiting", { n: number(service.waiting) })),
      " · ", h("span", null, !estimate ? t("kiosk.no-estimate") : estimate === t("estimate.none") ? estimate : t("kiosk.estimate", { range: estimate }))));
}

/** The service is known; so is the visitor, if a card was read before. */
function chosen(service) {
  if (visitor.holder) return wish({ service, holder: visitor.holder });
  return go({ step: "identify", path: view.path, service });
}

/* ---- the steps ---- */

const heading = (key, values) => h("h2", null, t(key, values), " ", visitor.elder ? null : h("small", null, t2(key, values)));

function chooseStep() {
  const all = entries();
  const perPage = visitor.elder ? 4 : 6;
  const pages = Math.max(1, Math.ceil(all.length / perPage));
  const page = Math.min(view.page, pages - 1);
  const shown = all.slice(page * perPage, page * perPage + perPage);
  const turn = (by, key) => h("button.key", { type: "button", disabled: page + by < 0 || page + by >= pages,
    onclick: () => go({ step: "choose", path: view.path, page: page + by }) }, t(key));
  return h("section.step", null, heading("kiosk.choose"),
    h("div.list", null, shown.length ? h("div.tiles", null, shown.map(tile)) : h("p", null, t("kiosk.no-services")),
      pages > 1 && h("div.pager", null, turn(-1, "kiosk.prev"), h("span.num", null, (page + 1) + " / " + pages), turn(1, "kiosk.next"))));
}

const choice = (key, title, hint, act) => h("button.tile", { type: "button", onclick: tap(act), "data-choice": key }, h("b", null, title), h("small", null, hint));

function identifyStep() {
  const kinds = visitor.elder ? SIMPLE_KINDS : KINDS;
  return h("section.step", null, heading("kiosk.identify"),
    h("div.choices", null,
      kinds.map((kind) => choice("kiosk." + kind, t("kind." + kind), t("kiosk.hint-" + kind), () => go({ step: "type", path: view.path, service: view.service, appointment: view.appointment, kind, typed: "" }))),
      choice("kiosk.skip", t("kiosk.skip"), t("kiosk.skip-hint"), () => wish({ service: view.service, appointment: view.appointment }))));
}

/** A code that is no card: only its owner knows which. */
function whichStep() {
  const is = (kind) => choice("kiosk." + kind, t("kind." + kind), t("kiosk.hint-" + kind), () => known({ kind, id_number: view.code }, view));
  return h("section.step", null, heading("kiosk.which"), h("div.choices", null, is("social_security_code"), is("identity_code")));
}

function longEnough() {
  const lengths = LENGTHS[view.kind];
  return lengths ? lengths.includes(view.typed.length) : view.typed.length >= (view.kind === CASE ? 1 : 6);
}

function grouped() {
  if (view.kind === CASE) return view.typed;
  const parts = view.kind === "phone" ? [3, 4, 4] : view.kind === "id_card" ? [6, 8, 4] : [4, 4, 4, 4, 4];
  let at = 0;
  return parts.map((n) => view.typed.slice(at, (at += n))).filter(Boolean).concat(view.typed.slice(at)).join(" ").trim();
}

const DIGITS = ["123", "456", "789"];
const LETTERS = ["1234567890", "QWERTYUIOP", "ASDFGHJKL", "ZXCVBNM"];

function pad() {
  const letters = !["phone", "id_card"].includes(view.kind);
  const key = (sign) => h("button.key", { type: "button", "aria-label": sign === "⌫" ? t("kiosk.erase") : sign, onclick: () => press(sign) }, sign);
  if (letters) return h("div.board", null, LETTERS.map((row, i) => h("div", null, row.split("").concat(i === 3 ? (view.kind === CASE ? ["-", "⌫"] : "⌫") : []).map(key))));
  return h("div.pad", null, DIGITS.join("").split("").concat(view.kind === "phone" ? "" : "X", "0", "⌫").map((sign) => (sign ? key(sign) : h("span"))));
}

function typeStep() {
  const letters = !["phone", "id_card"].includes(view.kind);
  return h("section.step", null, heading("kiosk.type-" + view.kind),
    h("div.entry" + (letters ? ".wide" : ""), null,
      h("div", null,
        h("output.num", null, grouped() || "\u00a0"),
        h("p.said" + (view.said ? ".bad" : ""), { role: "alert" }, view.said ? "✕ " + view.said : t(view.kind === CASE ? "kiosk.case-private" : "kiosk.private")),
        h("button.key.go", { type: "button", disabled: !longEnough(), onclick: confirmTyped }, t(view.kind === CASE ? "kiosk.case-ask" : "kiosk.confirm"))),
      pad()));
}

function press(sign) {
  if (view.step !== "type") return;
  const longest = Math.max.apply(null, LENGTHS[view.kind] || [LONGEST_CODE]);
  if (sign === "⌫") view.typed = view.typed.slice(0, -1);
  else if (view.typed.length < longest && fits(sign)) view.typed += sign;
  view.said = "";
  left = BACK_TO_START_S;
  paint();
}

const fits = (sign) => view.kind === "phone" ? /\d/.test(sign) : view.kind === "id_card" ? /\d/.test(sign) || (sign === "X" && view.typed.length === 17) : (view.kind === CASE ? /[0-9A-Z-]/ : /[0-9A-Z]/).test(sign);

function confirmTyped() {
  if (view.step !== "type" || !longEnough()) return;
  if (view.kind === CASE) { askCase(); return; }
  const holder = view.kind === "phone" ? { kind: "phone", phone: view.typed } : { kind: view.kind, id_number: view.typed };
  wish({ service: view.service, holder, appointment: view.appointment });
}

/* ---- how far a case is ---- */

/** What comes back has no name in it; an answer that comes too late is not shown to the next visitor. */
async function askCase() {
  const asked = view;
  try {
    const found = await get(hallPath(hall, "case-progress", asked.typed), { retry: false });
    if (view === asked) go({ step: "case", path: asked.path, found });
  } catch (error) {
    if (view === asked) go(Object.assign({}, asked, { said: error.detail || t("kiosk.offline") }));
  }
}

function caseStep() {
  const one = view.found;
  const day = (at) => String(at || "").slice(0, 10);
  const line = (key, value) => (value ? [h("dt", null, t(key)), h("dd", null, value)] : null);
  return h("section.step", null, heading("kiosk.case"), h("dl.case", null, line("kiosk.case-no", one.case_no), line("kiosk.case-item", one.item), line("kiosk.case-state", t("case-state." + one.state)),
    line("kiosk.case-department", one.department), one.ended_at ? line("kiosk.case-ended", day(one.ended_at)) : line("kiosk.case-due", day(one.due_at))));
}

/* ---- what a reader read ---- */

function scanned(read) {
  if (view.step === "wait" || !data || failure) return;
  if (view.step === "slip" || view.step === "refused") toStart(); // the next visitor is here
  left = BACK_TO_START_S;
  const found = whatIs(read, clock.zone);
  if (found.kind !== "unknown") device.used("scan");
  const place = { path: view.path || [], service: view.service, appointment: view.appointment };
  if (found.kind === "unknown") return go({ step: "unread", detail: t("kiosk.unread") });
  if (found.kind === "appointment") return wish(Object.assign({ service: found.service, appointment: found.appointment }, visitor.holder ? { holder: visitor.holder } : {}));
  if (found.kind === "code" && view.step === "type" && view.kind === CASE) { view.typed = found.number; askCase(); return; }
  if (found.kind === "code" && view.step === "type" && ["social_security_code", "identity_code"].includes(view.kind)) return known({ kind: view.kind, id_number: found.number }, place);
  if (found.kind === "code" && view.step === "type") return go(Object.assign({}, view, { typed: "", said: t("kiosk.not-this") }));
  if (found.kind === "code") return go(Object.assign({ step: "which", code: found.number }, place));
  return known({ kind: found.kind, id_number: found.number }, place);
}

/** The visitor's document is read: take the number, or first choose the service. */
function known(holder, { service, path, appointment }) {
  if (service) return wish({ service, holder, appointment });
  visitor.holder = holder;
  return go({ step: "choose", path: path || [], page: 0 });
}

/** The words for a document that was read, with its last four signs only. */
const knownText = (holder) => t("kiosk.known", { kind: t("kind." + holder.kind), tail: String(holder.id_number || holder.phone || "").slice(-4) });

/* ---- taking the number ---- */

/** A new wish has a key of its own; the same wish asked again has the same, and gives one ticket. */
function wish(body) {
  visitor.wish = body;
  visitor.key = newKey();
  return take();
}

async function take() {
  const whose = visitor;
  const { wish: body, key } = whose;
  const path = view.path || [];
  go({ step: "wait", path, service: body.service });
  try {
    const ticket = await post(hallPath(hall, "tickets"), body, { key });
    if (whose === visitor) show(ticket);
  } catch (error) {
    if (whose === visitor) refused(error, body, path);
  }
}

function show(ticket) {
  visitor.holder = null; // no more needed
  visitor.wish = null;
  const shown = { step: "slip", ticket, printing: printer.exists ? "under-way" : "none" };
  go(shown);
  if (!printer.exists) return;
  printer.print(ticket.token, lang()).then((printed) => {
    if (printed) device.used("print");
    device.look();
    if (view !== shown) return paint();
    return go(Object.assign(shown, { printing: printed ? "done" : "failed" }));
  });
}

function refused(error, body, path) {
  const { holder, service, appointment } = body;
  if (error.code === "invalid_identity" && holder) {
    visitor.holder = null;
    return go({ step: "type", path, service, appointment, kind: holder.kind, typed: "", said: error.detail });
  }
  const problem = error.problem || {};
  const detail = error.code === "appointment_too_early" ? t("kiosk.too-early", { at: clockOf(problem.from) })
    : error.code === "appointment_too_late" ? t("kiosk.too-late", { at: clockOf(problem.until) }) : error.detail;
  return go({ step: "refused", detail, again: error.code === "network" || error.status === 503 });
}

function windowsText(all) {
  if (!all.length) return t("kiosk.windows-screen");
  const some = all.slice(0, all.length > WINDOWS_NAMED + 1 ? WINDOWS_NAMED : all.length).map((w) => nameOf(w)).join(t("list.comma"));
  return all.length > WINDOWS_NAMED + 1 ? t("kiosk.windows-more", { some, n: all.length, rest: all.length - WINDOWS_NAMED }) : some;
}

function slipStep() {
  const { ticket, printing } = view;
  const slip = ticket.slip || {};
  const estimate = estimateText(ticket.estimate);
  const fact = (label, words) => [h("dt", null, label), h("dd.num", null, words)];
  const paper = { "under-way": ["", "kiosk.printing"], done: ["good", "kiosk.printed"], failed: ["bad", "kiosk.not-printed"], none: ["", "kiosk.keep"] }[printing];
  const words = printing === "failed" ? t(paper[1], { why: t("fault." + (printer.fault || "offline")) }) : t(paper[1]);
  return h("section.done", null,
    h("p.paper" + (paper[0] ? "." + paper[0] : ""), { role: "status", "data-printing": printing }, (paper[0] === "good" ? "✓ " : paper[0] === "bad" ? "✕ " : "") + words),
    h("div.slip" + (printing === "failed" || printing === "none" ? ".large-code" : ""), null,
      h("div", null,
        h("p.slip-service", null, nameOf(slip.service || ticket.service_name)),
        h("p.slip-number.num", { id: "number" }, ticket.number),
        h("dl", null,
          fact(t("kiosk.ahead"), t("kiosk.ahead-n", { n: number(typeof slip.ahead === "number" ? slip.ahead : ticket.ahead) })),
          fact(t("kiosk.windows"), windowsText(slip.windows || ticket.window_names || [])),
          fact(t("kiosk.wait"), estimate || t("kiosk.no-estimate")),
          fact(t("kiosk.issued"), clockOf(ticket.issued_at)))),
      h("figure", null,
        h("img", { src: (slip.qr || "/t/" + ticket.token) + "/qr.svg", alt: t("kiosk.qr") }),
        h("figcaption", null, t("kiosk.qr"))),
      h("p.slip-hint", null, t("kiosk.slip-hint"))),
    h("button.key.go", { type: "button", onclick: toStart }, t("kiosk.finish")));
}

const message = (kind, title, detail, button) => h("section.message" + (kind ? "." + kind : ""), { role: "status" },
  h("h2", null, title), detail && h("p", null, detail), button);

function blocked() {
  if (live.state === "denied") return message("bad", t("live.denied"), t("kiosk.ask-staff"));
  if (failure) return message("bad", failure.detail || failure.code, t("kiosk.ask-staff"));
  if (!data) return message("", t(offline() && live.state !== "boot" ? "live.lost" : "live.boot"), t("kiosk.ask-staff"));
  if (offline()) return message("bad", t("kiosk.offline"), t("kiosk.ask-staff"));
  if (data.state === "closed") return message("", t("kiosk.closed") + " " + t2("kiosk.closed"), t("board.closed-hint"));
  if (data.state === "issuing_paused") return message("", t("kiosk.paused") + " " + t2("kiosk.paused"), t("kiosk.paused-hint"));
  return null;
}

function refusedStep() {
  const again = view.again && h("button.key.go", { type: "button", onclick: tap(take) }, t("kiosk.again"));
  return message("bad", view.detail, view.again ? t("kiosk.again-hint") : t("kiosk.ask-staff"), again);
}

function stepNode() {
  if (view.step === "slip") return slipStep();
  if (view.step === "wait") return message("", t("kiosk.working"), offline() ? t("kiosk.working-slow") : "");
  if (view.step === "refused") return refusedStep();
  if (view.step === "unread") return message("bad", view.detail, t("kiosk.unread-hint"));
  const stop = blocked();
  if (stop) return stop;
  return { identify: identifyStep, type: typeStep, which: whichStep, choose: chooseStep, case: caseStep }[view.step]();
}

/** Long names shrink until the whole tile is inside its frame. */
function fitTiles(root) {
  for (const box of root.querySelectorAll(".tile")) {
    const name = box.querySelector("b");
    name.style.fontSize = "";
    let size = parseFloat(getComputedStyle(name).fontSize);
    const least = size * 0.5;
    while ((box.scrollHeight > box.clientHeight || box.scrollWidth > box.clientWidth) && size > least) {
      size -= 1;
      name.style.fontSize = size + "px";
    }
  }
}

function paint() { calmly(paintNow); }

function band(id, words) {
  $(id).hidden = !words;
  text($(id), words || "");
}

function paintNow() {
  document.documentElement.classList.toggle("elder", visitor.elder);
  document.body.dataset.step = view.step;
  text($("hall-name"), data ? nameOf(data.name) : "");
  $("ribbon").hidden = !(data && data.demo);
  if (data) text($("ribbon"), demoText(data));
  text($("lang"), lang() === "en" ? "中文" : "English");
  text($("elder"), t(visitor.elder ? "kiosk.elder-off" : "kiosk.elder"));
  $("elder").setAttribute("aria-pressed", String(visitor.elder));
  text($("back"), "‹ " + t("kiosk.back"));
  text($("home"), t("kiosk.home"));
  text($("case"), t("kiosk.case"));
  $("case").hidden = view.step !== "choose" || view.path.length > 0 || Boolean(visitor.holder) || !data;
  $("back").hidden = !(["identify", "type", "which", "case"].includes(view.step) || (view.step === "choose" && view.path.length));
  $("home").hidden = view.step === "slip" || view.step === "wait" || (view.step === "choose" && !view.path.length && !visitor.holder);
  const bad = live.state !== "live" && live.state !== "boot";
  $("line").classList.toggle("bad", bad);
  text($("line"), bad ? "⚠ " + t("live.lost") : live.state === "live" ? "● " + t("live.on") : t("live.boot"));
  band("no-print", printer.exists && !printer.prints && view.step !== "slip" ? "✕ " + t("kiosk.no-print", { why: t("fault." + printer.fault) }) : "");
  band("known", visitor.holder && view.step === "choose" ? "✓ " + knownText(visitor.holder) : "");
  fit($("hall-name"));
  tick(); // the foot has its height before the tiles are fitted above it
  const next = stepNode();
  if (swap($("main"), next)) {
    const output = next.querySelector("output");
    if (output) fit(output);
    fitTiles(next);
  }
}

const counting = () => !atStart() && view.step !== "wait";

function tick() {
  text($("clock"), data ? clock.time() : "");
  const notice = data && noticeNow(data.notice, clock);
  band("notice", notice && notice.level === "emergency" ? "⚠ " + nameOf(notice.text) : "");
  text($("countdown"), counting() ? t("kiosk.countdown", { n: left }) : "");
}

$("lang").addEventListener("click", () => {
  useLang(otherLang());
  left = BACK_TO_START_S;
  paint();
});
$("elder").addEventListener("click", () => {
  visitor.elder = !visitor.elder;
  if (view.step === "choose") view.page = 0;
  left = BACK_TO_START_S;
  paint();
});
$("home").addEventListener("click", toStart);
$("case").addEventListener("click", () => go({ step: "type", path: [], kind: CASE, typed: "" }));
$("back").addEventListener("click", () => {
  if (view.step === "type" && view.service) go({ step: "identify", path: view.path, service: view.service, appointment: view.appointment });
  else if (["identify", "type", "which", "case"].includes(view.step)) go({ step: "choose", path: view.path || [], page: 0 });
  else go({ step: "choose", path: view.path.slice(0, -1), page: 0 });
});
readScans(scanned, (sign) => {
  if (sign === "Enter") confirmTyped();
  else if (sign === "Backspace") press("⌫");
  else if (/^[0-9a-z-]$/i.test(sign)) press(sign.toUpperCase());
});
document.addEventListener("pointerdown", () => { left = BACK_TO_START_S; });
document.addEventListener("contextmenu", (event) => event.preventDefault());
window.addEventListener("resize", () => { fit($("hall-name")); fitTiles(document); });
setInterval(() => {
  if (counting()) {
    left -= 1;
    if (left <= 0) toStart();
  } else {
    left = BACK_TO_START_S;
  }
  tick();
}, 1000);
const lookAtPrinter = () => printer.look().then(() => { device.look(); paint(); });
if (printer.exists) {
  lookAtPrinter();
  setInterval(() => { if (view.step === "choose") lookAtPrinter(); }, PRINTER_LOOK_MS);
}
paint();
