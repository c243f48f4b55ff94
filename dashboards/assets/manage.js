// Manager's page. One hall at a time; the tab is in the address (#today, #setup, #policy, #tickets, #accounts, #devices, #new).
import { connectLive } from "./lib/live.js";
import { windowCount, byId, span, clockOf, HallClock, demoText } from "./lib/hall.js";
import { get, post, put, del, hallPath, query, toSignIn } from "./lib/api.js";
import { t, nameOf, number } from "./lib/i18n.js";
import { $, h, fill, text, calmly } from "./lib/dom.js";
import { devicesTab } from "./manage/devices.js";
import { session, signOut, langButton, liveLine, newsAt, field, form, dialogForm, confirmDialog, sure, tell, table, th, thin, FIGURES, may, covers, whoText, needed } from "./lib/staff.js";

const TABS = ["today", "setup", "policy", "tickets", "accounts", "devices"];
const ROLES = ["clerk", "engineer", "manager", "supervisor", "admin"]; // managers appoint clerks only
const STATES = ["waiting", "called", "serving", "held", "completed", "missed", "cancelled", "expired"];
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const ZONES = ["Asia/Shanghai", "Asia/Urumqi", "Asia/Hong_Kong", "Asia/Macau", "Asia/Taipei", "UTC"];

let who = null;
let halls = [];
let hall = null;
let live = null;
let clock = null;
let data = null;      // the hall's live snapshot
let onFrame = null;   // what the open tab repaints when a frame comes
let lineNode = null;
let shape = "";       // ids of services and windows: the set-up tab is drawn again only when these change

const admin = () => may(who); // none but administrators
const here = (...more) => hallPath(hall, ...more);
const tab = () => { const at = location.hash.slice(1); return (at === "new" && admin()) || TABS.includes(at) ? at : "today"; };

/* ---- small parts ---- */

/** A name typed in two languages; the second may stay empty. */
const nameFields = (name) => [
  field("name", t("form.name-zh"), { value: nameOf(name, "zh-CN"), required: true }),
  field("name_en", t("form.name-en"), { value: nameOf(name, "en") === nameOf(name, "zh-CN") ? "" : nameOf(name, "en") }),
];
const nameFrom = (input) => {
  const zh = input.name.value.trim();
  const en = input.name_en.value.trim();
  return en ? { zh, en } : zh;
};
const whole = (input) => (input.value.trim() === "" ? undefined : Number(input.value));
const tagsFrom = (value) => value.split(/[\s,，、]+/).filter(Boolean);

const checks = (name, label, all, chosen, hint) => h("fieldset.field.full", { "data-field": name }, h("span", null, label),
  h("div.checks", null, all.map(([value, words]) => h("label", null, h("input", { type: "checkbox", name, value, checked: chosen.includes(value) }), words))),
  hint && h("em", null, hint));
const checked = (node, name) => Array.from(node.querySelectorAll("input[name=" + name + "]:checked")).map((box) => box.value);

const serviceChoices = () => Object.keys(data.services || {}).sort(byId).map((id) => [id, nameOf(data.services[id].name)]);
const windowChoices = () => Object.keys(data.windows || {}).sort(byId).map((id) => [id, nameOf(data.windows[id].name)]);
const hallChoices = () => (admin() ? [["*", t("accounts.all-halls")]] : []).concat(halls.map((one) => [one.id, nameOf(one.name)]));

/* ---- today ---- */

const figureBoxes = (figures) => h("div.figures", null, FIGURES.map((key) =>
  h("div.figure", { "data-figure": key }, h("b.num", null, number((figures || {})[key])), h("span", null, t("figure." + key)))));

