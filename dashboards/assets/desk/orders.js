// Work orders and the problem list: by deadline, what is overdue first; every state offers the steps that lead on.
import { get, post } from "../lib/api.js";
import { t, nameOf, number } from "../lib/i18n.js";
import { $, h, fill } from "../lib/dom.js";
import { dialogForm, field, table, th } from "../lib/staff.js";
import { button, choices, clock, due, fact, facts, history, instant, lasting, left, pages, people, percent, person, pick, remember, sentence, severity, step, word, SEVERITIES } from "./parts.js";

const ORDER_STATES = ["created", "assigned", "processing", "resolved", "reopened", "verified", "closed"];
const PROBLEM_STATES = ["listed", "assigned", "checking", "corrected", "verified", "closed"];

/** Steps of an order by its state; the first is the usual one. */
const ORDER_STEPS = { created: ["assign"], assigned: ["start", "transfer"], processing: ["resolve", "transfer"], resolved: ["verify", "reopen"], reopened: ["start", "transfer"], verified: ["close"], closed: [] };
const PROBLEM_STEPS = { listed: ["assign"], assigned: ["check", "assign"], checking: ["correct", "assign"], corrected: ["verify", "check"], verified: ["close"], closed: [] };

/** What a step asks for: nothing, a person, or a sentence under this name. */
const WANTS = { assign: "to", start: null, resolve: "comment", verify: "?comment", close: null, reopen: "reason", transfer: "to+reason", comment: "text", check: "?finding", correct: "correction" };

function take(path, verb, who) {
  const wants = WANTS[verb];
  const title = t("order.do-" + verb);
  if (!wants) return step(path + "/" + verb);
  if (wants === "to") return person(title, who, (to) => post(path + "/" + verb, { to }));
  if (wants === "to+reason") {
    return dialogForm(title, [field("to", t("desk.person"), { required: true, list: "people", autofocus: true }), people(who), field("reason", t("alert.reason"), { required: true, maxlength: 2000 })],
      (input) => post(path + "/" + verb, { to: input.to.value.trim(), reason: input.reason.value.trim() }), t("form.ok-send"));
  }
  const name = wants.replace("?", "");
  return sentence(title, name, t("order.say-" + name), (words) => post(path + "/" + verb, words || !wants.startsWith("?") ? { [name]: words } : {}));
}

const made = (one) => one.created_at || one.listed_at;
const isOpen = (one) => !["resolved", "corrected", "verified", "closed"].includes(one.state);

/** Both lists are one page with other words: kind is {path, states, steps, title(item), make(), figures(statistics), facts(item)}. */
function workTab(kind) {
  return (main, desk, asked) => {
    let chosen = asked.get("id");
    const filter = { state: "open", person: "" };
    const heads = [th("order.id"), th("order.title"), th("alert.state"), th("order.due")];
    const list = pages(kind.path, heads, (one) => {
      remember(one.assignee);
      return h("tr" + (one.overdue ? ".late" : ""), { "data-item": one.id, "aria-selected": String(one.id === chosen), onclick: () => show(one.id) }, h("td.nowrap", null, h("a", { href: "#" + kind.name + "?id=" + one.id, onclick: (event) => event.preventDefault() }, one.id), h("div", null, severity(one.severity))),
        h("td", null, nameOf(one.title) || one.kind), h("td.nowrap", null, word(kind.words, one.state), h("div.dim", null, one.assignee || t("order.nobody"))), due(one, isOpen(one), desk));
    }, t("list.none"));
    const load = () => list.load({ sort: "due", person: filter.person, state: filter.state === "open" ? "" : filter.state, ended: filter.state === "open" ? "false" : "" });

    async function figures() {
      try {
        fill($("figures"), kind.figures(await get(kind.path + "/statistics", { retry: false })));
      } catch (error) {
        fill($("figures"), h("p.note.bad", null, error.detail || error.message));
      }
    }

    const again = (id) => { show(id); load(); figures(); };

    async function show(id) {
      chosen = id;
      for (const row of list.node.querySelectorAll("tr[data-item]")) row.setAttribute("aria-selected", String(row.dataset.item === id));
      if (!id) return fill($("item"), h("p.dim", null, t("order.choose")));
      try {
        return fill($("item"), detail(await get(kind.path + "/" + encodeURIComponent(id))));
      } catch (error) {
        return fill($("item"), h("p.note.bad", { role: "alert" }, error.detail || error.message));
      }
    }

    function detail(one) {
      const path = kind.path + "/" + encodeURIComponent(one.id);
      const act = (verb, first) => button("order.do-" + verb, () => take(path, verb, desk.who).then((done) => done && again(one.id)), first ? "go" : "");
      return h("div", { "data-detail": one.id }, h("h2", null, one.id, " ", nameOf(one.title) || one.kind), h("p", null, severity(one.severity), " · ", h("b.state", null, word(kind.words, one.state)), one.overdue ? h("span.sev.critical", null, " · ▲ " + t("order.overdue")) : null),
        h("div.btns", null, (kind.steps[one.state] || []).map((verb, i) => act(verb, i === 0)), one.state === "closed" ? null : act("comment")),
        facts(kind.facts(one), fact("order.assignee", one.assignee), fact("order.made", clock(made(one)) + " · " + (one.created_by || one.listed_by || "")), fact("order.due", one.due_at && clock(one.due_at) + (isOpen(one) ? " · " + left(one.due_at, desk.live.serverNow()) : "")),
          fact("order.late", one.late_secs ? lasting(one.late_secs) : null), fact("order.reopened", one.reopened_count || null), fact("order.alert", one.alert && h("a", { href: "#alerts" }, one.alert)), fact("alert.rule", one.rule), fact("alert.hall", [one.hall, one.department].filter(Boolean).join(" · "))),
        h("h3", null, t("alert.timeline")), history(one.history));
    }

    const set = (name) => (value) => { filter[name] = value; load(); };
    fill(main, h("div", { id: "figures" }), h("div.split", null, h("section.panel.rows", null, h("div.filters", null, pick("filter.state", [["open", t("filter.open")]].concat(choices(kind.words, kind.states)), "open", set("state")),
      pick("filter.assignee", [["", t("filter.all")], [desk.who.username, t("filter.mine")]], "", set("person")), button(kind.adds, () => kind.make(desk.who).then((one) => one && one.id && again(one.id)), "go")), list.node), h("section.panel.detail", { id: "item", "aria-live": "polite" })));
    figures();
    load();
    show(chosen);
    return {};
  };
}

