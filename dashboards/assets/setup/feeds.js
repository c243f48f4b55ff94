// Feeds: data that is received or pushed by agreement; all of them in a list, one with its set-up as a form.
import { get, put } from "../lib/api.js";
import { nameOf, number, t } from "../lib/i18n.js";
import { h, fill } from "../lib/dom.js";
import { table, th } from "../lib/staff.js";
import { clock, fact, facts, word } from "../desk/parts.js";
import { ZONES, choice, digits, everything, faulty, filled, follow, group, line, lines, listHead, listed, mustBeNew, nameFields, nameFrom, ruled, setupForm, tick, whole, worded } from "./parts.js";

const GRAVITY = { late: ["critical", "▲"], incomplete: ["warning", "◆"], ok: ["good", "●"], empty: ["notice", "○"] };
const KINDS = ["text", "number", "date", "code", "window"];
const FIELDS_MAX = 100;

const pathOf = (id) => "/feeds/" + encodeURIComponent(id);
const hrefOf = (id) => "#feeds?id=" + encodeURIComponent(id);
const backLink = () => h("p", null, h("a", { href: "#feeds" }, "← " + t("set.tab-feeds")));
const stateOf = (state) => h("span.sev." + GRAVITY[state][0], { "data-state": state }, GRAVITY[state][1] + " " + word("feed-state.", state));

export async function feedsTab(main, page, asked) {
  const id = asked.get("id");
  if (!id && !asked.has("new")) return showAll(main, page);
  const one = id ? await get(pathOf(id)) : null;
  const channels = await everything("/channels");
  const known = channels.map((channel) => [channel.id, nameOf(channel.setup.name) + " · " + channel.id]);
  const head = h("div");
  const paint = (feed) => fill(head, h("h2", null, nameOf(feed.name), " ", h("span.id", null, feed.id)), h("p", null, stateOf(feed.state)),
    facts(fact("ops.last-data", feed.last_at && clock(feed.last_at)), fact("ops.due", feed.due_at && clock(feed.due_at)), fact("set.set-up-at", clock(feed.set_up_at))), h("p", null, h("a", { href: "/ops#data?feed=" + encodeURIComponent(feed.id) }, t("set.batches"))));
  if (one) paint(one);
  const done = (saved) => { if (one) paint(saved); else location.hash = hrefOf(saved.id); };
  fill(main, backLink(), one ? h("section.panel", { id: "feed-top" }, head) : null, h("section.panel", null, h("h2", null, one ? t("set.setup") : t("set.feed-new")), setupOf(one, page, known, done)));
  return null;
}

async function showAll(main, page) {
  const all = (await get("/feeds")).items;
  const row = (one) => h("tr", { "data-feed": one.id }, h("td", null, h("a", { href: hrefOf(one.id) }, nameOf(one.name)), h("div.id", null, one.id)), h("td.nowrap", null, t("set.direction-" + one.direction)), h("td", null, one.party, h("div.small.dim", null, one.kind)), h("td", null, page.hallName(one.hall)),
    h("td", null, one.channel ? h("a.id", { href: "#channels?id=" + encodeURIComponent(one.channel) }, one.channel) : "—"), h("td.nowrap", null, stateOf(one.state)), h("td.num.nowrap", null, clock(one.last_at)), h("td.num.nowrap", null, one.due_at ? clock(one.due_at) : t("set.when-any_time")));
  const list = h("div", { id: "feed-list" });
  const paint = (words) => {
    const fits = (one) => [one.id, nameOf(one.name), one.party, one.kind].join(" ").toLowerCase().includes(words);
    fill(list, table([th("ops.feed"), th("channel.direction"), th("set.party"), th("set.hall"), th("channel.name"), th("alert.state"), th("ops.last-data", true), th("ops.due", true)], all.filter(fits).map(row), t(all.length ? "list.none" : "ops.no-feeds")));
  };
  paint("");
  fill(main, h("section.panel", null, listHead(t("set.tab-feeds") + " " + number(all.length), paint, h("a.btn.go", { href: "#feeds?new", id: "add" }, t("set.feed-new"))), h("p.dim", null, t("set.feeds-hint")), list));
}

/* ---- the form ---- */