function todayTab(main) {
  const state = h("section.panel");
  const services = h("section.panel");
  const windows = h("section.panel");
  const past = h("div");
  const day = h("input.input", { type: "date", "aria-label": t("today.other-day"), onchange: () => tell(async () => {
    const answer = await get(here("figures") + query({ day: day.value }));
    fill(past, figureBoxes(answer.figures), table([th("ticket.service")].concat(FIGURES.map((key) => th("figure." + key, true))),
      (answer.by_service || []).map((row) => h("tr", null, h("td", null, nameOf((data.services[row.service] || {}).name) || row.service),
        FIGURES.map((key) => h("td.num", null, number(row.figures[key]))))), t("today.no-services")));
  }) });
  fill(main, state, noticePanel(), h("div.pair", null, services, windows), h("section.panel", null, h("h2", null, t("today.other-day")), h("div.grid", null, day), past));
  const run = (verb) => tell(() => post(here(verb)));
  onFrame = () => {
    const now = data.state;
    const buttons = [
      now === "closed" && h("button.btn.go", { type: "button", "data-do": "open", onclick: () => run("open") }, t("today.open")),
      now === "open" && h("button.btn", { type: "button", "data-do": "pause-issuing", onclick: () => run("pause-issuing") }, t("today.pause")),
      now === "issuing_paused" && h("button.btn.go", { type: "button", "data-do": "resume-issuing", onclick: () => run("resume-issuing") }, t("today.resume")),
      now !== "closed" && h("button.btn.bad", { type: "button", "data-do": "close", onclick: () => sure(t("today.close-sure"), t("today.close"), () => post(here("close")), true) }, t("today.close")),
      h("button.btn.bad", { type: "button", "data-do": "end-day", onclick: () => sure(t("today.end-sure"), t("today.end"), () => post(here("end-day")), true) }, t("today.end")),
    ];
    const count = windowCount(data.windows);
    fill(state, h("h2", null, nameOf(data.name) + " ", h("span.tag" + (now === "open" ? ".good" : now === "closed" ? "" : ".warn"), null, t("hall." + now)),
      data.demo ? h("span.tag.demo", null, demoText(data)) : null, h("span.dim.small", null, " " + (data.day || ""))),
    figureBoxes(data.figures), h("p.small.dim", null, t("today.sum")), h("div.btns", null, buttons));
    fill(services, h("h2", null, t("today.services")), table([th("ticket.service"), th("figure.waiting", true), th("today.windows", true)],
      serviceChoices().map(([id, name]) => h("tr", null, h("td", null, name), h("td.num", null, number(data.services[id].waiting)),
        h("td.num", null, number(data.services[id].windows_open)))), t("today.no-services")));
    fill(windows, h("h2", null, t("today.windows-of", { open: count.open, all: count.all })), table([th("ticket.window"), th("ticket.state"), th("ticket.number"), th("ticket.service")],
      windowChoices().map(([id, name]) => { const w = data.windows[id]; return h("tr", null, h("td", null, name),
        h("td.nowrap", null, t("window." + w.state) + (w.since ? " · " + clockOf(w.since) : "")), h("td", null, w.ticket ? w.ticket.number : "—"),
        h("td", null, w.ticket ? nameOf((data.services[w.ticket.service] || {}).name) : "")); }), t("setup.no-windows")));
  };
  onFrame();
}

/** A line over the public screens, or the whole of them in an emergency. */
function noticePanel() {
  const up = h("div");
  const offset = () => { const z = clock.zone; const two = (n) => String(Math.floor(Math.abs(n))).padStart(2, "0"); return (z < 0 ? "-" : "+") + two(z / 60) + ":" + two(z % 60); };
  const showUp = async () => {
    const { notice } = await get(here("notice"));
    fill(up, notice ? h("p.note" + (notice.level === "emergency" ? ".bad" : ".warn"), null, h("b", null, t("notice." + notice.level)), " " + nameOf(notice.text) + " ",
      notice.until ? h("span.small.dim", null, t("notice.until", { at: String(notice.until).slice(0, 16).replace("T", " ") }) + " ") : null,
      thin("notice.clear", () => tell(() => del(here("notice"))).then(showUp))) : h("p.dim", null, t("notice.none")));
  };
  const node = form(h("div.grid", null,
    field("level", t("notice.level"), { options: [["notice", t("notice.notice")], ["emergency", t("notice.emergency")]], value: "notice" }, t("notice.level-hint")),
    field("zh", t("notice.zh"), { maxlength: 200, required: true }), field("en", t("notice.en"), { maxlength: 200 }),
    field("until", t("notice.until-field"), { type: "datetime-local" }, t("notice.until-hint"))), t("notice.post"), async (input) => {
    const zh = input.zh.value.trim();
    const body = { level: input.level.value, text: { zh, en: input.en.value.trim() || zh } };
    if (input.until.value) body.until = input.until.value.slice(0, 16) + ":00" + offset();
    if (body.level === "emergency" && !await confirmDialog(t("notice.emergency-sure"), t("notice.post"), true)) return;
    await put(here("notice"), body);
    await showUp();
  });
  showUp().catch((error) => fill(up, h("p.note.bad", null, error.detail || error.message)));
  return h("section.panel", { "data-panel": "notice" }, h("h2", null, t("notice.title")), up, node);
}

/* ---- services and windows ---- */

