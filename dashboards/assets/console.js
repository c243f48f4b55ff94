// Clerk's console. One command at a time: a key pressed while one is under way does nothing, and a command whose answer
// was lost is sent again with the same idempotency key, so that nobody is called twice.
import { connectLive } from "./lib/live.js";
import { HallClock, span, byId, clockOf, minutes, demoText } from "./lib/hall.js";
import { get, post, put, hallPath, newKey, toSignIn } from "./lib/api.js";
import { t, nameOf, number } from "./lib/i18n.js";
import { $, h, fill, text, memory, openDialog, calmly, swap } from "./lib/dom.js";
import { reportDevice } from "./lib/device.js";
import { session, signOut, langButton, liveLine, newsAt, field, whoText, covers, confirmDialog } from "./lib/staff.js";

const HEARTBEAT_MS = 10000;
const REGAIN_MS = 2000;
const LOCK_MS = 1500;        // after a press: the second half of a double press must not hit the next action
const SLOW_MS = 300;         // an answer later than this is announced as under way
const SHEET = 12;            // the next ones known, to call by when the network is away
const AUTO_AFTER_S = 3;      // calling by itself waits this long at a free window
const AUTO_REST_MS = 20000;  // and this long after a refusal
const SAME_KEY_MS = 60000;   // a command without an answer keeps its key for so long

// action -> its usual key on the number pad; a clerk may choose others
const USUAL_KEYS = { primary: "Enter", call_next: "F2", recall: "+", start: "F4", complete: "0", no_show: "-", hold: ".", transfer: "/", pause: "*" };

const place = new URLSearchParams(location.search);
const hall = place.get("hall");
const win = place.get("window");
const topic = "hall." + hall;
const narrow = place.get("form") === "strip"; // the small window beside the clerk's other work
let who = null;
let live = null;
let clock = null;
let data = null;
let mine = null;        // this window as last heard
let since = null;
let busy = "";
let lockedUntil = 0;
let lost = null;        // {action, ticket, key, at} of a command without an answer
let said = { kind: "", words: "" };
let hotkeys = Object.assign({}, USUAL_KEYS);
let why = null;         // {number, words, ticket} of the last call made here
let holder = null;
let next = [];
let held = [];
let day = null;
let asked = null;
let refreshing = 0;
let refreshed = 0;
let wantOwn = true;
let beaten = -Infinity;
let auto = false;       // calls by itself when somebody comes; off at each start
let autoRest = 0;

const here = (...more) => hallPath(hall, "windows", win, ...more);
const whyKey = "hallkeeper.why." + hall + "." + win;

/* ---- commands ---- */

const ticketNo = () => (mine && mine.ticket ? mine.ticket.number : "");

function keyFor(action, body) {
  const same = lost && lost.action === action && lost.ticket === ticketNo() && lost.body === JSON.stringify(body) && Date.now() - lost.at < SAME_KEY_MS;
  return same ? lost.key : newKey();
}

async function command(action, verb, body = {}) {
  if (busy || performance.now() < lockedUntil) return;
  const key = keyFor(action, body);
  busy = action;
  lockedUntil = performance.now() + LOCK_MS;
  const slow = setTimeout(() => { said = { kind: "busy", words: t("console.working") }; paint(); }, SLOW_MS);
  paint();
  try {
    const answer = await post(here(verb), body, { key });
    lost = null;
    said = { kind: "good", words: t("console.done-" + action, { number: (answer.ticket && answer.ticket.number) || ticketNo() }) };
    took(action, answer);
  } catch (error) {
    lost = error.code === "network" ? { action, ticket: ticketNo(), body: JSON.stringify(body), key, at: Date.now() } : null;
    said = { kind: "bad", words: error.code === "network" ? t("console.no-answer") : error.detail };
    autoRest = performance.now() + AUTO_REST_MS;
    if (error.status === 401) return toSignIn();
  }
  clearTimeout(slow);
  busy = "";
  setTimeout(paint, Math.max(0, lockedUntil - performance.now()) + 10);
  paint();
  refresh(true);
  return undefined;
}

