// Interfaces: all of them in a list, one with its state, versions and keys, and its set-up as a form.
import { get, post, put } from "../lib/api.js";
import { nameOf, number, t } from "../lib/i18n.js";
import { h, fill, calmly, swap } from "../lib/dom.js";
import { dialogForm, field, table, tell, th } from "../lib/staff.js";
import { button, clock, fact, facts, instant, typed, word } from "../desk/parts.js";
import { health, ms, refusal, why } from "../ops/parts.js";
import { accessPanels } from "./access.js";
import { ZONES, choice, digits, decimal, everything, faulty, filled, follow, group, inWords, line, lines, listHead, listed, mustBeNew, nameFields, nameFrom, ruled, setupForm, share, tick, whole, worded } from "./parts.js";

const DIRECTIONS = ["inbound", "outbound", "through"];
const MIB = 1048576;
/** Limits with the server's defaults; the shares may have decimals. */
const LIMITS = { consecutive_failures: 5, recovery_successes: 3, min_calls: 20, slow_ms: 2000, fails_from_status: 400 };
const SHARES = { failed_percent: 5, slow_percent: 5, odd_times: 5 };
const BOUNDS = { connect_ms: 2000, idle_ms: 15000, total_ms: 60000, max_parallel: 64 };
const BODIES = { max_request_bytes: 10, max_response_bytes: 100 };
const HEADERS = ["request_headers", "response_headers"];

const pathOf = (id, ...more) => "/channels/" + [id].concat(more).map(encodeURIComponent).join("/");
const hrefOf = (id) => "#channels?id=" + encodeURIComponent(id);
const isOwn = (id) => id.startsWith("own-"); // made by the product itself: nobody calls them through the gateway

export async function channelsTab(main, page, asked) {
  if (asked.has("new")) return void fill(main, backLink(), h("section.panel", null, h("h2", null, t("set.channel-new")), setupOf(null, page, (id) => { location.hash = hrefOf(id); })));
  return asked.get("id") ? showOne(main, page, asked.get("id")) : showAll(main, page);
}

const backLink = () => h("p", null, h("a", { href: "#channels" }, "← " + t("set.tab-channels")));

/* ---- the list ---- */

async function showAll(main, page) {
  const all = await everything("/channels");
  all.sort((a, b) => isOwn(a.id) - isOwn(b.id)); // those that people set up come first
  const yes = (part) => (part ? t("form.yes") : "—");
  const row = ({ id, setup, health: state, current_version: current, versions, grants }) => h("tr", { "data-channel": id }, h("td", null, h("a", { href: hrefOf(id) }, nameOf(setup.name)), h("div.id", null, id)),
    h("td", null, setup.provider, setup.group ? h("div.small.dim", null, setup.group) : null), h("td.nowrap", null, word("direction.", setup.direction)), h("td", null, page.hallName(setup.hall)), h("td", null, health(state)),
    h("td", null, yes(setup.upstream)), h("td.nowrap", null, setup.probe ? t("set.probe-" + setup.probe.kind) : "—"), h("td.nowrap", null, current || "—", versions > 1 ? h("span.small.dim", null, " / " + number(versions)) : null), h("td.num", null, number(grants)));
  const list = h("div", { id: "channel-list" });
  const paint = (words) => {
    const fits = (one) => [one.id, nameOf(one.setup.name), one.setup.provider, one.setup.group].join(" ").toLowerCase().includes(words);
    fill(list, table([th("channel.name"), th("channel.provider"), th("channel.direction"), th("set.hall"), th("alert.state"), th("set.gateway"), th("set.probe"), th("channel.version"), th("set.keys", true)], all.filter(fits).map(row), t(all.length ? "list.none" : "channel.none")));
  };
  paint("");
  fill(main, h("section.panel", null, listHead(t("set.tab-channels") + " " + number(all.length), paint, h("a.btn.go", { href: "#channels?new", id: "add" }, t("set.channel-new"))), h("p.dim", null, t("set.channels-hint")), list));
}

/* ---- one ---- */

