// How everything does on one page: what is broken, then what is being done about it, then each thing by itself. When all
// is well the tables stay: nothing is ever blank.
import { get, post, query } from "../lib/api.js";
import { t, nameOf, number } from "../lib/i18n.js";
import { $, h, calmly, fill, swap } from "../lib/dom.js";
import { covers, table, tell, th } from "../lib/staff.js";
import { button, clock, fact, facts, lasting, left, percent, pick, choices, severity, word, SEVERITIES } from "../desk/parts.js";
import { age, ages, bySickness, bytes, health, mark, ms, rate, why, HEALTH } from "./parts.js";

const ORDERS_SHOWN = 8;
const CHANNELS_SHOWN = 40;
const ALARMS_SHOWN = 60;
const ORDERS_EVERY_MS = 10000;
const FEEDS_EVERY_MS = 5000;

/** How old a source may be, in seconds, before its age turns. */
const LIMITS = { machine: 10, channels: 4, orders: 45, feeds: 20, alarms: 5 };

const panel = (id, title) => h("section.panel", { id, "aria-labelledby": id + "-title" }, h("header.head", null, h("h2", { id: id + "-title" }, title), h("span", { id: id + "-sum" }), h("span", { id: id + "-age" })), h("div.body", { id: id + "-body" }));
const calm = (words) => h("p.calm", null, "✓ " + words);

/** The words for what is wrong, by what it is. */
function trouble(one) {
  const detail = one.detail || {};
  if (one.kind === "channel") return [health(one.state), " ", h("span.dim", null, why(detail))];
  if (one.kind === "device") return [h("b", null, word(one.state === "offline" ? "device-state." : "device-fault.", one.state)), " ", h("span.dim", null, [word("device-kind.", detail.device), detail.function && word("device-function.", detail.function)].filter(Boolean).join(" · "))];
  if (one.kind === "actor") return h("b", null, t("broken.silent-of", { n: detail.silent, all: detail.count }));
  if (typeof detail.percent === "number") return h("b", null, t("broken.full", { n: detail.percent }));
  if (one.kind === "journal") return h("b", null, t("broken.behind", { n: number(detail.waiting) }));
  return h("b", null, t("broken.silent"));
}

const named = (one) => (one.kind === "actor" ? word("actor.", one.id) : ["disk", "memory", "journal", "database"].includes(one.kind) ? word("broken-kind.", one.kind) : nameOf(one.name) || one.id);

function brokenLine(one, now) {
  const since = one.since ? lasting((now - Date.parse(one.since)) / 1000) : "—";
  const name = one.kind === "channel" ? h("a", { href: "#channels?id=" + encodeURIComponent(one.id), "data-go": "" }, named(one)) : h("b", null, named(one));
  return h("li.broken", { "data-broken": one.kind + ":" + one.id, "data-severity": one.severity }, severity(one.severity), h("span.what", null, name, " ", h("span.dim.small", null, [word("broken-kind.", one.kind), one.hall].filter(Boolean).join(" · "))), h("span.how", null, trouble(one)), h("span.num.dim.nowrap", { title: clock(one.since, true) }, since));
}

function channelLine(one) {
  const limit = one.maintenance_until ? t("ops.until", { at: clock(one.maintenance_until) }) : one.refused ? t("ops.refused", { n: number(one.refused) }) : "—";
  return h("tr", { "data-channel": one.id, "data-state": one.health }, h("td", null, h("a", { href: "#channels?id=" + encodeURIComponent(one.id), "data-go": "" }, nameOf(one.name)), h("span.dim.small.id", null, " " + one.id)),
    h("td.nowrap", null, health(one.health)), h("td.num", null, rate(one.calls_per_sec)), h("td.num", null, ms(one.p95_ms)), h("td.num" + (one.error_percent > 0 ? ".hot" : ""), null, percent(one.error_percent)), h("td.num.nowrap", null, clock(one.last_success_at, true)), h("td.nowrap", null, limit));
}