async function setupTab(main) {
  const full = await get(here());
  const options = full.options || {};
  const menu = (options.menu || full.menu || []);
  const zones = options.zones || [];
  const menuChoices = [["", t("setup.menu-top")]].concat(menu.map((m) => [m.id, nameOf(m.name)]));
  const again = () => setupTab(main);

  const editService = (id) => {
    const s = id ? full.services[id] : {};
    return dialogForm(id ? t("setup.edit-service") : t("setup.new-service"), [
      id ? null : field("id", t("setup.id"), { required: true }, t("setup.id-hint")),
      nameFields(s.name),
      field("prefix", t("setup.prefix"), { value: s.prefix || "", maxlength: 4 }, t("setup.prefix-hint")),
      field("digits", t("setup.digits"), { type: "number", min: 1, max: 6, value: s.digits === undefined ? "" : s.digits, placeholder: "3" }, t("setup.digits-hint")),
      field("first", t("setup.first"), { type: "number", min: 0, value: s.first === undefined ? "" : s.first, placeholder: "1" }),
      field("last", t("setup.last"), { type: "number", min: 1, value: s.last === undefined ? "" : s.last, placeholder: "999" }),
      field("contingent", t("setup.contingent"), { type: "number", min: 0, value: s.contingent === undefined || s.contingent === null ? "" : s.contingent }, t("setup.contingent-hint")),
      field("avg_service_secs", t("setup.avg"), { type: "number", min: 1, value: s.avg_service_secs || "", placeholder: "300" }, t("setup.avg-hint")),
      field("menu", t("setup.menu"), { options: menuChoices, value: s.menu || "" }, t("setup.menu-hint")),
    ], async (input) => {
      const body = { name: nameFrom(input), prefix: input.prefix.value.trim(), menu: input.menu.value || null };
      for (const key of ["digits", "first", "last", "avg_service_secs"]) if (whole(input[key]) !== undefined) body[key] = whole(input[key]);
      if (whole(input.contingent) !== undefined || id) body.contingent = whole(input.contingent) === undefined ? null : whole(input.contingent);
      await put(here("services", id || needed(input.id)), body);
    }).then((done) => done && again());
  };

  const editWindow = (id) => {
    const w = id ? full.windows[id] : { services: serviceChoices().map(([s]) => s) };
    return dialogForm(id ? t("setup.edit-window") : t("setup.new-window"), [
      id ? null : field("id", t("setup.id"), { required: true }, t("setup.window-id-hint")),
      nameFields(w.name),
      zones.length ? field("zone", t("setup.zone"), { options: [["", t("floor.no-zone")]].concat(zones.map((zone) => [zone.id, nameOf(zone.name)])), value: w.zone || "" }) : null,
      checks("services", t("setup.window-services"), serviceChoices(), w.services || []),
    ], async (input) => {
      const body = { name: nameFrom(input), services: Array.from(input).filter((box) => box.name === "services" && box.checked).map((box) => box.value) };
      if (w.kind) body.kind = w.kind;
      if (input.zone && input.zone.value) body.zone = input.zone.value;
      await put(here("windows", id || needed(input.id)), body);
    }).then((done) => done && again());
  };

  const saveOptions = (changes, name) => {
    const body = { options: Object.assign({}, options, { menu, demo: Boolean(full.demo) }, changes) };
    if (name) body.name = name;
    return put(here(), body).then(() => Object.assign(options, changes));
  };

  const editMenu = (index) => {
    const m = index === null ? {} : menu[index];
    return dialogForm(t("setup.menu-entry"), [
      index === null ? field("id", t("setup.id"), { required: true }, t("setup.id-hint")) : null,
      nameFields(m.name),
      field("parent", t("setup.menu-parent"), { options: menuChoices.filter(([id]) => id !== m.id), value: m.parent || "" }),
    ], (input) => {
      const entry = { id: m.id || needed(input.id), name: nameFrom(input), parent: input.parent.value || null };
      return saveOptions({ menu: index === null ? menu.concat(entry) : menu.map((one, i) => (i === index ? entry : one)) });
    }).then((done) => done && again());
  };

  const editZone = (index) => {
    const zone = index === null ? {} : zones[index];
    return dialogForm(t("setup.zone"), [index === null ? field("id", t("setup.id"), { required: true }, t("setup.id-hint")) : null, nameFields(zone.name)], (input) => {
      const name = nameFrom(input);
      const entry = { id: zone.id || needed(input.id), name: typeof name === "string" ? { zh: name, en: name } : name };
      return saveOptions({ zones: index === null ? zones.concat(entry) : zones.map((one, i) => (i === index ? entry : one)) });
    }).then((done) => done && again());
  };
  const periodsText = (periods) => (periods || []).map((p) => p.from + "-" + p.to).join(", ");
  const periodsFrom = (words) => words.split(/[,，、;；]+/).map((one) => one.trim()).filter(Boolean).map((one) => { const [from, to] = one.split(/\s*[-–—~]\s*/); return { from, to: to || "" }; });
  const hours = options.hours || {};
  const hoursForm = form(h("div.grid", null, DAYS.map((day, i) => field("options.hours." + day, t("date.week" + ((i + 1) % 7)), { value: periodsText(hours[day]) }))), t("form.save"), (input) => {
    const week = {};
    for (const day of DAYS) { const periods = periodsFrom(input["options.hours." + day].value); if (periods.length) week[day] = periods; }
    return saveOptions({ hours: week });
  });

  const remove = (question, path) => sure(question, t("form.delete"), () => del(path), true).then((done) => done && again());
  const hallForm = form(h("div.grid", null, nameFields(full.name),
    field("visitor_issuing", t("setup.visitor-issuing"), { type: "checkbox", checked: Boolean(options.visitor_issuing) }, t("setup.visitor-issuing-hint"))),
  t("form.save"), (input) => saveOptions({ visitor_issuing: input.visitor_issuing.checked }, nameFrom(input)));
  const zoneName = (id) => nameOf((zones.find((zone) => zone.id === id) || {}).name) || "—";

  fill(main,
    h("section.panel", null, h("h2", null, t("setup.services")), table(
      [th("setup.id"), th("form.name"), th("setup.prefix"), th("setup.menu"), th("setup.avg", true), th("ticket.window"), th("form.actions")],
      Object.keys(full.services || {}).sort(byId).map((id) => { const s = full.services[id]; return h("tr", { "data-service": id }, h("td", null, id), h("td", null, nameOf(s.name)),
        h("td", null, s.prefix), h("td", null, nameOf((menu.find((m) => m.id === s.menu) || {}).name) || "—"), h("td.num", null, span(s.avg_service_secs)),
        h("td", null, (s.windows || []).join(t("list.comma"))),
        h("td.acts", null, thin("form.edit", () => editService(id)), thin("form.delete", () => remove(t("setup.delete-sure", { name: nameOf(s.name) }), here("services", id)), true))); }),
      t("today.no-services")), h("div.btns", null, h("button.btn", { type: "button", onclick: () => editService(null) }, t("setup.new-service")))),
    h("section.panel", null, h("h2", null, t("setup.windows")), table(
      [th("setup.id"), th("form.name"), th("setup.zone"), th("setup.window-services"), th("form.actions")],
      Object.keys(full.windows || {}).sort(byId).map((id) => { const w = full.windows[id]; return h("tr", { "data-window": id }, h("td", null, id), h("td", null, nameOf(w.name)), h("td", null, zoneName(w.zone)),
        h("td", null, (w.services || []).map((s) => nameOf((full.services[s] || {}).name) || s).join(t("list.comma"))),
        h("td.acts", null, thin("form.edit", () => editWindow(id)), thin("form.delete", () => remove(t("setup.delete-sure", { name: nameOf(w.name) }), here("windows", id)), true),
          h("a", { href: "/led/" + encodeURIComponent(hall) + "/" + encodeURIComponent(id) }, t("setup.led")))); }),
      t("setup.no-windows")), h("div.btns", null, h("button.btn", { type: "button", onclick: () => editWindow(null) }, t("setup.new-window")))),
    h("section.panel", null, h("h2", null, t("setup.zones")), h("p.dim", null, t("setup.zones-hint")), table([th("setup.id"), th("form.name"), th("form.actions")],
      zones.map((zone, i) => h("tr", { "data-zone": zone.id }, h("td", null, zone.id), h("td", null, nameOf(zone.name)),
        h("td.acts", null, thin("form.edit", () => editZone(i)), thin("form.delete", () => tell(() => saveOptions({ zones: zones.filter((one) => one !== zone) })).then((done) => done && again()), true)))),
      t("setup.no-zones")), h("div.btns", null, h("button.btn", { type: "button", onclick: () => editZone(null) }, t("setup.zone-add")))),
    h("section.panel", null, h("h2", null, t("setup.hours")), h("p.dim", null, t("setup.hours-hint")), hoursForm),
    h("section.panel", null, h("h2", null, t("setup.menus")), table([th("setup.id"), th("form.name"), th("setup.menu-parent"), th("form.actions")],
      menu.map((m, i) => h("tr", null, h("td", null, m.id), h("td", null, nameOf(m.name)), h("td", null, m.parent || "—"),
        h("td.acts", null, thin("form.edit", () => editMenu(i)), thin("form.delete", () => tell(() => saveOptions({ menu: menu.filter((one) => one !== m) })).then((done) => done && again()), true)))),
      t("setup.no-menu")), h("div.btns", null, h("button.btn", { type: "button", onclick: () => editMenu(null) }, t("setup.menu-add")))),
    h("section.panel", null, h("h2", null, t("setup.hall")), hallForm));
  shape = shapeOf();
  onFrame = () => { if (shapeOf() !== shape && !document.querySelector("dialog[open]")) setupTab(main); };
}

