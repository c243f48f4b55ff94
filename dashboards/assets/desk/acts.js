// What a person does with one alert. Each is one step of the server; a refusal is said in its words.
import { post } from "../lib/api.js";
import { t, nameOf } from "../lib/i18n.js";
import { h, openDialog } from "../lib/dom.js";
import { dialogForm, field, form } from "../lib/staff.js";
import { clock, instant, person, sentence, step, typed } from "./parts.js";

const SHELVES_MIN = [15, 30, 60, 120, 480];
const path = (alert, verb) => "/alerts/" + encodeURIComponent(alert.id) + "/" + verb;
const title = (alert) => nameOf(alert.label) + " " + nameOf(alert.name);

export const acknowledge = (alert) => step(path(alert, "ack"));
export const start = (alert) => step(path(alert, "start"));
export const close = (alert) => step(path(alert, "close"));
export const unshelve = (alert) => step(path(alert, "unshelve"));
export const urge = (alert) => step(path(alert, "urge"));
export const resolve = (alert) => sentence(t("alert.resolve"), "comment", t("alert.resolve-hint"), (comment) => post(path(alert, "resolve"), { comment }));
export const comment = (alert) => sentence(t("alert.comment"), "text", t("alert.comment"), (text) => post(path(alert, "comment"), { text }));
export const assign = (alert, who) => person(t("alert.assign") + " · " + title(alert), who, (to) => post(path(alert, "assign"), { to }));

/** An acknowledgement that ends by itself, with a word on it. */
export const acknowledgeUntil = (alert) => dialogForm(t("alert.ack-until"), [field("comment", t("alert.comment"), { maxlength: 2000, autofocus: true }), field("until", t("alert.until"), { type: "datetime-local" }, t("alert.until-hint")),
  field("sticky", t("alert.sticky"), { type: "checkbox" })], (input) => post(path(alert, "ack"), { comment: input.comment.value.trim() || undefined, until: instant(input.until.value), sticky: input.sticky.checked || undefined }));

/** Each choice with the time at which it ends. */
export function shelve(alert) {
  const ends = (minutes) => new Date(Date.now() + minutes * 60000);
  return openDialog((done) => {
    const until = field("until", t("alert.until"), { type: "datetime-local", required: true, value: typed(ends(SHELVES_MIN[1])) });
    const choose = (minutes) => (event) => {
      until.querySelector("input").value = typed(ends(minutes));
      event.target.form.elements.reason.focus();
    };
    return h("div", null, h("h2", null, t("alert.shelve") + " · " + title(alert)), form(h("div", null,
      h("div.btns", null, SHELVES_MIN.map((n) => h("button.btn.thin", { type: "button", "data-minutes": n, onclick: choose(n) }, t("span.until", { n: n < 60 ? t("span.minutes", { n }) : t("span.hours", { n: n / 60 }), at: clock(ends(n)) })))),
      until, field("reason", t("alert.reason"), { required: true, maxlength: 2000, autofocus: true })), t("alert.shelve"),
    (input) => post(path(alert, "shelve"), { until: instant(input.until.value), reason: input.reason.value.trim() }), () => done(true)),
    h("div.btns", null, h("button.btn", { type: "button", onclick: () => done(null) }, t("form.cancel"))));
  });
}

export const order = (alert, who) => (alert.work_order ? void (location.hash = "orders?id=" + alert.work_order)
  : dialogForm(t("alert.order") + " · " + title(alert), [field("title", t("order.title"), { value: title(alert), maxlength: 200, autofocus: true }),
    field("assignee", t("order.assignee"), { value: alert.assignee || "", list: "people", maxlength: 64 }), field("due_at", t("order.due"), { type: "datetime-local" })],
  (input) => post(path(alert, "order"), { title: input.title.value.trim() === title(alert) ? undefined : input.title.value.trim() || undefined, assignee: input.assignee.value.trim() || undefined, due_at: instant(input.due_at.value) }), t("alert.order")));

/** A step of the case that an alert is about. */
export const caseStep = (alert, verb) => sentence(t("case.do-" + verb) + " · " + nameOf(alert.label), "note", t("case.note"), (note) => post("/cases/" + encodeURIComponent(alert.subject.id) + "/" + verb, note ? { note } : {}));
