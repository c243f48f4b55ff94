// One alert whole: how it stands, why it was raised and what would clear it, the curve, what happened, who was told, and
// all that can be done about it from here.
import { get, hallPath } from "../lib/api.js";
import { t, nameOf } from "../lib/i18n.js";
import { calmly, h, swap } from "../lib/dom.js";
import { byId } from "../lib/hall.js";
import { button, clock, fact, facts, history, lasting, severity, word } from "./parts.js";
import { curve } from "./curve.js";
import * as act from "./acts.js";

const FRESH_MS = 5000; // what is known of a standing alert beside its journal changes without a word

/** A value of a condition as people write it. */
function value(one) {
  if (one === null || one === undefined || one === "missing") return t("why.missing");
  if (typeof one === "object") return value(Object.values(one)[0]);
  if (typeof one === "boolean") return t(one ? "why.true" : "why.false");
  return typeof one === "number" ? String(Math.round(one * 100) / 100) : String(one);
}

const HOLDS = { true: "✓", false: "✕", missing: "?" };
const holds = (one) => HOLDS[one === true ? "true" : one === false ? "false" : one] || "?";

/** Each comparison with its values when the alert was raised, and as they are. */
function comparisons(why) {
  const then = why.comparisons || why.then || [];
  const now = why.now || [];
  const side = (one) => (one ? h("span.num", null, holds(one.holds), " ", value(one.left), " ", one.op, " ", value(one.right)) : "—");
  return h("table.table.why", null, h("thead", null, h("tr", null, h("th", null, t("why.comparison")), h("th", null, t("why.then")), h("th", null, t("why.now")))),
    h("tbody", null, then.map((one, i) => h("tr", null, h("td", null, h("code", null, one.text)), h("td", null, side(one)), h("td", null, side(now.find((other) => other.text === one.text) || now[i]))))));
}

const messages = (list) => h("ul.sent", null, list.map((one) => h("li", null, h("span.num.dim", null, clock(one.queued_at || one.at)), h("span", null, one.receiver, " · ", word("way.", one.way), " · ", word("cause.", one.cause)),
  h("span.tag" + (one.state === "delivered" ? ".good" : one.state === "dead" ? ".warn" : ""), null, word("message-state.", one.state)))));

/** The curve with the line that its rule draws, if that is a number. */
function course({ curve: known, why }) {
  const data = Array.isArray(known) ? { points: known } : known;
  const first = ((why && why.then) || [])[0] || {};
  return curve(typeof data.threshold !== "number" && typeof first.right === "number" ? Object.assign({}, data, { threshold: first.right }) : data);
}