const shapeOf = () => JSON.stringify([Object.keys((data && data.services) || {}), Object.keys((data && data.windows) || {})]);

/* ---- policy ---- */

async function policyTab(main) {
  const policy = await get(here("policy"));
  const mix = policy.mix || { kind: "strict" };
  const green = policy.green || {};
  const appointment = policy.appointment || {};
  const requeue = policy.requeue || {};
  const count = (name, value, min) => field(name, t("policy." + name), { type: "number", min: min || 0, value: value === null || value === undefined ? "" : value }, t("policy." + name + "-hint"));
  const group = (key, ...fields) => [h("h3", null, t(key)), h("div.grid", null, fields)];
  const node = form(h("div", null,
    group("policy.order",
      field("mix", t("policy.mix"), { options: [["strict", t("policy.mix-strict")], ["ratio", t("policy.mix-ratio")]], value: mix.kind }, t("policy.mix-hint")),
      count("priority", mix.priority === undefined ? 2 : mix.priority, 1), count("ordinary", mix.ordinary === undefined ? 1 : mix.ordinary, 1),
      count("max_consecutive_priority", policy.max_consecutive_priority, 1), count("ageing_step_secs", policy.ageing_step_secs, 1)),
    group("policy.green",
      field("green_tags", t("policy.green_tags"), { value: (green.tags || []).join(", ") }, t("policy.green_tags-hint"))),
    group("policy.appointment", count("check_in_before_secs", appointment.check_in_before_secs), count("late_grace_secs", appointment.late_grace_secs), count("early_secs", appointment.early_secs)),
    group("policy.calling", count("calls_max", policy.calls_max, 1), count("recall_interval_secs", policy.recall_interval_secs), count("no_show_after_calls", policy.no_show_after_calls, 1)),
    group("policy.requeue", count("requeue_times", requeue.times), count("requeue_after", requeue.after), count("cool_down_secs", requeue.cool_down_secs)),
    policy.postpone ? group("policy.postpone", count("postpone_places", policy.postpone.places_max), count("postpone_times", policy.postpone.times_max)) : null,
    group("policy.rest",
      field("transfer_keeps_issue_time", t("policy.transfer_keeps_issue_time"), { type: "checkbox", checked: policy.transfer_keeps_issue_time !== false }, t("policy.transfer_keeps_issue_time-hint")),
      field("day_end", t("policy.day_end"), { options: [["expire", t("policy.day_end-expire")], ["carry_over", t("policy.day_end-carry_over")]], value: policy.day_end || "expire" }, t("policy.day_end-hint")))),
  t("form.save"), async (input) => {
    await put(here("policy"), written(input));
    text(version, t("policy.version", { n: (await get(here("policy"))).version }));
    fill(shown, null);
  });
  /** The policy as the form has it now. */
  function written(input) {
    const orNull = (name) => (whole(input[name]) === undefined ? null : whole(input[name]));
    const orOld = (name, old) => (whole(input[name]) === undefined ? old : whole(input[name]));
    return Object.assign({}, policy, {
      mix: input.mix.value === "ratio" ? { kind: "ratio", priority: orOld("priority", 2), ordinary: orOld("ordinary", 1) } : { kind: "strict" },
      max_consecutive_priority: orNull("max_consecutive_priority"),
      ageing_step_secs: orNull("ageing_step_secs"),
      green: Object.assign({}, green, { tags: tagsFrom(input.green_tags.value) }),
      appointment: { check_in_before_secs: orOld("check_in_before_secs", appointment.check_in_before_secs), late_grace_secs: orOld("late_grace_secs", appointment.late_grace_secs), early_secs: orOld("early_secs", appointment.early_secs) },
      calls_max: orNull("calls_max"),
      recall_interval_secs: orOld("recall_interval_secs", policy.recall_interval_secs),
      no_show_after_calls: orOld("no_show_after_calls", policy.no_show_after_calls),
      requeue: { times: orOld("requeue_times", requeue.times), after: orOld("requeue_after", requeue.after), cool_down_secs: orOld("cool_down_secs", requeue.cool_down_secs) },
      transfer_keeps_issue_time: input.transfer_keeps_issue_time.checked,
      ...(policy.postpone ? { postpone: { places_max: orOld("postpone_places", 0), times_max: orOld("postpone_times", 0) } } : {}),
      day_end: input.day_end.value,
    });
  }
  const shown = h("div", { id: "preview" });
  const preview = h("button.btn", { type: "button", "data-do": "preview", onclick: async () => {
    preview.disabled = true;
    try {
      fill(shown, previewOf(await post(here("policy", "preview"), written(node.elements), { key: false })));
    } catch (error) {
      fill(shown, h("p.note.bad", { role: "alert" }, error.detail || error.message));
    }
    preview.disabled = false;
  } }, t("policy.preview"));
  node.querySelector(".btns").appendChild(preview);
  const ratio = () => { const off = node.elements.mix.value !== "ratio"; node.elements.priority.disabled = off; node.elements.ordinary.disabled = off; };
  node.elements.mix.addEventListener("change", ratio);
  ratio();
  const version = h("p.dim", null, t("policy.version", { n: policy.version }));
  fill(main, h("section.panel", null, h("h2", null, t("policy.title")), version, node, shown));
}

