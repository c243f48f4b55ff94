// What the forms of the set-up share: fields with their rule beside them, numbers as they are typed, refusals in the page's language.
import { get } from "../lib/api.js";
import { nameOf, t } from "../lib/i18n.js";
import { h, fill } from "../lib/dom.js";
import { field, form } from "../lib/staff.js";

export const ZONES = ["Asia/Shanghai", "Asia/Urumqi", "Asia/Hong_Kong", "Asia/Macau", "Asia/Taipei", "UTC"];

/** What the field must be, in words; nothing when it may be anything. */
function ruleOf(name) {
  const key = "must." + name.replace(/^\[\d+\]\./, "");
  const found = t(key);
  return found === key ? null : found;
}

/** A field under its own name, with its rule. */
export const ruled = (name, props, hint) => field(name, t("set." + name), props, hint || ruleOf(name));

/** A whole number, empty for the default, which is shown behind. */
export const digits = (name, value, usual, hint) => ruled(name, { type: "number", step: 1, min: 0, inputmode: "numeric", value: value === null || value === undefined ? "" : value, placeholder: usual === undefined ? "" : usual }, hint);
export const share = (name, value, usual) => ruled(name, { type: "number", step: "any", min: 0, value: value === undefined ? "" : value, placeholder: usual });
export const choice = (name, options, value, hint) => ruled(name, { options, value: value === null || value === undefined ? "" : value }, hint);
export const line = (name, value, props) => ruled(name, Object.assign({ value: value || "", maxlength: 512 }, props));
export const lines = (name, all, rows, props) => ruled(name, Object.assign({ rows, value: (all || []).join("\n"), spellcheck: "false" }, props));
export const tick = (name, on, hint) => ruled(name, { type: "checkbox", checked: Boolean(on) }, hint);

/** A part of a form, under a heading. */
export const group = (title, hint, ...fields) => h("section.group", { "data-group": title }, h("h3", null, t(title)), hint ? h("p.dim", null, t(hint)) : null, h("div.grid", null, fields));

/** A fault found here, before anything is sent. */
export const faulty = (name, words) => Object.assign(new Error(words), { problem: { field: name } });
const wrong = (name) => faulty(name, t("set.wrong", { rule: ruleOf(name) || t("set.number") }));

function typed(input, fits) {
  const words = input.value.trim();
  if (input.validity.badInput || (words !== "" && !fits(Number(words)))) throw wrong(input.name);
  return words === "" ? undefined : Number(words);
}
/** The number typed, or undefined for the default. */
export const whole = (input) => typed(input, (n) => Number.isInteger(n) && n >= 0);
export const decimal = (input) => typed(input, (n) => Number.isFinite(n) && n >= 0);
/** What was typed, or null. */
export const worded = (input) => input.value.trim() || null;
export const listed = (input) => input.value.split(/[\n,，、]+/).map((one) => one.trim()).filter(Boolean);

/** `object` without what is undefined, so that the server's defaults stand. */
export function filled(object) {
  const all = Object.entries(object).filter(([, value]) => value !== undefined);
  return all.length ? all.reduce((sum, [key, value]) => Object.assign(sum, { [key]: value }), {}) : {};
}

export const englishOf = (name) => (nameOf(name, "en") === nameOf(name, "zh-CN") ? "" : nameOf(name, "en"));
export const nameFields = (name) => [line("name", nameOf(name, "zh-CN"), { required: true, maxlength: 80 }), field("name_en", t("form.name-en"), { value: englishOf(name), maxlength: 80 })];
export const nameFrom = (input) => ({ zh: input.name.value.trim(), en: input.name_en.value.trim() || input.name.value.trim() });

/** Sends, and has a refused field explained in the page's language by the rule that stands beside it; `names` are those of fields that the form calls otherwise. */
export async function inWords(send, names = {}) {
  try {
    return await send();
  } catch (error) {
    if (error.code === "invalid_field") {
      const field = String(error.problem.field || "");
      error.problem.field = names[field] || field;
      const rule = ruleOf(error.problem.field);
      if (rule) error.detail = t("set.wrong", { rule });
    }
    throw error;
  }
}

/** Somebody else saved since this form was opened: what stands now can be looked at beside what was typed, which stays. */
const changedNote = () => h("p.note.warn", { id: "changed" }, t("set.changed"), " ", h("a", { href: location.href, target: "_blank", rel: "noopener" }, t("set.changed-see")), " ",
  h("button.btn.thin", { type: "button", onclick: () => location.reload() }, t("set.changed-load")));

/** A form that remembers whether it was touched, so that nothing typed is lost to a reload. */
export function setupForm(fields, send, done, names) {
  const changed = h("div");
  const sent = (input) => inWords(() => send(input), names).catch((error) => { if (error.code === "changed_meanwhile") fill(changed, changedNote()); throw error; });
  const node = form(h("div", null, fields), t("form.save"), (input) => { fill(changed); return sent(input); }, (answer) => { node.classList.remove("touched"); done(answer); });
  node.insertBefore(changed, node.lastChild);
  node.addEventListener("input", () => node.classList.add("touched"));
  return node;
}

/** Shows or hides parts of a form as a choice is changed. */
export function follow(input, paint) {
  input.addEventListener("change", paint);
  paint();
}

/** All items of a list that comes in pages; there are some hundreds at most. */
export async function everything(path) {
  let items = [];
  let after = "";
  do {
    const answer = await get(path + "?limit=200" + (after ? "&after=" + encodeURIComponent(after) : ""));
    items = items.concat(answer.items);
    after = answer.next;
  } while (after);
  return items;
}

/** A new one must not overwrite another. */
export async function mustBeNew(field, path, id) {
  const known = await get(path).catch((error) => { if (error.status === 404) return null; throw error; });
  if (known) throw faulty(field, t("set.taken", { id }));
}

/** Above a list: its title, a search, and a way to add one. */
export const listHead = (title, search, add) => h("div.head", null, h("h2", null, title), h("div.acts", null,
  h("input.input", { type: "search", placeholder: t("filter.text") + " /", "aria-label": t("filter.text"), oninput: (event) => search(event.target.value.trim().toLowerCase()) }), add));