/** What the answer says is painted at once; the frames follow. */
function took(action, answer) {
  if (answer.window) mine = Object.assign({}, mine, { state: answer.window.state || mine.state });
  if (answer.why) {
    why = { number: answer.ticket.number, words: answer.why, ticket: answer.ticket };
    memory.set(whyKey, JSON.stringify(why), sessionStorage);
  }
  if (live.state !== "live") get(hallPath(hall)).then(heardHall, () => {});
}

const ACTIONS = {
  open: { run: () => (mine.state === "offline" ? beat() : command("open", "open")), when: (s) => s === "closed" || s === "offline" },
  call_next: { verb: "call-next", when: (s, ticket) => s === "idle" && !ticket && live.state === "live" },
  recall: { verb: "recall", when: (s) => s === "calling" },
  start: { verb: "start", when: (s) => s === "calling" },
  complete: { verb: "complete", when: (s) => s === "serving" },
  no_show: { verb: "no-show", when: (s) => s === "calling" },
  hold: { verb: "hold", when: (s) => s === "serving" },
  transfer: { run: transfer, when: (s) => s === "serving" },
  pause: { run: () => (mine.state === "paused" ? command("resume", "resume") : command("pause", "pause")), when: (s) => s === "idle" || s === "paused" },
  resume: { verb: "resume", when: (s) => s === "paused" },
};

/** The one obvious next thing to do. */
const primary = () => ({ closed: "open", offline: "open", paused: "resume", idle: "call_next", calling: "start", serving: "complete" }[mine && mine.state]);

const allowed = (action) => Boolean(mine && !busy && performance.now() >= lockedUntil && ACTIONS[action].when(mine.state, mine.ticket));

function act(action) {
  const what = action === "primary" ? primary() : action;
  if (!what || !allowed(what)) return;
  if (ACTIONS[what].run) ACTIONS[what].run();
  else command(what, ACTIONS[what].verb);
}

async function transfer() {
  const from = mine.ticket && mine.ticket.service;
  const chosen = await openDialog((close) => {
    const at = h("select.input", null, h("option", { value: "" }, t("console.any-window")),
      Object.keys(data.windows || {}).sort(byId).filter((id) => id !== win).map((id) => h("option", { value: id }, nameOf(data.windows[id].name))));
    at.addEventListener("change", () => {
      const serves = (data.windows[at.value] || {}).services;
      for (const one of list.children) one.disabled = Boolean(serves && !serves.includes(one.dataset.service));
    });
    const list = h("div.service-list", null, Object.keys(data.services || {}).sort(byId).map((id, i) => h("button.btn", { type: "button", autofocus: i === 0, "data-service": id,
        onclick: () => close(at.value ? { service: id, window: at.value } : { service: id }) },
        nameOf(data.services[id].name), id === from ? " · " + t("console.same-service") : "", h("br"),
        h("span.small.dim.num", null, t("console.waiting-n", { n: number(data.services[id].waiting) })))));
    return h("div", null, h("h2", null, t("console.transfer-title", { number: ticketNo() })),
      h("label.field", null, h("span", null, t("console.to-window")), at), h("p.dim", null, t("console.choose-service")), list,
      h("div.btns", null, h("button.btn", { type: "button", onclick: () => close(null) }, t("form.cancel"))));
  });
  if (chosen) command("transfer", "transfer", chosen);
}

async function leave() {
  if (mine && mine.state !== "closed" && mine.state !== "offline") {
    if (!await confirmDialog(t("console.close-sure"), t("console.close"), false)) return;
    try {
      await post(here("close"));
    } catch (error) {
      said = { kind: "bad", words: error.detail };
      return void paint();
    }
  }
  location.assign("/console?hall=" + encodeURIComponent(hall));
}