/** Two lines for each service: the order now, and the order that the changed policy would give. */
function previewOf(answer) {
  const lineOf = (key, numbers, other) => h("tr", null, h("th", null, t(key)), h("td.order", null, numbers.map((no, i) => {
    const from = other.indexOf(no);
    const move = from < 0 || from === i ? "" : from > i ? "▲" : "▼";
    return h("span.num" + (move ? ".moved" : ""), null, move, no, " ");
  })));
  return [h("h3", null, t("policy.preview-title")), answer.services.length ? answer.services.map((s) => h("div", { "data-preview": s.service },
    h("p", null, h("b", null, nameOf(s.name)), " · ", t("console.waiting-n", { n: number(s.waiting) }), " · ", s.moved ? t("policy.preview-moved", { n: s.moved }) : t("policy.preview-same")),
    h("table.table.orders", null, h("tbody", null, lineOf("policy.preview-now", s.now, s.now), lineOf("policy.preview-then", s.then, s.now))),
    s.waiting > s.now.length ? h("p.dim.small", null, t("policy.preview-more", { n: s.waiting - s.now.length })) : null)) : h("p.dim", null, t("next.none"))];
}

/* ---- tickets ---- */

function ticketsTab(main) {
  let sort = "-issued_at";
  let cursors = [""];
  const box = h("div");
  const select = (name, label, choices) => field(name, label, { options: [["", t("tickets.any")]].concat(choices) });
  const filters = h("form", { onsubmit: (event) => { event.preventDefault(); cursors = [""]; load(); } }, h("div.grid", null,
    field("day", t("tickets.day"), { type: "date", value: (data && data.day) || "" }), field("number", t("ticket.number")),
    select("service", t("ticket.service"), serviceChoices()), select("window", t("ticket.window"), windowChoices()),
    select("state", t("ticket.state"), STATES.map((s) => [s, t("ticket-state." + s)])), field("clerk", t("tickets.clerk"))),
  h("div.btns", { class: "after" }, h("button.btn.go", { type: "submit" }, t("tickets.search"))));
  const asked = () => { const f = filters.elements; return { day: f.day.value, number: f.number.value.trim(), service: f.service.value, window: f.window.value, state: f.state.value, clerk: f.clerk.value.trim() }; };
  const head = (key, label, num) => {
    const mark = sort === key ? " ▲" : sort === "-" + key ? " ▼" : "";
    return h("th" + (num ? ".num" : ""), { "aria-sort": mark ? (mark === " ▲" ? "ascending" : "descending") : null },
      h("button.sort", { type: "button", onclick: () => { sort = sort === key ? "-" + key : key; cursors = [""]; load(); } }, t(label) + mark));
  };
  const verb = (ticket, name) => sure(t("tickets." + name + "-sure", { number: ticket.number }), t("tickets." + name), () => post(here("tickets", String(ticket.id), name)), name === "cancel").then((done) => done && load());
  async function load() {
    try {
      const answer = await get(here("tickets") + query(Object.assign(asked(), { sort, limit: 50, cursor: cursors[cursors.length - 1] })));
      fill(box, h("p.dim.num", null, t("tickets.total", { total: number(answer.total), page: cursors.length, pages: Math.max(1, answer.pages || 1) }) + " ",
        h("a", { href: "/api/v1" + here("tickets.csv") + query(Object.assign(asked(), { sort })), download: hall + "-tickets.csv" }, t("tickets.csv"))),
      table([head("number", "ticket.number"), th("ticket.service"), th("ticket.state"), th("ticket.window"), head("issued_at", "tickets.issued"), th("tickets.called"), th("tickets.ended"), head("wait_secs", "tickets.wait", true), th("tickets.calls", true), th("form.actions")],
        answer.items.map((k) => h("tr", { "data-ticket": k.id }, h("td", null, h("b.num", null, k.number), k.green ? " ◆" : ""), h("td", null, nameOf(k.service_name) || nameOf((data.services[k.service] || {}).name) || k.service), h("td", null, t("ticket-state." + k.state)),
          h("td", null, k.window || "—"), h("td", null, clockOf(k.issued_at)), h("td", null, clockOf(k.called_at)), h("td", null, clockOf(k.ended_at)),
          h("td.num", null, span((k.loop && k.loop.wait_secs) || k.wait_secs)), h("td.num", null, number(k.calls)),
          h("td.acts", null, k.state === "waiting" || k.state === "held" ? thin("tickets.cancel", () => verb(k, "cancel"), true) : null, k.state === "missed" ? thin("tickets.requeue", () => verb(k, "requeue")) : null))), t("tickets.none")),
      h("div.btns", null, h("button.btn", { type: "button", disabled: cursors.length < 2, onclick: () => { cursors.pop(); load(); } }, t("tickets.prev")),
        h("button.btn", { type: "button", disabled: !answer.next_cursor, onclick: () => { cursors.push(answer.next_cursor); load(); } }, t("tickets.next"))));
    } catch (error) {
      fill(box, h("p.note.bad", { role: "alert" }, error.detail || error.message));
    }
  }
  fill(main, h("section.panel", null, h("h2", null, t("tab.tickets")), filters), h("section.panel", null, box));
  load();
}