/** One group in a line: how many of its channels are how. */
const groupLine = (name, sums) => h("span.group-sum", { "data-group": name, "data-health": sums.health }, h("b", null, name === "own" ? t("ops.own-group") : name), HEALTH.filter((state) => sums[state] > 0).map((state) => [" ", mark(state, sums[state])]));

const FEED_MARKS = { late: ["critical", "▲"], incomplete: ["warning", "◆"], ok: ["good", "●"], empty: ["notice", "○"] };
const FEED_ORDER = Object.keys(FEED_MARKS);
const feedState = (state) => h("span.sev." + FEED_MARKS[state][0], null, FEED_MARKS[state][1] + " " + t("feed-state." + state));
const byLateness = (a, b) => FEED_ORDER.indexOf(a.state) - FEED_ORDER.indexOf(b.state) || String(a.id).localeCompare(String(b.id), "en", { numeric: true });

/** A feed with its newest batch; what failed in it can be sent again. */
function feedLine(one, retry) {
  const held = (one.rejected || 0) + (one.failed || 0);
  return h("tr", { "data-feed": one.id, "data-state": one.state }, h("td", null, h("b", null, nameOf(one.name)), h("span.dim.small", null, " " + [one.id, t("feed-direction." + one.direction), one.party].filter(Boolean).join(" · "))), h("td.nowrap", null, feedState(one.state), one.missed ? h("span.dim", null, " " + t("ops.missed", { n: one.missed })) : null),
    h("td.num.nowrap", null, clock(one.last_at, true)), h("td.num.nowrap", null, clock(one.due_at)), h("td.num", null, number(one.received)), h("td.num" + (held ? ".hot" : ""), null, number(held)), h("td.num", null, percent(one.first_pass_percent)), h("td.num", null, percent(one.success_percent)),
    h("td", null, retry && one.failed && one.batch ? button("ops.retry", () => retry(one)) : null));
}

function deviceRows(sums) {
  const states = ["online", "offline", "never", "unwatched"];
  const line = ([kind, own]) => {
    const all = states.reduce((n, state) => n + (own[state] || 0), 0);
    return h("tr", { "data-device-kind": kind }, h("td", null, word("device-kind.", kind)), h("td.num", null, number(all)), h("td.num.good", null, number(own.online || 0)), h("td.num" + (own.offline ? ".hot" : ""), null, number(own.offline || 0)), h("td.num", null, number((own.never || 0) + (own.unwatched || 0))));
  };
  return table([th("ops.kind"), th("ops.all", true), th("device-state.online", true), th("device-state.offline", true), th("ops.others", true)], Object.entries(sums.kinds).map(line), t("ops.no-devices"));
}

const actorRows = (actors) => table([th("ops.actor"), th("ops.count", true), th("ops.in-hand", true), th("ops.answer", true), th("ops.restarts", true)],
  actors.map((one) => h("tr", { "data-actor": one.kind }, h("td", null, word("actor.", one.kind), one.silent ? h("b.hot", null, " ▲ " + t("broken.silent-of", { n: one.silent, all: one.count })) : null), h("td.num", null, number(one.count)), h("td.num", null, number(one.in_hand)), h("td.num", null, ms(one.answer_ms)), h("td.num" + (one.restarts ? ".hot" : ""), null, number(one.restarts)))), "");

const bar = (value) => h("span.meter" + (value > 90 ? ".high" : ""), { "aria-hidden": "true" }, h("span", { style: "width:" + Math.max(0, Math.min(100, value || 0)) + "%" }));

