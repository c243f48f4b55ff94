// The directory: organisations with their halls, which only those change who see the whole city, and the windows of each hall as they are now.
import { get, put } from "../lib/api.js";
import { nameOf, number, t } from "../lib/i18n.js";
import { h, fill, openDialog } from "../lib/dom.js";
import { dialogForm, field, sure, table, tell, th, thin } from "../lib/staff.js";
import { faulty, inWords, nameFields, nameFrom, ruled } from "./parts.js";

const PATH = "/directory/organisations";

export async function directoryTab(main, page) {
  const { organisations, halls } = await get(PATH);
  const again = (done) => { if (done) directoryTab(main, page); };
  const may = page.everywhere();
  const nameIn = (id) => nameOf((organisations.find((one) => one.id === id) || {}).name) || id;
  /** The whole list is put, as it is there at that moment and with one change. */
  const change = async (edit) => put(PATH, edit((await get(PATH)).organisations));

  const edit = (one) => {
    const is = one || { halls: [] };
    const others = organisations.filter((other) => other.id !== is.id).map((other) => [other.id, nameOf(other.name)]);
    const chosen = (id) => is.halls.includes(id);
    const elsewhere = is.halls.filter((id) => !page.halls.some((hall) => hall.id === id)); // of halls that are gone: left as they are
    return dialogForm(t(one ? "set.org-edit" : "set.org-new"), [one ? null : ruled("id", { required: true, autofocus: true, maxlength: 64 }), nameFields(is.name), field("parent", t("set.org-parent"), { options: [["", "—"]].concat(others), value: is.parent || "" }),
      h("fieldset.field.full", { "data-field": "halls" }, h("span", null, t("set.org-halls")), h("div.checks", null, page.halls.map((hall) => h("label", null, h("input", { type: "checkbox", name: "halls", value: hall.id, checked: chosen(hall.id) }), nameOf(hall.name)))))], (input) => {
      const id = one ? one.id : input.id.value.trim();
      if (!one && organisations.some((other) => other.id === id)) throw faulty("id", t("set.taken", { id }));
      const next = { id, name: nameFrom(input), parent: input.parent.value || null, halls: Array.from(input).filter((box) => box.name === "halls" && box.checked).map((box) => box.value).concat(elsewhere) };
      return inWords(() => change((all) => (one ? all.map((other) => (other.id === id ? next : other)) : all.concat(next))));
    }).then(again);
  };
  const remove = (one) => {
    const part = organisations.find((other) => other.parent === one.id);
    if (part) return tell(() => { throw faulty("parent", t("set.org-has-parts", { name: nameOf(one.name), part: nameOf(part.name) })); });
    return sure(t("setup.delete-sure", { name: nameOf(one.name) }), t("form.delete"), () => change((all) => all.filter((other) => other.id !== one.id)), true).then(again);
  };
  const load = h("input", { type: "file", accept: ".csv,text/csv", hidden: true, onchange: () => readFile(load.files[0], organisations.length).then((done) => { load.value = ""; again(done); }) });

  const row = (one) => h("tr", { "data-organisation": one.id }, h("td.id", null, one.id), h("td", null, nameOf(one.name)), h("td", null, one.parent ? nameIn(one.parent) : "—"), h("td", null, one.halls.map((id) => page.hallName(id)).join(t("list.comma")) || "—"),
    may ? h("td.acts", null, thin("form.edit", () => edit(one)), thin("form.delete", () => remove(one), true)) : null);
  const hallRow = (one) => h("tr", { "data-hall": one.hall }, h("td", null, page.hallName(one.hall), " ", h("span.id", null, one.hall)), h("td", null, one.organisation ? nameIn(one.organisation) : h("span.sev.warning", null, "◆ " + t("set.org-none"))), h("td", null, one.windows.join(t("list.comma")) || "—"), h("td.num", null, number(one.windows.length)));
  fill(main, h("section.panel", { id: "organisations" }, h("div.head", null, h("h2", null, t("set.orgs") + " " + number(organisations.length)), may ? h("div.acts", null, load, h("button.btn", { type: "button", "data-do": "load", onclick: () => load.click() }, t("set.org-load")), h("button.btn.go", { type: "button", "data-do": "add", onclick: () => edit(null) }, t("set.org-new"))) : null),
    h("p.dim", null, t(may ? "set.orgs-hint" : "set.orgs-not-yours")), table([th("setup.id"), th("form.name"), th("set.org-parent"), th("set.org-halls")].concat(may ? th("form.actions") : []), organisations.map(row), t("set.no-orgs"))),
  h("section.panel", { id: "windows" }, h("h2", null, t("set.windows")), h("p.dim", null, t("set.windows-hint")), table([th("set.hall"), th("set.org"), th("ticket.window"), th("set.how-many", true)], halls.map(hallRow), t("halls.none"))));
}

/** One line of CSV; values may stand in quotes. */
function cells(text) {
  const found = [];
  for (const match of text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) found.push((match[1] === undefined ? match[2] : match[1].replace(/""/g, '"')).trim());
  return found;
}

const HEADS = ["id", "name", "name_en", "parent", "halls"];

/** The organisations of a file, or the first line that cannot be. */
function parsed(text) {
  const all = text.replace(/^\ufeff/, "").split(/\r?\n/).map((words, at) => ({ words, at: at + 1 })).filter(({ words }) => words.trim());
  const heads = all.length ? cells(all[0].words) : [];
  const unknown = heads.find((head) => !HEADS.includes(head));
  if (unknown !== undefined || !heads.includes("id") || !heads.includes("name")) throw faulty("file", t("set.file-heads", { heads: HEADS.join(",") }));
  return all.slice(1).map(({ words, at }) => {
    const values = cells(words);
    if (values.length !== heads.length) throw faulty("file", t("set.file-line", { line: at, n: heads.length, found: values.length }));
    const of = (head) => values[heads.indexOf(head)] || "";
    return { line: at, id: of("id"), name: { zh: of("name"), en: of("name_en") || of("name") }, parent: of("parent") || null, halls: of("halls").split(/[;；\s]+/).filter(Boolean) };
  });
}

/** Loads a file in place of all organisations there are, after a question; a line that cannot be is named, and nothing is changed. */
async function readFile(file, before) {
  if (!file) return false;
  let done = false;
  await tell(async () => {
    const read = parsed(await file.text());
    const yes = await openDialog((close) => h("div", null, h("h2", null, t("set.file-sure", { n: number(read.length), before: number(before) })), h("div.btns", null, h("button.btn.bad", { type: "button", "data-do": "replace", onclick: () => close(true) }, t("set.file-replace")), h("button.btn", { type: "button", autofocus: true, onclick: () => close(null) }, t("form.cancel")))));
    if (!yes) return;
    try {
      await put(PATH, read.map(({ id, name, parent, halls }) => ({ id, name, parent, halls })));
      done = true;
    } catch (error) {
      const at = /^\[(\d+)\](?:\.(\w+))?/.exec(String((error.problem && error.problem.field) || ""));
      if (!at) throw error;
      throw faulty("file", t("set.file-wrong", { line: read[Number(at[1])].line, field: at[2] || "", rule: t("must." + (at[2] || "id")) }));
    }
  });
  return done;
}