/* ---- accounts ---- */

const list = (answer, key) => (Array.isArray(answer) ? answer : answer.items || answer[key] || []);

async function accountsTab(main) {
  const users = list(await get("/users"), "users");
  const again = () => accountsTab(main);
  const edit = (user) => {
    const u = user || { roles: ["clerk"], halls: [hall], windows: [] };
    const elsewhere = (u.windows || []).filter((id) => !data.windows[id]); // of another hall: left as they are
    return dialogForm(user ? t("accounts.edit") : t("accounts.new"), [
      user ? null : field("username", t("sign.username"), { required: true, autocapitalize: "none" }),
      field("name", t("accounts.name"), { value: nameOf(u.name) }),
      field("password", t("sign.password"), { type: "password", autocomplete: "new-password" }, t(user ? "accounts.password-keep" : "accounts.password-hint")),
      checks("roles", t("accounts.roles"), ROLES.slice(0, admin() ? ROLES.length : 1).map((role) => [role, t("role." + role)]), u.roles || []),
      checks("halls", t("accounts.halls"), hallChoices(), u.halls || []),
      checks("windows", t("accounts.windows"), windowChoices(), u.windows || [], t("accounts.windows-hint")),
      field("call_chosen", t("accounts.call_chosen"), { type: "checkbox", checked: Boolean(u.call_chosen) }, t("accounts.call_chosen-hint")),
    ], async (input) => {
      const boxes = (name) => Array.from(input).filter((box) => box.name === name && box.checked).map((box) => box.value);
      const body = { username: user ? user.username : needed(input.username), name: input.name.value.trim(), roles: boxes("roles"), halls: boxes("halls"), windows: boxes("windows").concat(elsewhere), call_chosen: input.call_chosen.checked };
      if (input.password.value) body.password = input.password.value;
      await (user ? put("/users/" + encodeURIComponent(user.username), body) : post("/users", body));
    }).then((done) => done && again());
  };
  fill(main, h("section.panel", null, h("h2", null, t("tab.accounts")), table([th("sign.username"), th("accounts.name"), th("accounts.roles"), th("accounts.halls"), th("accounts.call_chosen"), th("form.actions")],
    users.map((u) => h("tr", { "data-user": u.username }, h("td", null, u.username), h("td", null, nameOf(u.name)), h("td", null, (u.roles || []).map((role) => t("role." + role)).join(t("list.comma"))),
      h("td", null, (u.halls || []).map((id) => (id === "*" ? t("accounts.all-halls") : id)).join(t("list.comma"))), h("td", null, u.call_chosen ? t("form.yes") : "—"),
      h("td.acts", null, thin("form.edit", () => edit(u)), u.username !== who.username ? thin("form.delete", () => sure(t("setup.delete-sure", { name: u.username }), t("form.delete"), () => del("/users/" + encodeURIComponent(u.username)), true).then((done) => done && again()), true) : null))),
    t("accounts.none")), h("div.btns", null, h("button.btn.go", { type: "button", onclick: () => edit(null) }, t("accounts.new")))));
}