/** With nobody called here for a moment, and somebody waiting: the key is pressed for the clerk, who asked for it. */
function callByItself() {
  if (!auto || !allowed("call_next") || !myWaiting() || performance.now() < autoRest) return;
  if ((clock.now() - Date.parse(since || "")) / 1000 >= AUTO_AFTER_S) act("call_next");
}

/** The narrow form over the clerk's other programs: a window that stays on top where the browser has one, else a small one. */
async function openStrip() {
  const address = "/console?form=strip&hall=" + encodeURIComponent(hall) + "&window=" + encodeURIComponent(win);
  if (!window.documentPictureInPicture) return void window.open(address, "hallkeeper-strip", "popup,width=360,height=640");
  const small = await window.documentPictureInPicture.requestWindow({ width: 360, height: 620 });
  const frame = small.document.createElement("iframe");
  frame.src = address;
  frame.title = t("console.title");
  frame.style.cssText = "position:fixed;top:0;left:0;width:100%;height:100%;border:0";
  small.document.body.appendChild(frame);
  frame.focus();
  return undefined;
}

/* ---- keys ---- */

const PAD = { Add: "+", Subtract: "-", Multiply: "*", Divide: "/", Decimal: ".", Enter: "Enter", Comma: "." };

/** The number pad counts by place, whatever NumLock says. */
function keyName(event) {
  const pad = /^Numpad(.+)$/.exec(event.code || "");
  if (pad) return PAD[pad[1]] || pad[1];
  return event.key.length === 1 ? event.key.toUpperCase() : event.key;
}

const sameKey = (a, b) => String(a).toUpperCase() === String(b).toUpperCase();

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  const at = document.activeElement;
  if (at && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName) && at.type !== "checkbox") return;
  const name = keyName(event);
  if ((name === "Enter" || name === " ") && at && /^(BUTTON|A)$/.test(at.tagName)) return;
  const action = Object.keys(hotkeys).find((a) => hotkeys[a] && sameKey(hotkeys[a], name));
  if (!action || !mine) return;
  event.preventDefault();
  if (!event.repeat) act(action);
}

function keysDialog() {
  const chosen = Object.assign({}, hotkeys);
  const saidHere = h("p.said", { role: "alert" });
  const box = h("div.hot");
  const draw = () => fill(box, Object.keys(USUAL_KEYS).map((action) => [
    h("span", null, t("key." + action)),
    h("input.input", { readonly: true, value: chosen[action] || "", "data-action": action, "aria-label": t("key." + action),
      onkeydown: (event) => {
        if (event.key === "Tab" || event.key === "Escape") return;
        event.preventDefault();
        const name = event.key === "Delete" || event.key === "Backspace" ? "" : keyName(event);
        if (["Shift", "Control", "Alt", "Meta"].includes(name)) return;
        for (const other of Object.keys(chosen)) if (name && other !== action && sameKey(chosen[other], name)) chosen[other] = "";
        chosen[action] = name;
        draw();
        box.querySelector("[data-action=" + action + "]").focus();
      } })]));
  draw();
  openDialog((close) => {
    const save = async () => {
      try {
        await put("/session/hotkeys", chosen);
        hotkeys = chosen;
        close(true);
        paint();
      } catch (error) {
        saidHere.classList.add("bad");
        saidHere.textContent = error.detail;
      }
    };
    return h("form", { onsubmit: (event) => event.preventDefault() }, h("h2", null, t("keys.title")), h("p.dim", null, t("keys.hint")), box, saidHere,
      h("div.btns", null, h("button.btn.go", { type: "button", onclick: save }, t("form.save")),
        h("button.btn", { type: "button", onclick: () => { Object.assign(chosen, USUAL_KEYS); draw(); } }, t("keys.usual")),
        h("button.btn", { type: "button", onclick: () => close(null) }, t("form.cancel"))));
  });
}

/* ---- what is heard ---- */

function heardHall(whole) {
  data = whole;
  const window_ = (whole.windows || {})[win];
  if (window_) {
    mine = window_;
    since = window_.since;
  } else {
    mine = null;
  }
  paint();
  refresh();
  regain();
}

