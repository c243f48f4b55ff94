// Shared by the pages of the staff: who is signed in, the bar on top, the password dialog, small forms.
import { get, put, del } from "./api.js";
import { t, lang, switchLang, keepLang, nameOf } from "./i18n.js";
import { h, fill, text, openDialog } from "./dom.js";
import { local, useZone } from "./zone.js";

keepLang();

/** The session, or null when nobody is signed in. */
export async function session() {
  try {
    const who = await get("/session");
    useZone(who.time_zone);
    return who;
  } catch (error) {
    if (error.status === 401 || error.status === 403) return null;
    throw error;
  }
}

export const may = (who, ...roles) => Boolean(who && (who.roles || []).some((role) => role === "admin" || roles.includes(role)));
export const covers = (who, hall) => (who.halls || []).some((id) => id === "*" || id === hall);

export async function signOut() {
  try { await del("/session"); } catch (_) { /* the server ends the session by itself later */ }
  location.assign("/");
}

export const langButton = () => h("button.btn.thin", { type: "button", onclick: switchLang }, lang() === "en" ? "中文" : "English");

/** The line that says whether the figures are live, and if not, since when. */
export function liveLine(node, live, clockText) {
  const bad = live.state === "stale" || live.state === "offline" || live.state === "denied";
  node.classList.toggle("bad", bad);
  if (live.state === "denied") text(node, "⚠ " + t("live.denied"));
  else if (bad) text(node, "⚠ " + t("live.lost") + " " + t("live.as-of", { at: clockText }));
  else text(node, live.state === "live" ? "● " + t("live.on") + " " + clockText : t("live.boot"));
}

/** The hall's time of the last frame. */
export const newsAt = (live, clock) => clock.time(clock.now() - (live.state === "live" ? 0 : live.silentMs * clock.rate), clock.rate <= 5);

/** The halls' time of the last frame, for pages that span halls. */
export const lastNews = (live) => local(live.serverNow() - (live.state === "live" ? 0 : live.silentMs)).slice(11);

export function field(name, label, props, hint) {
  const { options, ...rest } = props || {};
  const input = options
    ? h("select", { name, ...rest }, options.map(([value, words]) => h("option", { value, selected: String(value) === String(rest.value === undefined ? "" : rest.value) }, words)))
    : h(rest.rows ? "textarea" : "input", { name, autocomplete: "off", ...rest });
  if (options && rest.value !== undefined) input.value = rest.value;
  const box = rest.type === "checkbox";
  return h("label.field", { "data-field": name }, box ? h("span", null, input, label) : [h("span", null, label), input], hint && h("em", null, hint));
}

/** A form that sends, locks itself while it does, and puts a refusal beside the field it names. */
export function form(fields, button, send, done) {
  const said = h("p.said", { role: "status" });
  const submit = h("button.btn.go", { type: "submit" }, button);
  const node = h("form", { novalidate: true }, fields, said, h("div.btns", null, submit));
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    submit.disabled = true;
    clearFaults(node);
    said.className = "said";
    text(said, "");
    try {
      const answer = await send(node.elements);
      said.classList.add("good");
      text(said, t("form.saved"));
      if (done) done(answer);
    } catch (error) {
      showFault(node, said, error);
    }
    submit.disabled = false;
  });
  return node;
}

function clearFaults(node) {
  for (const box of node.querySelectorAll(".field.wrong")) box.classList.remove("wrong");
  for (const words of node.querySelectorAll(".field strong")) words.remove();
}

/** What was typed and becomes part of an address, which cannot have an empty one. */
export function needed(input) {
  const words = input.value.trim();
  if (!words) throw Object.assign(new Error(t("form.needed")), { problem: { field: input.name } });
  return words;
}

/** "services[0].prefix" belongs to the input called prefix; a field nobody shows is said at the foot of the form. */
function showFault(node, said, error) {
  const named = String((error.problem && error.problem.field) || "");
  const names = [named, named.replace(/^.*[.\]]/, ""), named.replace(/[.[].*$/, "")].filter(Boolean);
  const box = names.map((name) => Array.from(node.querySelectorAll("[data-field]")).find((b) => b.dataset.field === name)).find(Boolean);
  if (box) {
    box.classList.add("wrong");
    box.appendChild(h("strong", null, error.detail || error.message));
    const input = box.querySelector("input, select, textarea");
    if (input) input.focus();
  } else {
    said.classList.add("bad");
    text(said, error.detail || error.message);
  }
}

export function passwordDialog() {
  return openDialog((close) => h("div", null, h("h2", null, t("password.title")),
    form([
      field("old", t("password.old"), { type: "password", autocomplete: "current-password", autofocus: true }),
      field("new", t("password.new"), { type: "password", autocomplete: "new-password" }),
      field("again", t("password.again"), { type: "password", autocomplete: "new-password" }),
    ], t("password.change"), async (input) => {
      if (input.new.value !== input.again.value) throw Object.assign(new Error(t("password.differs")), { problem: { field: "again" } });
      await put("/session/password", { old: input.old.value, new: input.new.value });
    }, () => close(true)),
    h("div.btns", null, h("button.btn", { type: "button", onclick: () => close(null) }, t("form.cancel")))));
}

export function confirmDialog(question, yes, dangerous) {
  return openDialog((close) => h("div", null, h("h2", null, question), h("div.btns", null,
    h("button.btn" + (dangerous ? ".bad" : ".go"), { type: "button", onclick: () => close(true) }, yes),
    h("button.btn", { type: "button", onclick: () => close(null), autofocus: true }, t("form.cancel")))));
}

/** A form in a dialog; resolves with the server's answer, or null when it is dismissed. */
export function dialogForm(title, fields, send, button) {
  return openDialog((close) => h("div", null, h("h2", null, title), form(h("div.grid", null, fields), button || t("form.save"), send, (answer) => close(answer || true)),
    h("div.btns", null, h("button.btn", { type: "button", onclick: () => close(null) }, t("form.cancel")))));
}

/** Does one thing after one question. */
export async function sure(question, yes, run, dangerous) {
  if (!await confirmDialog(question, yes, dangerous)) return false;
  return tell(run);
}

/** Does one thing; a refusal is said in words. Resolves with whether it was done. */
export async function tell(run) {
  try {
    await run();
    return true;
  } catch (error) {
    await openDialog((close) => h("div", null, h("p.note.bad", { role: "alert" }, error.detail || error.message),
      h("div.btns", null, h("button.btn", { type: "button", onclick: () => close(null), autofocus: true }, t("form.ok")))));
    return false;
  }
}

export const table = (heads, rows, none) => h("div.scroll", null, h("table.table", null, h("thead", null, h("tr", null, heads)),
  h("tbody", null, rows.length ? rows : h("tr", null, h("td.dim", { colspan: heads.length }, none)))));
export const th = (key, num) => h("th" + (num ? ".num" : ""), null, t(key));
export const thin = (key, act, bad) => h("button.btn.thin" + (bad ? ".bad" : ""), { type: "button", onclick: act }, t(key));

/** The nine figures of a day; issued is the sum of the rest. */
export const FIGURES = ["issued", "waiting", "called", "serving", "held", "completed", "missed", "cancelled", "expired"];

export const whoText = (who) => nameOf(who.name) || who.username;

export const empty = (node, key) => fill(node, h("p.dim", null, t(key)));