const basics = (setup, page, channels, id) => group("set.basics", null, id, nameFields(setup.name),
  choice("feed_direction", [["receive", t("set.direction-receive")], ["push", t("set.direction-push")]], setup.direction || "receive"), line("kind", setup.kind, { maxlength: 64 }), line("party", setup.party, { maxlength: 64 }),
  choice("feed_channel", [["", t("set.channel-none")]].concat(channels, setup.channel && !channels.some(([known]) => known === setup.channel) ? [[setup.channel, setup.channel]] : []), setup.channel), choice("hall", page.hallChoices(), setup.hall), line("owner", setup.owner, { maxlength: 64 }));

function scheduleGroup(setup) {
  const is = setup.schedule || { when: "any_time" };
  const node = group("set.agreed", null, choice("when", ["any_time", "every", "daily"].map((one) => [one, t("set.when-" + one)]), is.when), digits("schedule", is.secs), ruled("at", { type: "time", value: is.at || "" }),
    digits("limit_secs", setup.limit_secs), choice("time_zone", ZONES.concat(ZONES.includes(setup.time_zone || ZONES[0]) ? [] : setup.time_zone).map((zone) => [zone, zone]), setup.time_zone || ZONES[0]));
  const part = (name) => node.querySelector("[data-field=" + name + "]");
  const when = node.querySelector("[name=when]");
  follow(when, () => { part("schedule").hidden = when.value !== "every"; part("at").hidden = when.value !== "daily"; });
  return node;
}

function scheduleFrom(input) {
  const when = input.when.value;
  if (when === "every") {
    const secs = whole(input.schedule);
    if (secs === undefined) throw faulty("schedule", t("set.wrong", { rule: t("must.schedule") }));
    return { when, secs };
  }
  if (when === "daily" && !input.at.value) throw faulty("at", t("set.wrong", { rule: t("must.at") }));
  return when === "daily" ? { when, at: input.at.value.slice(0, 5) } : { when };
}

/** Checks of fields, one in a row; codes have a list of values. */
function checksGroup(checks) {
  const rows = h("tbody");
  const add = (is, focus) => {
    const cell = (name, label, props) => h("input.input", Object.assign({ "data-part": name, "aria-label": t(label) }, props));
    const kind = h("select.input", { "data-part": "kind", "aria-label": t("set.check-kind") }, KINDS.map((one) => h("option", { value: one }, t("set.check-" + one))));
    kind.value = is.kind || "text";
    const values = cell("values", "set.check-values", { value: (is.values || []).join(", "), placeholder: t("set.check-values-hint") });
    const name = cell("name", "set.check-field", { value: is.name || "", maxlength: 64, placeholder: "code" });
    const row = h("tr", { "data-check": "" }, h("td.field", { "data-field": "" }, name), h("td", null, kind), h("td", null, values), h("td", null, cell("at_most", "set.check-at-most", { value: is.at_most || "", maxlength: 64 })),
      h("td", null, h("input", { type: "checkbox", "data-part": "required", "aria-label": t("set.check-required"), checked: Boolean(is.required) })), h("td", null, h("button.btn.thin", { type: "button", "aria-label": t("form.delete"), onclick: () => { row.remove(); rows.dispatchEvent(new Event("input", { bubbles: true })); more.focus(); } }, "✕")));
    follow(kind, () => { values.disabled = kind.value !== "code"; if (values.disabled) values.value = ""; });
    rows.appendChild(row);
    if (focus) name.focus();
  };
  const more = h("button.btn.thin", { type: "button", "data-do": "add-check", onclick: () => add({}, true) }, t("set.check-new"));
  for (const one of checks || []) add(one, false);
  return h("section.group", null, h("h3", null, t("set.checks")), h("p.dim", null, t("set.checks-hint")), h("div.field", { "data-field": "checks" },
    h("table.table.checks-table", null, h("thead", null, h("tr", null, th("set.check-field"), th("set.check-kind"), th("set.check-values"), th("set.check-at-most"), th("set.check-required"), h("th"))), rows)), h("p", null, more));
}