/** This console is here, whatever the window's last console lost: the first heartbeat brings the window back. */
function regain() {
  if (mine && mine.state === "offline" && performance.now() - beaten > REGAIN_MS) beat();
}

function heard(of, whole, frame) {
  if (of === topic) {
    if (frame.kind === "snapshot") clock.snapshot(whole.clock, whole.demo);
    else clock.frame(frame.at);
    heardHall(whole);
  } else {
    if (!mine || mine.state !== whole.state) since = frame.at;
    mine = Object.assign({}, mine, { state: whole.state, ticket: whole.ticket });
    paint();
  }
}

/** The lists beside the ticket: the next three follow the frames, at most every two seconds; the rest follows own actions. */
function refresh(own) {
  wantOwn = wantOwn || own === true || asked !== ticketNo();
  if (refreshing) return;
  const wait = wantOwn ? 150 : Math.max(150, 2000 - (performance.now() - refreshed));
  refreshing = setTimeout(async () => {
    const all = wantOwn;
    refreshing = 0;
    refreshed = performance.now();
    wantOwn = false;
    const quietly = (path, wish) => get(here(path) + (wish || ""), { retry: false }).catch(() => null);
    const ticket = ticketNo();
    const fresh = asked !== ticket;
    asked = ticket; // the card is looked at once for each ticket: every look is on record
    if (fresh) holder = null;
    const [n, hd, d, card] = await Promise.all([quietly("next", "?limit=" + SHEET), all ? quietly("held") : null, all ? quietly("my-day") : null,
      fresh && ticket && !narrow ? quietly("holder") : null]);
    if (n) next = n.items || [];
    if (hd) held = hd.items || [];
    if (d) day = d;
    if (card && ticket === ticketNo()) holder = card;
    paint();
  }, wait);
}

/* ---- painting ---- */

const label = (action, key) => [action === "pause" && mine && mine.state === "paused" ? t("act.resume") : t("act." + action), key ? h("kbd", null, key) : null];

function button(action) {
  return h("button.btn", { type: "button", disabled: !allowed(action), "data-action": action,
    onclick: (event) => { event.currentTarget.blur(); act(action); } }, label(action, hotkeys[action]));
}

function timer() {
  const from = Date.parse((mine.ticket && mine.state === "calling" && mine.ticket.at) || since || "");
  return Number.isFinite(from) ? span((clock.now() - from) / 1000) : "—";
}

function ticketPanel() {
  const state = mine.state;
  const ticket = mine.ticket;
  if (!ticket) {
    const waiting = myWaiting();
    const words = state === "idle" ? (waiting ? t("console.idle", { n: waiting }) : t("console.nobody")) : t("window." + state);
    return h("section.panel.ticket", { "data-state": state }, h("p.ticket-none", null, words));
  }
  const told = why && why.number === ticket.number ? why : null;
  const card = told && told.ticket;
  const facts = [
    card && card.issued_at && t("console.issued", { at: clockOf(card.issued_at) }),
    card && typeof card.wait_secs === "number" && t("console.waited", { n: minutes(card.wait_secs) }),
    ticket.calls && t("console.calls", { n: ticket.calls }),
    ((card && card.green) || (holder && holder.green)) && t("console.green"),
  ].filter(Boolean).join(" · ");
  return h("section.panel.ticket", { "data-state": state },
    h("div", null, h("p.ticket-no.num", { id: "ticket-number" }, ticket.number),
      h("p.ticket-service", null, nameOf(((data.services || {})[ticket.service] || {}).name) || nameOf(ticket.service_name) || ticket.service),
      h("p.dim.num", null, facts)),
    h("div.ticket-timer", null, h("span.tag" + (state === "serving" ? ".good" : ".warn"), null, t("window." + state)), h("b.num", { id: "timer" })),
    told && h("p.ticket-why.dim", null, t("console.why") + nameOf(told.words)));
}

