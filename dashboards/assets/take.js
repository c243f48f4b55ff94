// A visitor takes a number on the own phone. The code in the hall leads here; the number's page follows.
import { get, post, newKey, hallPath } from "./lib/api.js";
import { estimateText, demoText, zoneOf } from "./lib/hall.js";
import { whatIs } from "./lib/scan.js";
import { t, nameOf, lang, switchLang, number } from "./lib/i18n.js";
import { $, h, text, memory, swap } from "./lib/dom.js";

const ASK_MS = 15000;
const KINDS = ["none", "id_card", "social_security_code", "identity_code", "foreign_permanent_residence", "phone"];

const hall = decodeURIComponent(location.pathname.split("/")[2] || "");
const takenKey = "hallkeeper.taken." + hall;
let data = null;
let failure = null; // the server's refusal to show the hall at all
let stale = false;
let have = null;    // the ticket this phone took before, while it still counts
let path = [];
let service = null;
let form = {};      // what is typed, kept while the page is painted anew
let said = "";
let busy = false;
const keys = {};    // of wishes whose answer was lost: asked again, also after going back, each gives one number

const OVER = ["completed", "cancelled", "expired"];

async function ask() {
  try {
    data = await get(hallPath(hall, "visitor-menu"), { retry: false });
    failure = null;
    stale = false;
  } catch (error) {
    if (error.status) failure = error;
    stale = true;
  }
  paint();
}

async function askForMine() {
  const token = memory.get(takenKey);
  if (!token) return;
  try {
    const mine = await get("/tickets/" + encodeURIComponent(token));
    have = OVER.includes(mine.state) ? null : { token, number: mine.number };
    if (!have) memory.drop(takenKey);
  } catch (error) {
    if (error.status === 404) memory.drop(takenKey);
  }
  paint();
}

function choices() {
  const level = path.length ? path[path.length - 1] : null;
  const menu = data.menu.filter((m) => (m.parent || null) === level);
  const known = new Set(data.menu.map((m) => m.id));
  return menu.map((m) => ({ menu: m })).concat(data.services.filter((s) => (known.has(s.menu) ? s.menu : null) === level));
}

function whyNot(one) {
  return one.left === 0 ? t("kiosk.contingent") : one.windows === 0 ? t("kiosk.no-window") : "";
}

function choice(one) {
  if (one.menu && one.menu.id) {
    return h("button.choice", { type: "button", onclick: () => { path = path.concat(one.menu.id); paint(); } },
      h("b", null, nameOf(one.menu.name)), h("span", null, t("kiosk.more") + " ›"));
  }
  const why = whyNot(one);
  const estimate = estimateText(one.estimate);
  return h("button.choice", { type: "button", disabled: Boolean(why), "data-service": one.id, onclick: () => { service = one; said = ""; paint(); } },
    h("b", null, nameOf(one.name)),
    h("span.num", null, why ? "✕ " + why : t("kiosk.waiting", { n: number(one.waiting) }) + " · " + (!estimate ? t("kiosk.no-estimate") : estimate === t("estimate.none") ? estimate : t("kiosk.estimate", { range: estimate }))));
}

const field = (name, label, input) => {
  input.value = form[name] || "";
  input.addEventListener("input", () => { form[name] = input.value; });
  return h("label.field", null, h("span", null, label), input);
};

function wishForm() {
  const kind = h("select", { name: "kind" }, KINDS.map((one) => h("option", { value: one }, t("kind." + one))));
  const fields = [field("kind", t("take.kind"), kind)];
  kind.value = form.kind || "none";
  kind.addEventListener("change", () => { form.kind = kind.value; paint(); });
  if (kind.value !== "none") fields.push(field("number", t(kind.value === "phone" ? "kiosk.type-phone" : "take.number"), h("input", { name: "number", autocomplete: "off", autocapitalize: "characters" })));
  fields.push(field("booked", t("take.booked"), h("input", { name: "booked", autocomplete: "off", autocapitalize: "characters" })));
  return h("section.take", null,
    h("div.card", null, h("p.lead", null, nameOf(service.name)), h("p.more.num", null, t("kiosk.waiting", { n: number(service.waiting) }))),
    h("p.more", null, t("take.you")), fields, h("p.more.small", null, t("take.private")),
    said && h("p.said", { role: "alert" }, said),
    h("button.big.go", { type: "button", id: "go", disabled: busy, onclick: take }, t("take.go")),
    h("button.big", { type: "button", disabled: busy, onclick: () => { service = null; said = ""; paint(); } }, t("take.back")));
}

