// The message centre: what was sent to whom and whether it arrived, and who is told at all.
import { get, put, del } from "../lib/api.js";
import { t, nameOf, number } from "../lib/i18n.js";
import { $, h, fill } from "../lib/dom.js";
import { confirmDialog, dialogForm, field, table, tell, th } from "../lib/staff.js";
import { button, choices, clock, listComma, pages, percent, pick, severity, step, word } from "./parts.js";

const STATES = ["queued", "sent", "failed", "delivered", "dead"];
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** "email a@b.cn", one way a line; "fallback" behind it for one that is used when the others fail. */
export function waysFrom(text) {
  return text.split("\n").map((line) => line.trim().split(/\s+/)).filter(([kind]) => kind).map(([kind, ...rest]) => ({ kind, address: rest.filter((word) => word !== "fallback").join(" "), fallback: rest.includes("fallback") }));
}

const names = (text) => text.split(/[\s,，、]+/).filter(Boolean);

function edit(one) {
  const known = one || { roles: ["supervisor"], halls: ["*"], ways: [], lang: "zh", quiet: { from: "22:00", until: "07:00" } };
  const quiet = known.quiet || {};
  return dialogForm(t(one ? "receiver.edit" : "receiver.new"), [one ? null : field("id", t("order.id"), { required: true, autofocus: true, maxlength: 64 }), field("name", t("form.name"), { required: true, value: nameOf(known.name) }), field("account", t("receiver.account"), { value: known.account || "" }, t("receiver.account-hint")),
    field("roles", t("accounts.roles"), { value: (known.roles || []).join(", ") }, "supervisor, manager, engineer"), field("halls", t("receiver.halls"), { value: (known.halls || []).join(", ") }, t("receiver.halls-hint")), field("lang", t("receiver.lang"), { options: [["zh", "中文"], ["en", "English"]], value: known.lang }),
    field("quiet_from", t("receiver.quiet"), { type: "time", value: quiet.from || "" }), field("quiet_until", t("receiver.quiet-until"), { type: "time", value: quiet.until || "" }),
    h("label.field.full", { "data-field": "ways" }, h("span", null, t("receiver.ways")), h("textarea", { name: "ways", rows: 3, placeholder: "email name@example.org\nsms 13800000000 fallback", value: (known.ways || []).map((way) => [way.kind, way.address, way.fallback ? "fallback" : ""].filter(Boolean).join(" ")).join("\n") }), h("em", null, t("receiver.ways-hint")))],
  (input) => {
    const id = one ? one.id : input.id.value.trim();
    if (!NAME.test(id)) throw Object.assign(new Error(t("receiver.id-wrong")), { problem: { field: "id" } });
    const name = input.name.value.trim();
    const { quiet_from: from, quiet_until: until } = input;
    return put("/receivers/" + encodeURIComponent(id), Object.assign({}, one, { id, name: { zh: name, en: (one && one.name.zh === name && one.name.en) || name }, account: input.account.value.trim() || null, roles: names(input.roles.value), halls: names(input.halls.value), lang: input.lang.value, ways: waysFrom(input.ways.value), quiet: from.value && until.value ? { from: from.value, until: until.value } : null }));
  });
}