function myWaiting() {
  return ((mine && mine.services) || []).reduce((sum, id) => sum + (((data.services || {})[id] || {}).waiting || 0), 0);
}

function holderPanel() {
  if (!ticketNo() || !holder) return h("section.panel", null, h("h2", null, t("holder.title")), h("p.dim", null, ticketNo() ? t("holder.none") : t("holder.after-call")));
  const row = (key, value) => (value ? [h("dt", null, t(key)), h("dd.num", null, value)] : null);
  const more = holder.has_contact && !holder.id_masked && !holder.phone_masked;
  const cases = holder.cases || {};
  const caseRow = (c) => [c.case_no, nameOf(c.item), t("case." + c.state) === "case." + c.state ? c.state : t("case." + c.state), c.due_at ? t("holder.due", { at: String(c.due_at).slice(0, 10) }) : ""].filter(Boolean).join(" · ");
  const list = (key, items, words) => (items && items.length ? [h("h3", null, t(key)), h("ul.small", null, items.slice(0, 4).map((i) => h("li", null, words(i))))] : null);
  return h("section.panel", null, h("h2", null, t("holder.title")),
    h("dl.facts", null, row("holder.name", holder.name_masked), row("holder.kind", holder.kind && holder.kind !== "none" ? t("kind." + holder.kind) : t("kind.none")),
      row("holder.id", holder.kind !== "phone" && holder.id_masked), row("holder.phone", holder.phone_masked), row("holder.class", holder.class && t("class." + holder.class)),
      row("holder.tags", (holder.tags || []).map((tag) => (t("tag." + tag) === "tag." + tag ? tag : t("tag." + tag))).join(t("list.comma"))),
      row("holder.appointment", holder.appointment && clockOf(holder.appointment.from) + "–" + clockOf(holder.appointment.to))),
    more ? h("button.btn.thin", { type: "button", "data-do": "contact", onclick: showContact }, t("holder.show")) : null,
    list("holder.cases", cases.current, caseRow), list("holder.history", cases.history, caseRow),
    list("holder.visits", holder.earlier_visits, (v) => [String(v.at).slice(0, 10), nameOf(v.service_name), v.number, t("ticket-state." + v.state)].join(" · ")));
}

/** Document and phone number are looked at on their own, and so stand on record on their own. */
async function showContact() {
  const ticket = ticketNo();
  try {
    const card = await get(here("holder") + "?show=contact");
    if (ticket === ticketNo()) holder = card;
  } catch (error) {
    said = { kind: "bad", words: error.detail };
  }
  paint();
}

function nextPanel() {
  const away = live.state !== "live";
  return h("section.panel", { id: "next-panel" }, h("h2", null, t(away ? "next.before-loss" : narrow ? "next.one" : "next.title")),
    next.length ? h("ol.list", null, next.slice(0, away ? SHEET : narrow ? 1 : 3).map((n) => h("li", null, h("b.num", null, n.number),
      h("span.small", null, nameOf(n.service_name), h("br"), h("span.dim", null, nameOf(n.why))),
      h("span.num.small", null, t("next.waited", { n: minutes(n.waited_secs) }))))) : h("p.dim", null, t("next.none")));
}

function heldPanel() {
  return h("section.panel", null, h("h2", null, t("held.title")),
    held.length ? h("ul.list", null, held.map((k) => h("li", null, h("b.num", null, k.number), h("span.small", null, nameOf(k.service_name)),
      h("button.btn.thin", { type: "button", disabled: Boolean(busy) || mine.state !== "idle",
        onclick: () => command("resume_ticket", "resume-ticket", { ticket: k.id }) }, t("held.resume"))))) : h("p.dim", null, t("held.none")));
}