async function showOne(main, page, id) {
  const top = h("div");
  const access = h("div", { id: "channel-access" });
  const checked = h("div", { id: "checked", role: "status" });
  let one = await get(pathOf(id));
  const again = async () => { one = await get(pathOf(id)); paint(); };
  const act = (run) => tell(run).then((done) => done && again());
  function paint() {
    const { setup, maintenance } = one;
    swap(top, h("div", null, h("div.head", null, h("h2", null, nameOf(setup.name), " ", h("span.id", null, id)), h("div.acts", null,
      setup.probe ? button("channel.check", (event) => check(event.target), "go") : null,
      maintenance ? button("channel.maintain-end", () => act(() => post(pathOf(id, "maintenance"), {}))) : button("channel.maintain", () => maintain(id).then((done) => done && again())),
      h("a.btn.thin", { href: "/ops#channels?id=" + encodeURIComponent(id) }, t("set.watch")))),
    h("p", null, health(one.health), " · ", t("channel.since-at", { at: clock(one.health_since) }), one.health_reason ? " · " + why(one.health_reason) : ""),
    facts(fact("channel.maintenance", maintenance && clock(maintenance.from) + " – " + clock(maintenance.until) + " " + maintenance.reason), fact("set.address", setup.upstream && location.origin + "/gateway/" + id + "/")),
    setup.probe ? null : h("p.dim.small", null, t("set.no-probe"))));
    swap(access, isOwn(id) ? null : accessPanels(one, pathOf, again));
  }
  /** Asks the interface as it is set up now, and says what came back, at the place of the button. */
  async function check(pressed) {
    pressed.disabled = true;
    fill(checked, h("p.note", null, t("set.checking")));
    try {
      const found = await post(pathOf(id, "probe"), {}, { patience: one.setup.probe.timeout_ms + 10000 });
      await again();
      fill(checked, told(found));
    } catch (error) {
      fill(checked, h("p.note.bad", null, error.detail || error.message));
    }
    pressed.disabled = false;
    const still = top.querySelector("[data-do='channel.check']");
    if (still) still.focus();
  }
  paint();
  fill(main, backLink(), h("section.panel", { id: "channel-top" }, top, checked), access, h("section.panel", null, h("h2", null, t("set.setup")), isOwn(id) ? h("p.dim", null, t("set.own-hint")) : null, setupOf(one, page, again)));
  const topic = "channel." + id;
  page.live.follow(topic, (data) => { one = data; calmly(paint); });
  return () => page.live.remove([topic]);
}

/** What a check found, in a sentence. */
const told = (found) => h("p.note." + (found.result === "ok" ? "good" : "bad"), { "data-checked": found.result }, h("b", null, found.result === "ok" ? "● " + t("set.answers") : "▲ " + t("set.no-answer")),
  [refusal(found.reason), found.status && t("channel.status") + " " + found.status, t("set.took", { ms: ms(found.duration_ms) }), clock(found.at, true)].filter(Boolean).map((part) => " · " + part), " · ", health(found.health));

const maintain = (id) => dialogForm(t("channel.maintain"), [field("from", t("set.from"), { type: "datetime-local" }, t("set.from-hint")), field("until", t("alert.until"), { type: "datetime-local", required: true, value: typed(new Date(Date.now() + 3600e3).toISOString()) }),
  field("reason", t("alert.reason"), { required: true, maxlength: 200, autofocus: true })], (input) => {
  if (!input.until.value) throw faulty("until", t("set.until-needed"));
  return post(pathOf(id, "maintenance"), { from: instant(input.from.value), until: instant(input.until.value), reason: input.reason.value.trim() });
}, t("form.ok-send"));

/* ---- the form ---- */

const headersText = (rules) => Object.entries((rules || {}).set || {}).map(([name, value]) => name + ": " + value);

function headersFrom(input, part) {
  const set = {};
  for (const words of input["upstream." + part].value.split("\n").map((one) => one.trim()).filter(Boolean)) {
    const at = words.indexOf(":");
    if (at < 1) throw faulty("upstream." + part, t("set.header-line", { line: words }));
    set[words.slice(0, at).trim()] = words.slice(at + 1).trim();
  }
  return { set, remove: listed(input["upstream." + part + ".remove"]) };
}

function upstreamFrom(input) {
  const upstream = { url: input["upstream.url"].value.trim(), keep_bodies: input["upstream.keep_bodies"].checked };
  for (const name of Object.keys(BOUNDS)) upstream[name] = whole(input["upstream." + name]);
  for (const name of Object.keys(BODIES)) {
    const mib = decimal(input["upstream." + name]);
    upstream[name] = mib === undefined ? undefined : Math.round(mib * MIB);
  }
  for (const part of HEADERS) upstream[part] = headersFrom(input, part);
  return filled(upstream);
}

function probeFrom(input) {
  const kind = input["probe.kind"].value;
  if (!kind) return undefined;
  const timing = { kind, every_secs: whole(input["probe.every_secs"]), timeout_ms: whole(input["probe.timeout_ms"]) };
  if (kind === "tcp") return filled(Object.assign(timing, { address: input["probe.address"].value.trim() }));
  const status = /^\s*(\d{3})\s*(?:[-–~]\s*(\d{3}))?\s*$/.exec(input["probe.status"].value || "200-299");
  if (!status) throw faulty("probe.status", t("set.wrong", { rule: t("must.probe.status") }));
  return filled(Object.assign(timing, { url: input["probe.url"].value.trim(), method: input["probe.method"].value, status: [Number(status[1]), Number(status[2] || status[1])], text: worded(input["probe.text"]) || undefined }));
}

function limitsFrom(input) {
  const limits = {};
  for (const name of Object.keys(LIMITS)) limits[name] = whole(input["limits." + name]);
  for (const name of Object.keys(SHARES)) limits[name] = decimal(input["limits." + name]);
  return filled(limits);
}