function checksFrom(form) {
  const rows = Array.from(form.querySelectorAll("[data-check]")).map((row) => (name) => row.querySelector("[data-part=" + name + "]"));
  const names = rows.map((part) => part("name").value.trim());
  rows.forEach((part, at) => { part("name").parentElement.dataset.field = "checks[" + at + "]"; }); // rows come and go
  const wrong = (at, key) => faulty("checks[" + at + "]", t(key, { row: at + 1 }));
  if (rows.length > FIELDS_MAX) throw wrong(FIELDS_MAX, "set.checks-many");
  return rows.map((part, at) => {
    if (!names[at]) throw wrong(at, "set.check-unnamed");
    if (names.indexOf(names[at]) !== at) throw wrong(at, "set.check-twice");
    const kind = part("kind").value;
    const values = listed(part("values"));
    if (kind === "code" && !values.length) throw wrong(at, "set.check-no-values");
    return Object.assign({ name: names[at], kind, required: part("required").checked }, kind === "code" ? { values } : null, part("at_most").value.trim() ? { at_most: part("at_most").value.trim() } : null);
  });
}

function maskingGroup(one) {
  const masking = one && !one.standard_masking ? one.setup.masking : null;
  const inside = h("div.grid.full", null, lines("masking.fields", masking && masking.fields, 4), tick("masking.patterns", !masking || masking.patterns));
  inside.firstChild.classList.add("two");
  const node = group("set.masking", "set.masking-hint", choice("masking", [["", t("set.masking-standard")], ["own", t("set.masking-own")]], masking ? "own" : ""), inside);
  const kind = node.querySelector("select");
  follow(kind, () => { inside.hidden = !kind.value; });
  return node;
}

const identityGroup = (setup) => group("set.identity", null, line("key", setup.key, { maxlength: 64, spellcheck: "false" }), line("unit", setup.unit, { maxlength: 64, spellcheck: "false" }));

function pushGroup(setup) {
  const target = setup.target || {};
  return group("set.push", "set.push-hint", choice("source", [["", t("set.source-none")], ["tickets", t("set.source-tickets")]], setup.source), line("target.url", target.url, { maxlength: 1000, placeholder: "http://10.0.0.5:8080/records", spellcheck: "false" }),
    line("target.secret", target.secret, { maxlength: 64, spellcheck: "false" }), digits("target.attempts_max", target.attempts_max, 8));
}

function setupOf(one, page, channels, done) {
  const setup = one ? one.setup : {};
  const id = one ? null : ruled("feed", { required: true, autofocus: true, maxlength: 64, autocapitalize: "none", spellcheck: "false" });
  const push = pushGroup(setup);
  let revision = one ? one.revision : undefined;
  const node = setupForm([basics(setup, page, channels, id), scheduleGroup(setup), identityGroup(setup), checksGroup(setup.checks), maskingGroup(one), push], async (input) => {
    const name = one ? one.id : input.feed.value.trim();
    if (!name) throw faulty("feed", t("set.wrong", { rule: t("must.feed") }));
    const pushes = input.feed_direction.value === "push";
    const url = input["target.url"].value.trim();
    const body = filled({ name: nameFrom(input), direction: input.feed_direction.value, kind: input.kind.value.trim(), party: input.party.value.trim(), channel: input.feed_channel.value || undefined, hall: input.hall.value || undefined, owner: worded(input.owner) || undefined,
      schedule: scheduleFrom(input), limit_secs: whole(input.limit_secs), time_zone: input.time_zone.value, key: worded(input.key) || undefined, unit: worded(input.unit) || undefined, checks: checksFrom(node),
      masking: input.masking.value ? { fields: listed(input["masking.fields"]), patterns: input["masking.patterns"].checked } : undefined,
      source: (pushes && input.source.value) || undefined, target: pushes && url ? filled({ url, secret: worded(input["target.secret"]) || undefined, attempts_max: whole(input["target.attempts_max"]) }) : undefined });
    if (!one) await mustBeNew("feed", pathOf(name), name);
    const saved = await put(pathOf(name), body, { revision });
    revision = saved.revision;
    return saved;
  }, done, { channel: "feed_channel", direction: "feed_direction" });
  const direction = node.querySelector("[name=feed_direction]");
  direction.disabled = Boolean(one); // the server keeps it as it was
  follow(direction, () => { push.hidden = direction.value !== "push"; });
  return node;
}
