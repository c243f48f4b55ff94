// Cases: the data board, of which each number opens the list it counts, and one case with its steps and limits.
import { get, post } from "../lib/api.js";
import { t, number } from "../lib/i18n.js";
import { h, fill, swap } from "../lib/dom.js";
import { th } from "../lib/staff.js";
import { button, clock, fact, facts, pages, percent, person, sentence, word } from "./parts.js";

const BOARD_MS = 10000;
const ENDED = ["closed", "refused", "void", "result_issued", "archived"];
const BEFORE_ACCEPTANCE = ["submitted", "pre_review", "pre_review_passed", "awaiting_materials"];
const SHAPES = { overdue: "▲", near_due: "◆", on_time: "●" };
const time = (state) => (SHAPES[state] ? h("span.sev." + { overdue: "critical", near_due: "warning", on_time: "good" }[state], null, SHAPES[state] + " " + t("time." + state)) : word("time.", state));

/** Working days, as the limits are counted; nothing while no clock runs. */
const days = (one) => (one.days_overdue ? "▲ " + t("case.days-over", { n: one.days_overdue }) : typeof one.days_left === "number" ? t("case.days-left", { n: one.days_left }) : "");

export function casesTab(main, desk, asked) {
  const first = { time: "overdue", stage: "open" };
  let filter = first; // null: everything ever told, the newest first
  let chosen = asked.get("case");
  let looked = -Infinity;
  const heads = [th("case.no"), th("case.department"), th("case.state"), th("case.due")];
  const list = pages("/cases", heads, (one) => h("tr", { "data-case": one.case_no, "aria-selected": String(one.case_no === chosen), onclick: () => show(one.case_no) }, h("td", null, h("a", { href: "#cases?case=" + encodeURIComponent(one.case_no), onclick: (event) => event.preventDefault() }, one.case_no), h("div", null, one.item || "—")),
    h("td", null, one.department, h("div.dim", null, one.handler || "—")), h("td.nowrap", null, word("case-state.", one.state), h("div", null, time(one.time))), h("td.num.nowrap", null, one.due_at ? [clock(one.due_at), h("div", null, days(one))] : "—")), t("case.none"));

  const load = () => list.load(filter || { sort: "newest" });
  const same = (other) => JSON.stringify(Object.entries(other).sort()) === JSON.stringify(Object.entries(filter || {}).sort());
  const boardAt = h("div", { id: "board" });
  const caseAt = h("section.panel.detail", { id: "case", "aria-live": "polite" });

  function open(other) {
    filter = other && Object.assign({}, other);
    sorts.value = filter ? "due" : "newest";
    load();
    board();
  }

  const count = (prefix) => (one) => h("button.count." + one.name, { type: "button", "data-count": one.name, "aria-pressed": String(same(one.filter || {})), onclick: () => open(one.filter || {}) },
    h("b.num", null, number(one.count)), h("span", null, (SHAPES[one.name] ? SHAPES[one.name] + " " : "") + (one.label || word(prefix, one.name))));

  async function board() {
    looked = performance.now();
    try {
      const seen = await get("/cases/board", { retry: false });
      const rows = [["case.by-time", "time.", seen.time], ["case.by-stage", "stage.", (seen.stages || []).concat(seen.accepted_today || [])], ["case.attention", "attention.", seen.attention], ["case.by-group", "group.", seen.groups], ["case.sync", "sync.", seen.sync]];
      const late = (seen.departments || []).filter((one) => one.overdue || one.near_due).slice(0, 6);
      const department = (one) => ["overdue", "near_due"].filter((time) => one[time]).map((time) => ({ name: time, count: one[time], filter: { time, stage: "open", department: one.department }, label: one.department }));
      if (late.length) rows.push(["case.by-department", "time.", late.reduce((all, one) => all.concat(department(one)), [])]);
      swap(boardAt, h("div.board", null, rows.filter(([, , counts]) => (counts || []).length).map(([title, prefix, counts]) => h("section.panel", null, h("h2", null, t(title), title === "case.sync" && typeof seen.sync_percent === "number" ? h("small", null, " " + percent(seen.sync_percent)) : null), h("div.counts", null, counts.map(count(prefix)))))));
    } catch (error) {
      swap(boardAt, h("p.note.bad", { role: "alert" }, error.detail || error.message));
    }
  }

  async function show(no) {
    chosen = no;
    for (const row of list.node.querySelectorAll("tr[data-case]")) row.setAttribute("aria-selected", String(row.dataset.case === no));
    if (!no) return fill(caseAt, h("p.dim", null, t("case.choose")));
    try {
      return fill(caseAt, detail(await get("/cases/" + encodeURIComponent(no))));
    } catch (error) {
      return fill(caseAt, h("p.note.bad", { role: "alert" }, error.detail || error.message));
    }
  }

  function detail(one) {
    const path = (verb) => "/cases/" + encodeURIComponent(one.case_no) + "/" + verb;
    const open = !ENDED.includes(one.state) && one.state !== "draft";
    const ask = (verb) => sentence(t("case.do-" + verb) + " · " + one.case_no, "note", t("case.note"), (note) => post(path(verb), note ? { note } : {})).then((done) => done && again(one));
    const again = () => { show(one.case_no); load(); board(); };
    const row = (step) => h("li", null, h("span.num.dim", null, clock(step.at)), h("span", null, h("b", null, word("step.", step.kind)), step.part ? " · " + step.part : "", step.to ? " → " + step.to : "", step.by ? " · " + step.by : "", step.due_at ? " · " + clock(step.due_at) : "", step.note ? h("span.quote", null, step.note) : null));
    return h("div", { "data-detail": one.case_no }, h("h2", null, one.case_no), h("p.lead", null, one.item || ""), h("p", null, h("b", null, word("case-state.", one.state)), " · ", time(one.time)),
      open ? h("div.btns", null, button("case.do-urge", () => ask("urge")), button("case.do-assign", () => person(t("case.do-assign"), desk.who, (to) => post(path("assign"), { to })).then((done) => done && again(one))),
        BEFORE_ACCEPTANCE.includes(one.state) ? [button("case.do-accept", () => ask("accept"), "go"), button("case.do-return", () => ask("return"))] : null) : null,
      facts(fact("case.department", one.department), fact("case.handler", one.handler), fact("case.applicant", one.applicant_masked), fact("case.received", one.received_at && clock(one.received_at)), fact("case.accepted-at", one.accepted_at && clock(one.accepted_at)),
        fact("case.acceptance-due", one.acceptance_due_at && clock(one.acceptance_due_at) + (one.acceptance_overdue ? " ▲ " + t("case.days-over", { n: one.acceptance_days_overdue }) : "")), fact("case.due", one.due_at && clock(one.due_at) + " " + days(one)), fact("case.legal-due", one.legal_due_at && clock(one.legal_due_at)), fact("case.ended", one.ended_at && clock(one.ended_at)), fact("case.urged", one.urged || null), fact("alert.hall", one.hall)),
      (one.departments || []).length ? h("section", null, h("h3", null, t("case.parts")), h("ul.parts", null, one.departments.map((part) => h("li", null, part.id, " · ", part.department, part.handler ? " · " + part.handler : "", " · ", word("case-state.", part.state), " ", time(part.time))))) : null,
      h("section", null, h("h3", null, t("case.steps")), h("ol.history", null, (one.steps || []).map(row))));
  }

  const sorts = h("select.input", { "aria-label": t("case.sort"), "data-filter": "sort", onchange: (event) => open(event.target.value === "due" ? first : null) }, [["due", t("case.sort-due")], ["newest", t("case.sort-newest")]].map(([value, words]) => h("option", { value }, words)));
  fill(main, boardAt, h("div.split", null, h("section.panel.rows", null, h("div.filters", null, h("h2", null, t("case.list")), sorts), list.node), caseAt));
  board();
  load();
  show(chosen);
  return { tick: () => { if (performance.now() - looked > BOARD_MS && !desk.frozen() && !document.hidden && !document.querySelector("dialog")) board(); } };
}