function machine(one) {
  const { database, journal, disk, process, node, live } = one;
  const share = (key, value, words) => [h("dt", null, t(key)), h("dd.num", null, bar(value), " ", percent(value), words ? h("span.dim", null, " · " + words) : null)];
  return facts(fact("ops.database", database.round_trip_ms === null ? h("b.hot", null, "▲ " + t("broken.silent")) : word("database.", database.kind) + " · " + t("ops.round-trip", { n: ms(database.round_trip_ms) })),
    fact("ops.commit", typeof journal.commit_ms === "number" ? t("ops.commit-of", { n: ms(journal.commit_ms), waiting: number(journal.waiting), batch: number(journal.last_batch) }) : "—"),
    journal.failed ? fact("ops.commit-failed", number(journal.failed)) : null,
    fact("ops.bus", word("bus.", one.bus)),
    disk ? share("ops.disk", disk.used_percent, t("ops.disk-of", { free: bytes(disk.free_bytes), own: bytes(disk.data_bytes) })) : null,
    share("ops.memory", node.memory_percent, t("ops.own", { n: bytes(process.memory_bytes) })),
    share("ops.cpu", node.cpu_percent, t("ops.cores", { n: node.cores }) + " · " + t("ops.own", { n: percent(process.cpu_percent) })),
    fact("ops.live", t("ops.live-of", { sockets: number(live.sockets), topics: number(live.topics), frames: rate(live.frames_per_sec) })),
    fact("ops.up", lasting(one.uptime_secs) + " · " + t("ops.version", { v: one.version })));
}

/** Views of several halls as one. */
function together(views) {
  const add = (into, from) => { for (const [key, value] of Object.entries(from || {})) into[key] = typeof value === "object" && value ? add(into[key] || {}, value) : typeof value === "number" ? (into[key] || 0) + value : value; return into; };
  const worst = (one) => Object.assign(one, { health: HEALTH.find((state) => one[state] > 0) || "healthy" });
  const whole = { broken: [], devices: { total: 0, states: {}, kinds: {}, faulty: 0, old_build: 0 }, channels: { all: {}, groups: {} }, vitals: null, as_of: null };
  for (const view of views) {
    whole.broken = whole.broken.concat(view.broken);
    add(whole.devices, view.devices);
    add(whole.channels, view.channels);
    whole.vitals = view.vitals || whole.vitals;
    whole.as_of = view.as_of || whole.as_of;
  }
  worst(whole.channels.all);
  Object.values(whole.channels.groups).forEach(worst);
  whole.broken.sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) || String(a.since || "").localeCompare(String(b.since || "")));
  return whole;
}