const basics = (setup, page, id) => group("set.basics", null, id, nameFields(setup.name), line("provider", setup.provider, { required: true, maxlength: 64 }), choice("direction", DIRECTIONS.map((one) => [one, word("direction.", one)]), setup.direction || "outbound"),
  line("consumer", setup.consumer, { maxlength: 64 }), line("group", setup.group, { maxlength: 64 }), choice("hall", page.hallChoices(), setup.hall), line("owner", setup.owner, { maxlength: 64 }), line("endpoint", setup.endpoint),
  digits("expected_every_secs", setup.expected_every_secs), choice("time_zone", ZONES.concat(ZONES.includes(setup.time_zone || ZONES[0]) ? [] : setup.time_zone).map((zone) => [zone, zone]), setup.time_zone || ZONES[0]));

const limitsGroup = (limits) => group("set.limits", "set.limits-hint", Object.entries(LIMITS).map(([name, usual]) => digits("limits." + name, limits[name], usual)), Object.entries(SHARES).map(([name, usual]) => share("limits." + name, limits[name], usual)));

function upstreamGroup(upstream) {
  const is = upstream || {};
  const mib = (name) => (is[name] === undefined ? "" : is[name] / MIB);
  const parts = [line("upstream.url", is.url, { placeholder: "http://10.0.0.5:8080/api/{version}", spellcheck: "false" }), Object.entries(BOUNDS).map(([name, usual]) => digits("upstream." + name, is[name], usual)),
    Object.entries(BODIES).map(([name, usual]) => ruled("upstream." + name, { type: "number", step: "any", min: 0, value: mib(name), placeholder: usual })), tick("upstream.keep_bodies", is.keep_bodies !== false),
    HEADERS.map((part) => [lines("upstream." + part, headersText(is[part]), 3), lines("upstream." + part + ".remove", (is[part] || {}).remove, 3)])];
  const inside = h("div.grid.full", { hidden: true }, parts);
  const node = group("set.gateway", "set.gateway-hint", tick("upstream", Boolean(upstream)), inside);
  inside.firstChild.classList.add("two");
  inside.querySelector("[data-field='upstream.keep_bodies']").classList.add("full");
  const box = node.querySelector("[name=upstream]");
  follow(box, () => { inside.hidden = !box.checked; });
  return node;
}

function probeGroup(probe) {
  const is = probe || {};
  const status = is.status ? is.status.join("-") : "";
  const of = (kinds, node) => { node.dataset.kinds = kinds; return node; };
  const node = group("set.probe", "set.probe-hint", choice("probe.kind", [["", t("set.probe-none")], ["http", t("set.probe-http")], ["tcp", t("set.probe-tcp")]], is.kind),
    of("http", line("probe.url", is.url, { placeholder: "http://10.0.0.5:8080/health", spellcheck: "false" })), of("tcp", line("probe.address", is.address, { placeholder: "10.0.0.5:5432", spellcheck: "false" })),
    of("http", choice("probe.method", ["GET", "HEAD", "OPTIONS"].map((one) => [one, one]), is.method || "GET")), of("http", line("probe.status", status, { placeholder: "200-299", maxlength: 12 })), of("http", line("probe.text", is.text, { maxlength: 256 })),
    of("http tcp", digits("probe.every_secs", is.every_secs, 60)), of("http tcp", digits("probe.timeout_ms", is.timeout_ms, 5000)));
  const kind = node.querySelector("select");
  follow(kind, () => { for (const part of node.querySelectorAll("[data-kinds]")) part.hidden = !kind.value || !part.dataset.kinds.includes(kind.value); });
  return node;
}

/** The set-up of one interface, or of a new one; done(id) after it was saved. */
function setupOf(one, page, done) {
  const setup = one ? one.setup : {};
  const own = Boolean(one) && isOwn(one.id);
  let revision = one ? one.revision : undefined; // what this form was filled from: later news do not change it
  const id = one ? null : ruled("channel", { required: true, autofocus: true, maxlength: 64, autocapitalize: "none", spellcheck: "false" });
  const masked = h("section.group", null, h("h3", null, t("set.masking")), h("p.dim", null, t("set.masking-always")));
  return setupForm([basics(setup, page, id), limitsGroup(setup.limits || {}), own ? null : [upstreamGroup(setup.upstream), probeGroup(setup.probe), masked]], async (input) => {
    const name = one ? one.id : input.channel.value.trim();
    if (!name) throw faulty("channel", t("set.wrong", { rule: t("must.channel") }));
    const body = { name: nameFrom(input), provider: input.provider.value.trim(), direction: input.direction.value, consumer: worded(input.consumer), group: worded(input.group), hall: input.hall.value || null, owner: worded(input.owner), endpoint: worded(input.endpoint),
      expected_every_secs: whole(input.expected_every_secs) === undefined ? null : whole(input.expected_every_secs), time_zone: input.time_zone.value, limits: limitsFrom(input) };
    if (!own && input.upstream.checked) body.upstream = upstreamFrom(input);
    const probe = own ? undefined : probeFrom(input);
    if (probe) body.probe = probe;
    if (!one) await mustBeNew("channel", pathOf(name), name);
    revision = (await put(pathOf(name), body, { revision })).revision;
    return name;
  }, done);
}
