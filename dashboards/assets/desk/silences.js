// Silences and maintenance: for a while nobody is told of what fits; it is still raised, counted and listed.
import { get, post, del } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { $, h, fill } from "../lib/dom.js";
import { dialogForm, field, sure, table, th } from "../lib/staff.js";
import { button, choices, clock, instant, typed, word, SEVERITIES, TOPICS } from "./parts.js";

const MATCHES = ["rule", "topic", "hall", "subject", "severity"];

function make() {
  return dialogForm(t("silence.new"), [field("rule", t("filter.rule"), { autofocus: true }), field("topic", t("filter.topic"), { options: choices("topic.", TOPICS) }), field("hall", t("filter.hall"), {}), field("subject", t("alert.subject"), { placeholder: "H1/S1" }), field("severity", t("filter.severity"), { options: choices("severity.", SEVERITIES) }),
    field("from", t("silence.from"), { type: "datetime-local" }, t("silence.from-hint")), field("until", t("alert.until"), { type: "datetime-local", required: true, value: typed(Date.now() + 3600000) }), field("reason", t("alert.reason"), { required: true, maxlength: 2000 }), field("maintenance", t("silence.maintenance"), { type: "checkbox" })],
  (input) => {
    const match = {};
    for (const name of MATCHES) if (input[name].value.trim()) match[name] = input[name].value.trim();
    return post("/silences", { match, from: instant(input.from.value), until: instant(input.until.value), reason: input.reason.value.trim(), maintenance: input.maintenance.checked });
  });
}

export function silencesTab(main) {
  async function load() {
    try {
      const items = (await get("/silences")).items || [];
      const fits = (match) => MATCHES.filter((name) => match && match[name]).map((name) => h("span.tag", null, (name === "subject" ? t("alert.subject") : t("filter." + name)) + " " + (name === "topic" ? word("topic.", match.topic) : name === "severity" ? word("severity.", match.severity) : match[name])));
      const end = (one) => sure(t("silence.end-sure", { id: one.id }), t("silence.end"), () => del("/silences/" + encodeURIComponent(one.id))).then((done) => done && load());
      fill($("silences"), table([th("order.id"), th("silence.match"), th("silence.from"), th("alert.until"), th("alert.reason"), th("silence.by"), th("alert.state"), h("th")], items.map((one) => h("tr", { "data-silence": one.id }, h("td.nowrap", null, one.id), h("td.wrap", null, fits(one.match || one.matcher)), h("td.num.nowrap", null, clock(one.from)), h("td.num.nowrap", null, clock(one.until)),
        h("td", null, (one.maintenance ? t("silence.maintenance") + " · " : "") + one.reason), h("td", null, one.by), h("td.nowrap", null, word("silence-state.", one.state)), h("td.acts", null, one.state === "ended" ? null : button("silence.end", () => end(one))))), t("silence.none")));
    } catch (error) {
      fill($("silences"), h("p.note.bad", { role: "alert" }, error.detail || error.message));
    }
  }
  fill(main, h("div.page", null, h("section.panel", null, h("h2", null, t("desk.silences"), " ", button("silence.new", () => make().then((done) => done && load()), "go")), h("p.dim.small", null, t("silence.hint")), h("div", { id: "silences" }))));
  load();
  return {};
}