export function detail(desk, current) {
  let whole = null;     // the server's answer about one alert
  let looks = "";       // of the face it was asked for
  let asking = "";
  let asked = 0;
  let fault = null;
  let floor = {};       // hall -> its windows, for the suggestion to open one
  let slot = null;

  async function ask(face, again = false) {
    const mine = JSON.stringify(face);
    if ((mine === looks && !again) || mine === asking || desk.live.state !== "live") return;
    asking = mine;
    asked = Date.now();
    await new Promise((done) => setTimeout(done, 150)); // a held key runs through the list
    if (asking !== mine) return;
    try {
      whole = await get("/alerts/" + encodeURIComponent(face.id), { retry: false });
      fault = null;
    } catch (error) {
      fault = error;
    }
    looks = mine;
    asking = "";
    paint();
    suggest(face);
  }

  /** Closed windows of the alert's hall that could serve its queue. */
  async function suggest(face) {
    if (!face.hall || !(face.remedies || []).includes("open_window") || floor[face.hall]) return;
    floor[face.hall] = {};
    try { floor[face.hall] = await get(hallPath(face.hall), { retry: false }); } catch (_) { delete floor[face.hall]; }
    setTimeout(() => { delete floor[face.hall]; }, 15000);
    paint();
  }

  function windows(face) {
    const hall = floor[face.hall];
    if (!hall || !hall.windows) return null;
    const service = face.subject.kind === "queue" ? String(face.subject.id).split("/").pop() : null;
    const closed = Object.keys(hall.windows).filter((id) => ["closed", "paused"].includes(hall.windows[id].state) && (!service || (hall.windows[id].services || []).includes(service))).sort(byId);
    return h("section.advice", { "data-advice": "open_window" }, h("h3", null, t("remedy.open_window")), closed.length ? h("p", null, t("remedy.closed", { n: closed.length }), " ", closed.slice(0, 8).map((id) => h("span.tag", null, nameOf(hall.windows[id].name) || id, " · ", t("window." + hall.windows[id].state))))
      : h("p.dim", null, t("remedy.no-window")), h("p.btns", null, h("a.btn.thin", { href: "/floor/" + encodeURIComponent(face.hall), target: "_blank", "data-do": "floor" }, t("remedy.floor"))));
  }

  function actions(face) {
    const open = ["firing", "acknowledged", "in_progress"].includes(face.state);
    const remedies = face.remedies || [];
    const show = (when, key, run, kind) => (when ? button(key, () => run(face, desk.who), kind) : null);
    const isCase = face.subject.kind === "case";
    return h("div.btns", null, show(face.state === "firing", "alert.ack", act.acknowledge, "go"), show(face.state === "firing", "alert.ack-until", act.acknowledgeUntil),
      show(face.state === "acknowledged", "alert.start", act.start, "go"), show(face.state === "in_progress", "alert.resolve", act.resolve, "go"), show(face.state === "resolved", "alert.close", act.close, "go"),
      show(open, "alert.assign", act.assign), show(open && (remedies.includes("urge") || face.assignee || face.handler), "alert.urge", act.urge),
      show(open && isCase && remedies.includes("accept_or_return"), "case.do-accept", (one) => act.caseStep(one, "accept")), show(open && isCase && remedies.includes("accept_or_return"), "case.do-return", (one) => act.caseStep(one, "return")),
      show(open && !face.shelved_until, "alert.shelve", act.shelve), show(Boolean(face.shelved_until), "alert.unshelve", act.unshelve), show(true, face.work_order ? "alert.see-order" : "alert.order", act.order), show(face.state !== "closed", "alert.comment", act.comment),
      isCase ? h("a.btn.thin", { href: "#cases?case=" + encodeURIComponent(face.subject.id) }, t("case.see")) : null);
  }

  function node(face) {
    const known = whole && whole.id === face.id ? whole : null;
    const why = known && known.why;
    const now = desk.live.serverNow();
    return h("div", { "data-detail": face.id }, h("h2", null, severity(face.severity), " ", nameOf(face.label), " ", nameOf(face.name)), h("p.lead", null, nameOf(face.text)),
      h("p", null, h("b.state", null, word("alert-state.", face.state)), " · ", t("alert.stands", { n: lasting((Date.parse(face.resolved_at || "") || now) / 1000 - Date.parse(face.raised_at) / 1000) })), actions(face),
      facts(fact("alert.id", face.id), fact("alert.raised", clock(face.raised_at)), fact("alert.acked", face.acked_at && clock(face.acked_at) + (face.acked_by ? " · " + face.acked_by : "")), fact("alert.resolved", face.resolved_at && clock(face.resolved_at)), fact("alert.assignee", face.assignee), fact("alert.handler", face.handler),
        fact("alert.hall", [face.hall, face.department].filter(Boolean).join(" · ")), fact("alert.subject", word("subject.", face.subject.kind) + " " + face.subject.id), fact("alert.count", known && known.count ? known.count : face.count), fact("alert.shelved", face.shelved_until && t("alert.until-n", { at: clock(face.shelved_until) })), fact("alert.suppressed", face.suppressed_by),
        fact("alert.work-order", face.work_order), fact("alert.problem", face.problem)),
      remediesOf(face), fault ? h("p.note.bad", null, fault.detail || fault.message) : null,
      why ? h("section", null, h("h3", null, t("why.title")), h("p.small", null, t("why.rule", { rule: face.rule, version: face.rule_version }), why.since ? " · " + t("why.since", { at: clock(why.since) }) : ""), why.when ? h("p", null, h("code", null, why.when)) : null, comparisons(why),
        why.clears_when ? h("p.small", null, t("why.clears"), " ", h("code", null, why.clears_when)) : null) : null,
      known && known.curve ? h("section", null, h("h3", null, t("curve.title")), course(known)) : null,
      known ? h("section", null, h("h3", null, t("alert.timeline")), history(known.timeline || known.entries)) : null,
      known ? h("section", null, h("h3", null, t("alert.messages")), (known.messages || []).length ? messages(known.messages) : h("p.dim", null, t("alert.no-messages"))) : null);
  }

  const remediesOf = (face) => ((face.remedies || []).includes("open_window") && face.hall ? windows(face) : null);

  // An answer comes when it comes, also while something here is being pressed.
  const paint = () => calmly(paintNow);

  function paintNow() {
    if (!slot || !slot.isConnected) return;
    const face = current();
    swap(slot, face ? node(face) : h("p.dim", null, t("alert.choose")));
  }

  return {
    show(where, face) {
      slot = where;
      if (face) ask(face);
      paintNow();
    },
    tick: () => {
      const face = current();
      if (face && !asking) ask(face, !face.resolved_at && Date.now() - asked > FRESH_MS);
    },
  };
}