function myDayPanel() {
  const d = day || {};
  const fact = (key, value) => h("div", null, h("b.num", null, value), h("span.small.dim", null, t(key)));
  return h("section.panel.my-day", null, fact("day.served", number(d.served)), fact("day.mean", span(d.mean_service_secs)), fact("day.no-show", number(d.no_show)),
    fact("day.stars", d.rated ? t("day.stars-of", { mean: d.mean_stars.toFixed(1), n: d.rated }) : "—"), fact("day.idle", typeof d.idle_secs === "number" ? t("minutes", { n: minutes(d.idle_secs) }) : "—"));
}

function banner() {
  if (live.state === "denied") return h("p.note.bad", { role: "alert" }, t("live.denied"));
  if (live.state === "stale" || live.state === "offline") return h("p.note.bad", { role: "alert", id: "away" }, h("b", null, "⚠ " + t("console.away")), h("br"), t("console.away-hint"));
  if (data && data.state === "closed") return h("p.note.warn", null, t("console.hall-closed"));
  return null;
}

const SLOTS = ["banner", "ticket", "next-step", "keys", "said", "day", "next", "holder", "held"];
const NARROW = ["banner", "ticket", "next-step", "keys", "said", "next"];

function paint() { calmly(paintNow); }

function paintNow() {
  if (!live) return;
  paintBar();
  if (!data) return void fill($("main"), h("p.page.dim", null, t("live.boot")));
  if (!mine) return void fill($("main"), h("div.page", null, h("p.note.bad", null, t("console.no-window", { window: win })), h("a.btn", { href: "/console" }, t("console.choose"))));
  if (!$("slot-ticket")) {
    const slots = (narrow ? NARROW : SLOTS).map((name) => h("div.slot", { id: "slot-" + name }));
    if (narrow) fill($("main"), h("div.strip-grid", null, slots));
    else fill($("main"), h("div.desk-grid", null, h("div.work", null, slots.slice(0, 6)), h("aside.side", null, slots.slice(6))));
  }
  const main = primary();
  const focused = document.activeElement && document.activeElement.dataset.action;
  const parts = {
    banner: banner(),
    ticket: ticketPanel(),
    "next-step": h("button.btn.go.next", { type: "button", id: "primary", disabled: !allowed(main), "data-action": "primary",
      onclick: (event) => { event.currentTarget.blur(); act("primary"); } }, busy ? t("console.working") : label(main, hotkeys.primary)),
    keys: h("div.keys", null, ["call_next", "recall", "start", "complete", "no_show", "hold", "transfer", "pause"].map(button)),
    said: h("p.said-line" + (said.kind ? "." + said.kind : ""), { role: "status" }, said.words || t("console.keys-hint")),
    next: nextPanel(),
  };
  if (!narrow) Object.assign(parts, { day: myDayPanel(), holder: holderPanel(), held: heldPanel() });
  for (const name of Object.keys(parts)) swap($("slot-" + name), parts[name]);
  tick();
  const again = focused && !document.querySelector("dialog[open]") && document.querySelector("[data-action=" + focused + "]");
  if (again && again !== document.activeElement) again.focus();
}

function paintBar() {
  const line = $("line") || h("span.live.num", { id: "line", role: "status" });
  const name = mine ? nameOf(mine.name) : win;
  const state = mine ? t("window." + mine.state) : "";
  const counts = data ? t("console.counts", { mine: myWaiting(), all: number((data.figures || {}).waiting) }) : "";
  const key = [name, state].join("|");
  if ($("bar").dataset.key === key) return void text($("counts"), counts);
  $("bar").dataset.key = key;
  document.title = name + " · " + state;
  fill($("bar"), h("h1", null, name + " · " + state + " ", data && data.demo ? h("span.tag.demo", null, demoText(data)) : null),
    h("span.num", { id: "counts" }, counts), line, narrow ? null : [h("span", null, whoText(who)),
      h("button.btn.thin", { type: "button", onclick: keysDialog }, t("keys.open")),
      h("button.btn.thin", { type: "button", "data-do": "strip", onclick: openStrip }, t("console.strip"))],
    h("label.auto", { title: t("console.auto-hint") }, h("input", { type: "checkbox", id: "auto", checked: auto, onchange: (event) => { auto = event.currentTarget.checked; event.currentTarget.blur(); } }), t("console.auto")),
    narrow ? null : [h("button.btn.thin", { type: "button", onclick: leave }, t("console.leave")), langButton()]);
}

