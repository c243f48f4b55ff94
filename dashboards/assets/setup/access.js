// Versions of an interface and who may call them: drafted, published, withdrawn; keys told once, granted and taken back.
import { post } from "../lib/api.js";
import { t } from "../lib/i18n.js";
import { h, openDialog } from "../lib/dom.js";
import { dialogForm, field, sure, table, th, thin } from "../lib/staff.js";
import { clock, instant, word } from "../desk/parts.js";
import { faulty, inWords, ruled } from "./parts.js";

const STATE = { draft: ["○", "notice"], published: ["●", "good"], revoked: ["■", "warning"] };
const mark = (state) => h("span.sev." + STATE[state][1], { "data-state": state }, STATE[state][0] + " " + word("version-state.", state));

/** Both panels of one interface; again() after each change. */
export function accessPanels(one, pathOf, again) {
  const path = (...more) => pathOf(one.id, ...more);
  const after = (done) => { if (done) again(); };
  return h("div.pair.keys", null, versionsPanel(one, path, after), grantsPanel(one, path, after));
}

const reasoned = (title, send) => dialogForm(title, [field("reason", t("alert.reason"), { maxlength: 200, autofocus: true }, t("set.reason-hint"))], (input) => send({ reason: input.reason.value.trim() || undefined }), t("form.ok-send"));

function versionsPanel(one, path, after) {
  const draft = () => dialogForm(t("set.version-new"), [ruled("version", { required: true, maxlength: 32, autofocus: true, spellcheck: "false" }), field("notes", t("set.notes"), { maxlength: 200 })],
    (input) => inWords(() => post(path("versions"), { version: input.version.value.trim(), notes: input.notes.value.trim() || undefined }))).then(after);
  const publish = ({ version }) => sure(t("set.publish-sure", { version }), t("set.publish"), () => post(path("versions", version, "publish"), {})).then(after);
  const revoke = ({ version }) => reasoned(t("set.withdraw-sure", { version }), (body) => post(path("versions", version, "revoke"), body)).then(after);
  const row = (version) => h("tr" + (version.state === "revoked" ? ".old" : ""), { "data-version": version.version }, h("td", null, h("b", null, version.version)), h("td.nowrap", null, mark(version.state)),
    h("td.small.nowrap", null, clock(version.revoked_at || version.published_at || version.drafted_at)),
    h("td.acts", null, version.state === "draft" ? thin("set.publish", () => publish(version)) : null, version.state === "revoked" ? null : thin("set.withdraw", () => revoke(version), true)));
  return h("section.panel", { id: "versions" }, h("div.head", null, h("h2", null, t("channel.versions")), h("button.btn.thin", { type: "button", "data-do": "version", onclick: draft }, t("set.version-new"))),
    table([th("channel.version"), th("alert.state"), th("set.since"), th("form.actions")], one.versions.map(row), t("set.no-versions")));
}

function grantsPanel(one, path, after) {
  const standing = one.versions.filter((version) => version.state !== "revoked").map((version) => [version.version, version.version + " " + word("version-state.", version.state)]);
  const grant = (of) => dialogForm(t(of ? "set.key-another" : "set.grant-new"), [ruled("caller", { required: true, maxlength: 64, autofocus: true, value: of ? of.caller : "" }), field("version", t("channel.version"), { options: [["", t("set.every-version")]].concat(standing), value: (of && of.version) || "" }),
    field("since", t("set.since"), { type: "datetime-local" }, t("set.from-hint")), of ? h("p.dim.full", null, t("set.key-another-hint")) : null], (input) => {
    if (!input.caller.value.trim()) throw faulty("caller", t("set.wrong", { rule: t("must.caller") }));
    return inWords(() => post(path("grants"), { caller: input.caller.value.trim(), version: input.version.value || undefined, since: instant(input.since.value) }));
  }, t("set.grant")).then((made) => made && showKey(one, made).then(() => after(true)));
  const revoke = (of) => reasoned(t("set.take-back-sure", { caller: of.caller }), (body) => post(path("grants", String(of.id), "revoke"), body)).then(after);
  const stateOf = (of) => (of.revoked_at ? "revoked" : Date.parse(of.since) > Date.now() ? "later" : "now");
  const marks = { now: ["good", "●"], later: ["notice", "○"], revoked: ["warning", "■"] };
  const row = (of) => { const state = stateOf(of); return h("tr" + (of.revoked_at ? ".old" : ""), { "data-grant": of.id, "data-state": state }, h("td", null, h("b", null, of.caller), h("div.small.dim", null, "#" + of.id)), h("td", null, of.version || t("set.every-version")),
    h("td.nowrap", null, h("span.sev." + marks[state][0], null, marks[state][1] + " " + t("set.grant-" + state)), h("div.small.dim", null, clock(of.revoked_at || of.since))),
    h("td.acts", null, of.revoked_at ? null : [thin("set.key-another", () => grant(of)), thin("set.take-back", () => revoke(of), true)])); };
  const standingFirst = one.grants.slice().sort((a, b) => Boolean(a.revoked_at) - Boolean(b.revoked_at) || b.id - a.id);
  return h("section.panel", { id: "grants" }, h("div.head", null, h("h2", null, t("set.callers")), h("button.btn.thin", { type: "button", "data-do": "grant", onclick: () => grant(null) }, t("set.grant-new"))),
    table([th("channel.caller"), th("channel.version"), th("alert.state"), th("form.actions")], standingFirst.map(row), t("set.no-grants")));
}

/** The key, which the server tells once and does not know afterwards. */
function showKey(one, made) {
  const version = made.version || one.current_version || "1";
  const curl = "curl -H \"X-Api-Key: " + made.key + "\" " + location.origin + "/gateway/" + one.id + "/" + version + "/";
  return openDialog((close) => h("div", null, h("h2", null, t("set.key-of", { caller: made.caller })),
    made.key ? [h("p.note.warn", null, t("set.key-once")), h("p.secret", { id: "key" }, made.key), one.setup.upstream ? [h("h3", null, t("set.key-use")), h("p.secret", null, curl)] : null] : h("p.note.bad", { role: "alert" }, t("set.key-lost")),
    h("div.btns", null, h("button.btn.go", { type: "button", autofocus: true, onclick: () => close(true) }, t("devices.token-noted")))));
}