/* ---- a new hall ---- */

function newHall(main) {
  const node = form(h("div.grid", null,
    field("id", t("setup.id"), { required: true, autofocus: true }, t("new.id-hint")), nameFields(null),
    field("time_zone", t("new.zone"), { options: ZONES.map((zone) => [zone, zone]), value: "Asia/Shanghai" }),
    field("services", t("new.services"), { value: "A" + t("new.services-value") }, t("new.services-hint")),
    field("windows", t("new.windows"), { type: "number", min: 1, max: 200, value: 3 }, t("new.windows-hint"))),
  t("halls.create"), async (input) => {
    const services = tagsFrom(input.services.value).map((word) => {
      const m = /^([A-Za-z]{1,4})?(.*)$/.exec(word);
      const prefix = (m[1] || "A").toUpperCase();
      return { id: prefix, name: m[2] || word, prefix };
    });
    const all = services.map((s) => s.id);
    const windows = Array.from({ length: Math.min(200, Number(input.windows.value) || 0) }, (_, i) => {
      const id = String(i + 1);
      return { id, name: { zh: t("window.n", { n: id }, "zh-CN"), en: t("window.n", { n: id }, "en") }, services: all };
    });
    const id = needed(input.id);
    await post("/halls", { id, name: nameFrom(input), time_zone: input.time_zone.value, services, windows });
    return id;
  }, (id) => location.assign("/manage?hall=" + encodeURIComponent(id) + "#setup"));
  fill(main, h("section.panel", null, h("h2", null, t("halls.create")), h("p.dim", null, t("new.hint")), node));
}

