// Operations. One tab at a time, which is in the address (#now, #channels, …); the live feed is shared by all.
// While the feed is silent nothing here may look calm: see paintState().
import { connectLive } from "../lib/live.js";
import { toSignIn } from "../lib/api.js";
import { addTexts, t } from "../lib/i18n.js";
import { $, h, fill, text, openDialog, dropWaiting } from "../lib/dom.js";
import { session, signOut, langButton, covers, may, whoText } from "../lib/staff.js";
import { texts as deskTexts } from "../desk/strings.js";
import { clock } from "../desk/parts.js";
import { texts } from "./strings.js";
import { nowTab } from "./now.js";
import { channelsTab } from "./channels.js";
import { dataTab } from "./feeds.js";
import { servicesTab } from "./services.js";
import { usageTab } from "./usage.js";

addTexts(deskTexts);
addTexts(texts);

/** Tabs in their order; the first is where one starts. */
const TABS = { now: nowTab, channels: channelsTab, data: dataTab, services: servicesTab, usage: usageTab };

const page = {
  who: null,
  live: null,
  topics: { ops: [], channels: [], alerts: [] },
  seesAlerts: false,
  may: (...roles) => may(page.who, ...roles),
  /** What the topics of one kind say now: one for all halls, or one for each of one's own. */
  views: (kind) => page.topics[kind].map((topic) => page.live.data(topic)).filter(Boolean),
  frozen: () => state() !== null,
};

let tab = null; // {name, view} with view.paint(), view.key(event), view.tick(), view.close()

/** Why the page cannot be trusted, in words; null when it can. */
function state() {
  const { live } = page;
  if (live.state === "live") return null;
  if (live.state === "denied") return t("live.denied");
  const heard = t("desk.last", { at: clock(live.serverNow() - live.silentMs, true) });
  return live.state === "boot" ? t("live.boot") : t("live.lost") + " · " + t("ops.not-calm") + " · " + heard;
}

function paintState() {
  const words = state();
  const lost = words && page.live.state !== "boot" ? "⚠ " + words : "";
  $("lost").hidden = !lost;
  text($("lost"), lost);
  document.body.classList.toggle("frozen", Boolean(lost));
  const line = $("line");
  line.classList.toggle("bad", Boolean(lost));
  text(line, words ? (lost ? "⚠ " + t("live.lost") : words) : "● " + t("live.on") + " " + clock(page.live.serverNow(), true));
}

function open() {
  const names = Object.keys(TABS);
  const [asked, rest] = location.hash.slice(1).split("?");
  const name = names.includes(asked) ? asked : names[0];
  if (tab && tab.view && tab.view.close) tab.view.close();
  dropWaiting();
  fill($("tabs"), names.map((one) => h("a", { href: "#" + one, "data-tab": one, "aria-current": one === name ? "page" : null }, t("ops.tab-" + one))));
  document.title = t("ops.tab-" + name) + " · " + t("ops.title");
  $("main").className = "tab-" + name;
  fill($("main"));
  tab = { name, view: null };
  const mine = tab;
  mine.view = TABS[name]($("main"), page, new URLSearchParams(rest || "")) || {};
  paintState();
}

function paintBar() {
  fill($("bar"), h("h1", null, t("ops.title")), h("span", { id: "bell" }), h("span.live.num", { id: "line", role: "status" }), h("span.who", null, whoText(page.who)),
    page.may("engineer") ? h("a.btn.thin", { href: "/setup" }, t("link.setup")) : null, h("a.btn.thin", { href: "/desk" }, t("link.desk")), h("a.btn.thin", { href: "/" }, t("manage.home")), langButton(), h("button.btn.thin", { type: "button", onclick: signOut }, t("sign.out")));
}

const heard = () => { if (tab && tab.view && tab.view.paint) tab.view.paint(); };

const help = () => openDialog((close) => h("div", null, h("h2", null, t("help.title")), h("dl.facts", null, [["J / K", "help.move"], ["Enter", "ops.help-open"], ["Esc", "ops.help-back"], ["/", "filter.text"], ["1 – " + Object.keys(TABS).length, "ops.help-tabs"], ["?", "help.title"]]
  .map(([sign, key]) => [h("dt", null, h("kbd", null, sign)), h("dd", null, t(key))])), h("div.btns", null, h("button.btn", { type: "button", autofocus: true, onclick: () => close(null) }, t("form.ok")))));

/** Up and down through everything that leads somewhere. */
function move(step) {
  const all = Array.from(document.querySelectorAll("#main [data-go]")).filter((one) => one.offsetParent);
  if (!all.length) return false;
  const at = all.indexOf(document.activeElement);
  all[Math.min(all.length - 1, Math.max(0, at + step))].focus();
  return true;
}

function key(event) {
  const names = Object.keys(TABS);
  const steps = { j: 1, k: -1, J: 1, K: -1 };
  if (tab && tab.view && tab.view.key && tab.view.key(event)) return true;
  if (event.key in steps) return move(steps[event.key]);
  if (event.key === "?") return help(), true;
  if (event.key === "Escape" && tab && tab.name !== names[0]) return (location.hash = "#" + names[0]), true;
  const search = document.querySelector("#main input[type=search]");
  if (event.key === "/" && search) return search.focus(), true;
  if (/^[1-9]$/.test(event.key) && names[event.key - 1]) return (location.hash = "#" + names[event.key - 1]), true;
  return false;
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest && event.target.closest("input, select, textarea, dialog");
  if (typing || document.querySelector("dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (key(event)) event.preventDefault();
});
window.addEventListener("hashchange", () => { if (page.live) open(); });

session().then((who) => {
  if (!who) return toSignIn();
  page.who = who;
  paintBar();
  if (!page.may("engineer", "supervisor")) return fill($("main"), h("p.note.bad", { role: "alert" }, t("ops.not-yours")));
  const halls = (who.halls || []).filter((hall) => hall !== "*");
  const own = (family) => (covers(who, "*") ? [family] : halls.map((hall) => family + "." + hall));
  for (const kind of Object.keys(page.topics)) page.topics[kind] = own(kind);
  page.seesAlerts = page.may("engineer", "manager", "supervisor");
  page.live = connectLive({
    topics: [].concat(page.topics.ops, page.topics.channels, page.topics.alerts),
    onSnapshot: heard,
    onDelta: heard,
    onState: () => { if (tab) { paintState(); heard(); } },
    onError: (topic, code, detail) => fill($("bell"), h("span.tag.warn", null, detail || code)),
    mayReload: () => !document.querySelector("dialog"),
  });
  open();
  setInterval(() => {
    paintState();
    if (tab.view.tick) tab.view.tick();
  }, 500);
  return undefined;
}).catch((error) => fill($("main"), h("p.note.bad", { role: "alert" }, error.detail || error.message)));