export function messagesTab(main, desk) {
  const manages = desk.may("supervisor");
  const filter = { state: "" };
  const list = pages("/messages", [th("message.at"), th("message.receiver"), th("message.way"), th("message.about"), th("message.text"), th("alert.state"), th("message.attempts", true), h("th")], (one) => h("tr", { "data-message": one.id }, h("td.num.nowrap", null, clock(one.queued_at)), h("td", null, one.receiver), h("td.nowrap", null, word("way.", one.way)),
    h("td.nowrap", null, one.severity ? severity(one.severity) : null, " ", one.alert || "", " ", word("cause.", one.cause)), h("td", null, h("details", null, h("summary", null, one.subject || one.text), h("p.quote", null, one.text))),
    h("td.nowrap", null, h("span.tag" + (one.state === "delivered" ? ".good" : one.state === "dead" || one.state === "failed" ? ".warn" : ""), null, word("message-state.", one.state)), one.possible_duplicate ? h("span.tag.warn", null, t("message.twice")) : null), h("td.num", null, one.attempts),
    h("td.acts", null, one.state === "dead" && manages ? button("message.resend", () => step("/messages/" + encodeURIComponent(one.id) + "/resend").then((done) => done && list.load())) : null)), t("message.none"));

  async function figures() {
    try {
      const seen = await get("/messages/statistics", { retry: false });
      const ways = Object.entries(seen.ways || {});
      const trouble = (seen.servers_in_trouble || []).map((server) => word("way.", server.way) + " " + server.target);
      const one = (key, value) => h("div.figure", null, h("b.num", null, value), h("span", null, t(key)));
      fill($("figures"), h("div.figures.six", null, one("message.waiting", number(seen.waiting)), one("message.dead-letters", number(seen.dead_letters)), one("message.share", percent(seen.delivered_percent)), ways.map(([way, tally]) => h("div.figure", null, h("b.num", null, number(tally.delivered)), h("span", null, word("way.", way) + (tally.dead ? " · ▲ " + tally.dead : ""))))), trouble.length ? h("p.note.warn", null, t("message.trouble", { names: trouble.join(listComma()) })) : null);
    } catch (error) {
      fill($("figures"), h("p.note.bad", null, error.detail || error.message));
    }
  }

  /** The addresses themselves; whoever looks at them is on record. */
  async function open(id) {
    let whole = null;
    await tell(async () => { whole = await get("/receivers/" + encodeURIComponent(id)); });
    if (whole && await edit(whole)) await receivers();
  }

  async function receivers() {
    if (!manages) return;
    await tell(async () => {
      const all = (await get("/receivers")).items || [];
      const remove = (one) => confirmDialog(t("receiver.remove-sure", { name: nameOf(one.name) || one.id }), t("form.delete"), true).then((sure) => sure && tell(() => del("/receivers/" + encodeURIComponent(one.id))).then(receivers));
      fill($("receivers"), table([th("order.id"), th("form.name"), th("accounts.roles"), th("receiver.halls"), th("receiver.ways"), th("receiver.quiet"), h("th")], all.map((one) => h("tr", { "data-receiver": one.id }, h("td", null, one.id), h("td", null, nameOf(one.name), one.account ? h("span.dim", null, " " + one.account) : null), h("td", null, (one.roles || []).map((role) => word("role.", role)).join(listComma())),
        h("td", null, (one.halls || []).map((hall) => (hall === "*" ? t("accounts.all-halls") : hall)).join(listComma())), h("td", null, (one.ways || []).map((way) => h("div", null, word("way.", way.kind) + " " + way.address + (way.fallback ? " · " + t("receiver.fallback") : "")))), h("td.num.nowrap", null, one.quiet ? one.quiet.from + "–" + one.quiet.until : "—"),
        h("td.acts", null, button("receiver.test", () => step("/receivers/" + encodeURIComponent(one.id) + "/test").then((done) => done && list.load())), button("form.edit", () => open(one.id)), button("form.delete", () => remove(one), "bad")))), t("receiver.none")));
    });
  }

  fill(main, h("div.page", null, h("section.panel", null, h("h2", null, t("desk.messages")), h("div", { id: "figures" }), h("div.filters", null, pick("filter.state", choices("message-state.", STATES), "", (value) => { filter.state = value; list.load(filter); }), button("list.again", () => { list.load(filter); figures(); })), list.node),
    manages ? h("section.panel", null, h("h2", null, t("receiver.title"), " ", button("receiver.new", () => edit(null).then((done) => done && receivers()), "go")), h("div", { id: "receivers" })) : null));
  figures();
  list.load(filter);
  receivers();
  return {};
}