export function nowTab(main, page) {
  const orders = { items: null, total: 0, at: null, fault: null, asked: 0 };
  const filter = { severity: "", text: "" };

  async function askOrders() {
    orders.asked = Date.now();
    try {
      const answer = await get("/work-orders" + query({ sort: "due", ended: "false", limit: ORDERS_SHOWN }), { retry: false });
      Object.assign(orders, { items: answer.items, total: answer.total, at: page.live.serverNow(), fault: null });
    } catch (error) {
      orders.fault = error;
    }
    paint();
  }

  const feeds = { items: null, at: null, fault: null, asked: 0 };

  async function askFeeds() {
    feeds.asked = Date.now();
    try {
      const answer = await get("/feeds", { retry: false });
      Object.assign(feeds, { items: answer.items.sort(byLateness), at: page.live.serverNow(), fault: null });
    } catch (error) {
      feeds.fault = error;
      if ($("batches")) $("batches").hidden = error.status === 404; // this server keeps no feeds
    }
    paint();
  }

  const retry = (one) => tell(async () => {
    await post("/feeds/" + encodeURIComponent(one.id) + "/batches/" + encodeURIComponent(one.batch) + "/retry", {});
    await askFeeds();
  });

  function paintFeeds() {
    swap($("batches-age"), feeds.items && age(Math.round(feeds.at), LIMITS.feeds));
    const heads = [th("ops.feed"), th("alert.state"), th("ops.last-data", true), th("ops.due", true), th("ops.received", true), th("ops.held", true), th("ops.first-pass", true), th("ops.success", true), h("th")];
    const again = page.may("engineer") ? retry : null;
    calmly(() => swap($("batches-body"), h("div", null, feeds.fault ? h("p.note.bad", { role: "alert" }, feeds.fault.detail || feeds.fault.message) : null, feeds.items ? table(heads, feeds.items.slice(0, CHANNELS_SHOWN).map((one) => feedLine(one, again)), t(covers(page.who, "*") ? "ops.no-feeds" : "ops.no-feeds-of-yours")) : feeds.fault ? null : h("p.dim", null, t("live.boot")))));
  }

  function orderLine(one) {
    const now = page.live.serverNow();
    const time = one.due_at ? left(one.due_at, now) : t("ops.no-due");
    return h("tr" + (one.overdue ? ".late" : ""), { "data-order": one.id }, h("td.nowrap", null, h("a", { href: "/desk#orders?id=" + encodeURIComponent(one.id), "data-go": "" }, one.id)), h("td", null, nameOf(one.title) || one.kind, h("div.dim.small", null, [word("order-state.", one.state), one.assignee || t("order.nobody"), one.alert].filter(Boolean).join(" · "))), h("td.nowrap.num" + (one.overdue ? ".hot" : ""), null, time));
  }

  function paintOrders() {
    const list = orders.items || [];
    const late = list.filter((one) => one.overdue).length;
    swap($("orders-sum"), orders.items && h("span.dim", null, t("ops.orders-sum", { n: orders.total, late })));
    swap($("orders-age"), orders.items && age(Math.round(orders.at), LIMITS.orders));
    const rows = orders.items && (list.length ? table([th("order.id"), th("order.title"), th("order.due", true)], list.map(orderLine), "") : calm(t("ops.no-orders")));
    swap($("orders-body"), h("div", null, orders.fault ? h("p.note.bad", { role: "alert" }, orders.fault.detail || orders.fault.message) : null, rows || (orders.fault ? null : h("p.dim", null, t("live.boot")))));
  }

  function paintBroken(view) {
    const now = page.live.serverNow();
    const counts = ["critical", "warning"].map((one) => [one, view.broken.filter((other) => other.severity === one).length]);
    swap($("broken-sum"), h("span", { "data-broken-count": view.broken.length }, counts.map(([one, n]) => (n ? [severity(one), " ", h("b.num", null, n), " "] : null))));
    $("broken").classList.toggle("well", !view.broken.length);
    swap($("broken-body"), view.broken.length ? h("ul", null, view.broken.map((one) => brokenLine(one, now))) : calm(t("broken.none")));
  }

  function paintChannels(sums) {
    const views = page.views("channels");
    const rows = views.reduce((all, view) => all.concat(view.items || []), []).sort(bySickness);
    swap($("channels-sum"), h("span", { "data-channels": rows.length }, HEALTH.filter((state) => sums.all[state] > 0).map((state) => [mark(state, sums.all[state]), " "])));
    const groups = Object.entries(sums.groups);
    const heads = [th("channel.name"), th("alert.state"), th("ops.per-sec", true), th("ops.p95", true), th("ops.errors", true), th("ops.last-ok", true), th("ops.limit")];
    swap($("channels-body"), h("div", null, groups.length ? h("p.groups", null, groups.map(([name, own]) => groupLine(name, own))) : null, table(heads, rows.slice(0, CHANNELS_SHOWN).map(channelLine), t(!views.length ? "live.boot" : covers(page.who, "*") ? "channel.none" : "ops.none-of-yours")),
      rows.length > CHANNELS_SHOWN ? h("p.dim", null, h("a", { href: "#channels", "data-go": "" }, t("alert.more", { n: rows.length - CHANNELS_SHOWN }))) : null));
  }

  function paintAlarms() {
    const views = page.views("alerts");
    const words = filter.text.toLowerCase();
    const fits = (one) => (!filter.severity || one.severity === filter.severity) && (!words || [one.id, one.rule, nameOf(one.name), nameOf(one.label), nameOf(one.text), one.subject && one.subject.id, one.hall].join(" ").toLowerCase().includes(words));
    const all = views.reduce((list, view) => list.concat(view.alerts || []), []).filter(fits).sort((a, b) => String(b.raised_at).localeCompare(String(a.raised_at)));
    const checked = views.map((view) => view.last_pass_at).filter(Boolean).sort().pop();
    swap($("alarms-age"), age(checked, LIMITS.alarms));
    const line = (one) => h("tr", { "data-alarm": one.id }, h("td.num.nowrap", null, clock(one.raised_at, true)), h("td.nowrap", null, severity(one.severity)), h("td.nowrap", null, nameOf(one.label) || one.subject.id), h("td", null, h("b", null, nameOf(one.name)), " ", h("span.dim", null, nameOf(one.text))), h("td.nowrap", null, word("alert-state.", one.state)));
    swap($("alarms-body"), all.length ? table([th("ops.at"), th("filter.severity"), th("ops.what"), th("ops.alarm"), th("alert.state")], all.slice(0, ALARMS_SHOWN).map(line), "") : calm(t(views.length ? "ops.no-alarms" : "live.boot")));
  }

  function paint() {
    if (!$("broken-body")) return;
    const views = page.views("ops");
    paintOrders();
    paintFeeds();
    if (page.seesAlerts) paintAlarms();
    if (!views.length) return;
    const view = together(views);
    for (const id of ["broken", "devices", "actors", "machine"]) if ($(id + "-age")) swap($(id + "-age"), age(view.as_of, LIMITS.machine));
    paintBroken(view);
    paintChannels(view.channels);
    const { devices } = view;
    swap($("devices-sum"), h("span.dim", null, [devices.faulty ? t("ops.faulty", { n: devices.faulty }) : null, devices.old_build ? t("ops.old", { n: devices.old_build }) : null].filter(Boolean).join(" · ")));
    swap($("devices-body"), deviceRows(devices));
    if (view.vitals) {
      swap($("actors-body"), actorRows(view.vitals.actors));
      swap($("machine-body"), machine(view.vitals));
    }
    tick();
  }

  function tick() {
    const at = String(Math.round(page.live.serverNow() - page.live.silentMs));
    const node = $("channels-age");
    if (node && !node.firstChild) fill(node, age(at, LIMITS.channels));
    if (node && node.firstChild) node.firstChild.dataset.at = at;
    ages(main, page.live.serverNow());
    if (Date.now() - orders.asked > ORDERS_EVERY_MS && !document.hidden) askOrders();
    if (Date.now() - feeds.asked > FEEDS_EVERY_MS && !document.hidden) askFeeds();
  }

  const everywhere = page.topics.ops.includes("ops");
  fill(main, h("div.ops" + (everywhere ? "" : ".few"), null, panel("broken", t("ops.broken")), panel("orders", t("ops.orders")), panel("channels", t("ops.channels")), panel("batches", t("ops.batches")), panel("devices", t("ops.devices")),
    everywhere ? [panel("actors", t("ops.actors")), panel("machine", t("ops.machine"))] : null, page.seesAlerts ? panel("alarms", t("ops.alarms")) : null));
  if (page.seesAlerts) {
    const search = h("input.input", { type: "search", placeholder: t("filter.text") + " /", "aria-label": t("filter.text"), oninput: (event) => { filter.text = event.target.value; paint(); }, onkeydown: (event) => { if (event.key === "Escape") event.target.blur(); } });
    fill($("alarms-sum"), h("span.alarm-filters", null, pick("filter.severity", choices("severity.", SEVERITIES), "", (value) => { filter.severity = value; paint(); }), search));
  }
  for (const id of ["broken-body", "channels-body", "devices-body"].concat(everywhere ? ["actors-body", "machine-body"] : [])) fill($(id), h("p.dim", null, t("live.boot")));
  askOrders();
  askFeeds();
  return { paint, tick };
}