function tick() {
  if ($("line")) liveLine($("line"), live, newsAt(live, clock));
  if ($("timer") && mine && mine.ticket) text($("timer"), timer());
  callByItself();
}

async function beat() {
  if (!mine || mine.state === "closed") return;
  beaten = performance.now();
  try {
    await post(here("heartbeat"), {}, { key: false, retry: false });
  } catch (error) {
    if (error.status === 401) toSignIn();
    else if (error.status) { said = { kind: "bad", words: error.detail }; paint(); }
  }
}

async function work() {
  try { why = JSON.parse(memory.get(whyKey, sessionStorage) || "null"); } catch (_) { why = null; }
  get("/session/hotkeys").then((chosen) => { Object.assign(hotkeys, chosen || {}); paint(); }, () => {});
  live = connectLive({
    topics: [topic, "window." + hall + "." + win],
    mayReload: () => !busy && !document.querySelector("dialog[open]"),
    onSnapshot: heard,
    onDelta: heard,
    onState: (state, { resumed }) => { if (resumed) { said = { kind: "good", words: t("console.back") }; refresh(true); } paint(); },
    onError: (of, code, detail) => { if (of === topic) { data = data || {}; mine = null; said = { kind: "bad", words: detail || code }; paint(); } },
  });
  clock = new HallClock(live.serverNow);
  reportDevice(live, { mayReload: () => !busy });
  document.addEventListener("keydown", onKey);
  setInterval(tick, 1000);
  setInterval(beat, HEARTBEAT_MS);
  setInterval(() => refresh(true), 30000);
  document.body.classList.toggle("strip", narrow);
  paint();
}

/** Which hall and which window: asked when the address does not say. */
async function choose() {
  fill($("bar"), h("h1", null, t("console.title")), h("span", null, whoText(who)), langButton(),
    h("button.btn.thin", { type: "button", onclick: signOut }, t("sign.out")));
  const halls = (await get("/halls")).halls.filter((one) => covers(who, one.id));
  const hallField = field("hall", t("console.hall"), { options: halls.map((one) => [one.id, nameOf(one.name)]), value: hall || (halls[0] && halls[0].id) });
  const spot = h("div");
  const start = h("button.btn.go", { type: "submit" }, t("console.enter"));
  const show = async () => {
    const id = hallField.querySelector("select").value;
    const snapshot = id ? await get(hallPath(id)) : { windows: {} };
    const windows = Object.keys(snapshot.windows || {}).sort(byId).filter((w) => !who.windows || !who.windows.length || who.windows.includes(w));
    fill(spot, windows.length ? field("window", t("console.window"), { options: windows.map((w) =>
      [w, nameOf(snapshot.windows[w].name) + " · " + t("window." + snapshot.windows[w].state)]), value: windows[0] }) : h("p.note.warn", null, t("console.no-windows")));
    start.disabled = !windows.length;
  };
  hallField.querySelector("select").addEventListener("change", show);
  const node = h("form", { onsubmit: (event) => {
    event.preventDefault();
    location.assign("/console?hall=" + encodeURIComponent(node.elements.hall.value) + "&window=" + encodeURIComponent(node.elements.window.value));
  } }, hallField, spot, start);
  fill($("main"), h("section.panel.choose", null, h("h2", null, t("console.choose")), halls.length ? node : h("p.note.warn", null, t("halls.none"))));
  if (halls.length) await show();
}

session().then((found) => {
  who = found;
  if (!who) return toSignIn();
  return hall && win ? work() : choose();
}).catch((error) => fill($("main"), h("div.page", null, h("p.note.bad", null, error.detail || error.message),
  h("button.btn", { type: "button", onclick: () => location.reload() }, t("console.again")))));