const share = (key, value) => h("div.figure", { "data-figure": key }, h("b.num", null, value), h("span", null, t(key)));
const spread = (one) => (one && typeof one.p50_secs === "number" ? lasting(one.p50_secs) + " / " + lasting(one.p90_secs) : "—");

const hallAndDue = () => [field("severity", t("filter.severity"), { options: SEVERITIES.map((one) => [one, t("severity." + one)]), value: "warning" }), field("hall", t("filter.hall"), { maxlength: 64 }), field("assignee", t("order.assignee"), { list: "people", maxlength: 64 }), field("due_at", t("order.due"), { type: "datetime-local" })];
const common = (input) => ({ severity: input.severity.value, hall: input.hall.value.trim() || undefined, assignee: input.assignee.value.trim() || undefined, due_at: instant(input.due_at.value) });

function orderFigures(seen) {
  const all = seen.all || seen;
  const rows = (seen.by_rule ? Object.entries(seen.by_rule).map(([key, one]) => [t("alert.rule") + " " + key, one]) : []).concat(Object.entries(seen.by_person || {}).map(([key, one]) => [t("order.assignee") + " " + key, one]), Object.entries(seen.by_hall || {}).map(([key, one]) => [t("filter.hall") + " " + key, one]));
  const line = ([name, one]) => h("tr", null, h("td", null, name), h("td.num", null, one.orders), h("td.num", null, one.overdue), h("td.num", null, percent(one.in_time_percent)), h("td.num", null, spread(one.to_resolve)));
  return h("section.panel", null, h("div.figures.six", null, share("figure.open", number(all.open)), share("figure.overdue", number(all.overdue)), share("figure.closed", number(all.closed)), share("figure.in-time", percent(all.in_time_percent)), share("figure.reopened", percent(all.reopened_percent)), share("figure.to-resolve", spread(all.to_resolve))),
    rows.length ? h("details", null, h("summary", null, t("figure.more")), table([th("figure.of"), th("figure.all", true), th("figure.overdue", true), th("figure.in-time", true), th("figure.to-resolve", true)], rows.map(line), "")) : null);
}

export const ordersTab = workTab({
  name: "orders", adds: "order.new", path: "/work-orders", states: ORDER_STATES, words: "order-state.", steps: ORDER_STEPS, figures: orderFigures, facts: (one) => fact("order.problem", one.problem),
  make: (who) => dialogForm(t("order.new"), [field("title", t("order.title"), { required: true, maxlength: 200, autofocus: true }), hallAndDue(), people(who)], (input) => post("/work-orders", Object.assign({ title: input.title.value.trim() }, common(input)))),
});

export const problemsTab = workTab({
  name: "problems", adds: "problem.new", path: "/problems", states: PROBLEM_STATES, words: "problem-state.", steps: PROBLEM_STEPS,
  figures: (seen) => h("section.panel", null, h("div.figures.six", null, ["open", "overdue", "closed"].map((key) => share("figure." + key, number((seen.all || seen)[key]))), share("figure.closed-share", percent((seen.all || seen).closed_percent)))),
  facts: (one) => [fact("problem.kind", one.kind), fact("problem.source", one.source), fact("problem.record", one.record), fact("problem.raw", one.raw), fact("problem.finding", one.finding), fact("problem.correction", one.correction), fact("alert.work-order", one.work_order)],
  make: (who) => dialogForm(t("problem.new"), [field("kind", t("problem.kind"), { required: true, maxlength: 64, autofocus: true }), field("title", t("order.title"), { required: true, maxlength: 200 }), field("source", t("problem.source"), { maxlength: 64 }), field("record", t("problem.record"), { maxlength: 200 }), hallAndDue(), people(who)],
    (input) => post("/problems", Object.assign({ kind: input.kind.value.trim(), title: input.title.value.trim(), source: input.source.value.trim() || "desk", record: input.record.value.trim() || undefined }, common(input)))),
});