/** The wish as it is typed; null and a reason when the appointment's code is none. */
function wish() {
  const body = { service: service.id, channel: "scan" };
  const id = (form.number || "").trim();
  if (form.kind && form.kind !== "none") body.holder = form.kind === "phone" ? { kind: "phone", phone: id } : { kind: form.kind, id_number: id };
  if (!(form.booked || "").trim()) return body;
  const code = whatIs(form.booked, zoneOf(data.clock.at));
  if (code.kind !== "appointment") said = t("take.booked-wrong");
  else if (!body.holder) said = t("take.booked-needs");
  else return Object.assign(body, { service: code.service, appointment: code.appointment });
  return null;
}

async function take() {
  if (busy) return;
  said = "";
  const body = wish();
  if (!body) return paint();
  busy = true;
  const what = JSON.stringify(body);
  keys[what] = keys[what] || newKey();
  paint();
  try {
    const ticket = await post(hallPath(hall, "tickets"), body, { key: keys[what] });
    form = {};
    memory.set(takenKey, ticket.token);
    location.replace("/t/" + encodeURIComponent(ticket.token) + (lang() === "en" ? "?lang=en" : ""));
  } catch (error) {
    if (error.status >= 400 && error.status < 500) delete keys[what]; // else it may have been given
    said = error.detail;
    busy = false;
    paint();
  }
  return undefined;
}

function body() {
  if (failure) return h("section.card", null, h("p.lead", null, failure.code === "visitor_issuing_off" ? t("take.off") : failure.detail), failure.code === "visitor_issuing_off" && h("p.more", null, failure.detail));
  if (!data) return h("section.card", null, h("p.lead", null, t(stale ? "live.lost" : "live.boot")));
  if (have) {
    return h("section.card", null, h("p.lead", null, t("take.have")), h("p.no.num", null, have.number),
      h("a.big.go", { href: "/t/" + encodeURIComponent(have.token) }, t("take.open")),
      h("button.big", { type: "button", onclick: () => { have = null; paint(); } }, t("take.another")));
  }
  if (data.state !== "open") {
    return h("section.card", null, h("p.lead", null, t(data.state === "closed" ? "kiosk.closed" : "kiosk.paused")), h("p.more", null, t(data.state === "closed" ? "board.closed-hint" : "kiosk.paused-hint")));
  }
  if (service) return wishForm();
  const all = choices();
  return h("section.take", null, h("h1", null, t("take.choose")),
    all.length ? all.map(choice) : h("p.more", null, t("take.none")),
    path.length > 0 && h("button.big", { type: "button", onclick: () => { path = path.slice(0, -1); paint(); } }, t("take.back")));
}

function paint() {
  document.title = t("take.title") + (data ? " · " + nameOf(data.name) : "");
  document.body.dataset.state = failure ? "off" : data ? data.state : "boot";
  text($("hall"), data ? nameOf(data.name) : "");
  text($("lang"), lang() === "en" ? "中文" : "English");
  $("ribbon").hidden = !(data && data.demo);
  if (data && data.demo) text($("ribbon"), demoText(data));
  const typing = document.activeElement && document.activeElement.name;
  if (swap($("main"), body())) {
    for (const input of $("main").querySelectorAll("input, select")) input.value = form[input.name] || (input.name === "kind" ? "none" : "");
    const again = typing && $("main").querySelector("[name=" + typing + "]");
    if (again) again.focus();
  }
  $("line").classList.toggle("bad", stale && Boolean(data));
  text($("line"), stale && data ? t("take.stale") : "");
}

$("lang").addEventListener("click", switchLang);
document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
setInterval(() => { if (!document.hidden && !busy) ask(); }, ASK_MS);
ask();
askForMine();
paint();