/* ---- the page ---- */

const PAGES = { today: todayTab, setup: setupTab, policy: policyTab, tickets: ticketsTab, accounts: accountsTab, devices: (main) => devicesTab(main, devicesPage), new: newHall };

const devicesPage = { here, windowChoices, get hall() { return hall; }, get data() { return data; }, get live() { return live; }, isOpen: () => tab() === "devices" };

async function show() {
  onFrame = null;
  const name = hall ? tab() : admin() ? "new" : "";
  if (!name) return void fill($("main"), h("p.note", null, t("halls.none")));
  fill($("tabs"), hall ? TABS.map((one) => h("a", { href: "#" + one, "aria-current": one === name ? "page" : null }, t("tab." + one))) : null);
  const main = $("main");
  fill(main, h("p.dim", null, t("live.boot")));
  if (name !== "new" && !data) return; // the first frame calls again
  try {
    await PAGES[name](main);
  } catch (error) {
    fill(main, h("p.note.bad", { role: "alert" }, error.detail || error.message), h("button.btn", { type: "button", onclick: show }, t("console.again")));
  }
}

const barEnd = () => [h("span", null, whoText(who)), h("a.btn.thin", { href: "/" }, t("manage.home")), langButton(), h("button.btn.thin", { type: "button", onclick: signOut }, t("sign.out"))];

function bar() {
  const choose = h("select.input", { "aria-label": t("console.hall"), onchange: () => {
    if (choose.value) location.assign("/manage?hall=" + encodeURIComponent(choose.value) + (tab() === "new" ? "" : location.hash));
    else location.hash = "#new";
  } }, halls.map((one) => h("option", { value: one.id }, nameOf(one.name))), admin() ? h("option", { value: "" }, t("halls.create") + "…") : null);
  choose.value = hall && tab() !== "new" ? hall : "";
  const line = h("span.live.num", { role: "status" });
  fill($("bar"), h("h1", null, t("manage.title")), choose, line, barEnd());
  lineNode = line;
  tick();
}

function tick() {
  if (!live) return;
  const heardAt = newsAt(live, clock);
  liveLine(lineNode, live, heardAt);
  const lost = live.state === "stale" || live.state === "offline" || live.state === "denied";
  $("lost").hidden = !lost;
  text($("lost"), lost ? "⚠ " + t("manage.lost", { at: heardAt }) : "");
  $("work").disabled = lost;
  document.body.classList.toggle("frozen", lost);
}

function heard(_, folded, frame) {
  const first = !data;
  data = folded;
  if (frame.kind === "snapshot") clock.snapshot(folded.clock, folded.demo);
  else clock.frame(frame.at);
  if (first) show();
  else calmly(repaint);
}

const repaint = () => { if (onFrame) onFrame(); };

session().then(async (found) => {
  who = found;
  if (!who) return toSignIn();
  document.title = t("manage.title");
  halls = ((await get("/halls")).halls || []).filter((one) => covers(who, one.id));
  const wanted = new URLSearchParams(location.search).get("hall");
  hall = halls.some((one) => one.id === wanted) ? wanted : halls.length ? halls[0].id : null;
  if (!may(who, "manager")) {
    fill($("bar"), h("h1", null, t("manage.title")), barEnd());
    return void fill($("main"), h("p.note.warn", null, t("manage.not-yours")));
  }
  if (hall) {
    live = connectLive({ topics: ["hall." + hall], onSnapshot: heard, onDelta: heard, mayReload: () => !document.querySelector("dialog[open]"),
      onError: (of, code, detail) => fill($("main"), h("p.note.bad", { role: "alert" }, detail || code)) });
    clock = new HallClock(live.serverNow);
  }
  bar();
  setInterval(tick, 1000);
  window.addEventListener("hashchange", () => { bar(); show(); });
  return show();
}).catch((error) => fill($("main"), h("p.note.bad", null, error.detail || error.message)));
