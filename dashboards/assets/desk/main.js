// The desk. One tab at a time, which is in the address (#alerts, #cases, #orders, …); the live feed is shared by all.
// While the feed is silent, or the rules are not checked, nothing here may look calm: see paintState().
import { connectLive } from "../lib/live.js";
import { toSignIn } from "../lib/api.js";
import { addTexts, t } from "../lib/i18n.js";
import { $, h, fill, text, dropWaiting } from "../lib/dom.js";
import { session, signOut, langButton, covers, may, whoText } from "../lib/staff.js";
import { texts } from "./strings.js";
import { clock } from "./parts.js";
import { tell } from "./siren.js";
import { alertsTab } from "./alerts.js";
import { casesTab } from "./cases.js";
import { ordersTab, problemsTab } from "./orders.js";
import { channelsTab } from "../ops/channels.js";
import { texts as opsTexts } from "../ops/strings.js";
import { messagesTab } from "./messages.js";
import { rulesTab } from "./rules.js";
import { silencesTab } from "./silences.js";

addTexts(texts);
addTexts(opsTexts);

const LATE_PASS_MS = 5000; // the rules are checked each second

const OPERATORS = ["engineer", "manager", "supervisor"];
/** Who may see a tab, and whether it follows the live feed by itself. */
const TABS = {
  alerts: { open: alertsTab, roles: OPERATORS },
  cases: { open: casesTab, roles: ["clerk", "manager", "supervisor"] },
  orders: { open: ordersTab, roles: OPERATORS },
  problems: { open: problemsTab, roles: OPERATORS },
  channels: { open: channelsTab, roles: ["engineer", "supervisor"] },
  messages: { open: messagesTab, roles: OPERATORS },
  rules: { open: rulesTab, roles: ["supervisor"] },
  silences: { open: silencesTab, roles: OPERATORS },
};

const desk = {
  who: null,
  live: null,
  /** The topics of one's own halls, each with its own alerts. */
  topics: [],
  seesAlerts: false,
  may: (...roles) => may(desk.who, ...roles),
  snapshots: () => desk.topics.map((topic) => desk.live.data(topic)).filter(Boolean),
  frozen: () => state() !== null,
};

let tab = null; // {name, view} with view.paint(), view.key(event), view.tick()

/** Why the page cannot be trusted, in words; null when it can. */
function state() {
  const { live } = desk;
  if (live.state === "denied") return t("live.denied");
  const heard = t("desk.last", { at: clock(live.serverNow() - live.silentMs, true) });
  if (live.state !== "live") return (live.state === "boot" ? t("live.boot") : t("live.lost") + " · " + t("desk.not-calm")) + " · " + heard;
  if (!desk.seesAlerts) return null;
  const passes = desk.snapshots().map((data) => Date.parse(data.last_pass_at || ""));
  if (!passes.length) return t("live.boot");
  const last = Math.max(...passes.filter(Number.isFinite));
  if (!Number.isFinite(last)) return t("desk.never-checked");
  return live.serverNow() - last > LATE_PASS_MS ? t("desk.late", { at: clock(last, true) }) + " · " + t("desk.not-calm") : null;
}

function paintState() {
  const words = state();
  $("lost").hidden = !words;
  text($("lost"), words ? "⚠ " + words : "");
  $("work").disabled = Boolean(words);
  document.body.classList.toggle("frozen", Boolean(words));
  const line = $("line");
  line.classList.toggle("bad", Boolean(words));
  text(line, words ? "⚠ " + t("live.lost") : "● " + t("live.on") + " " + clock(desk.live.serverNow(), true));
}

const mine = () => Object.keys(TABS).filter((name) => desk.may(...TABS[name].roles));

function open() {
  const names = mine();
  const [asked, rest] = location.hash.slice(1).split("?");
  const name = names.includes(asked) ? asked : names[0];
  if (tab && tab.view && tab.view.close) tab.view.close();
  dropWaiting();
  fill($("tabs"), names.map((one) => h("a", { href: "#" + one, "data-tab": one, "aria-current": one === name ? "page" : null }, t("desk." + one))));
  document.title = t("desk." + name) + " · " + t("desk.title");
  $("main").className = "tab-" + name;
  fill($("main"));
  tab = { name, view: null };
  const mineNow = tab;
  mineNow.view = TABS[name].open($("main"), desk, new URLSearchParams(rest || "")) || {};
  paintState();
}

function paintBar() {
  fill($("bar"), h("h1", null, t("desk.title")), h("span", { id: "bell" }), h("span.live.num", { id: "line", role: "status" }), h("span.who", null, whoText(desk.who)),
    h("a.btn.thin", { href: "/" }, t("manage.home")), langButton(), h("button.btn.thin", { type: "button", onclick: signOut }, t("sign.out")));
}

function heard() {
  paintState(); // with the first list the page can be trusted, and used
  if (tab && tab.view.paint) tab.view.paint();
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest && event.target.closest("input, select, textarea, dialog");
  if (typing || document.querySelector("dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (tab && tab.view.key && tab.view.key(event)) event.preventDefault();
});
window.addEventListener("hashchange", () => { if (desk.who) open(); });

session().then((who) => {
  if (!who) return toSignIn();
  desk.who = who;
  if (!mine().length) return fill($("main"), h("p.note.bad", { role: "alert" }, t("desk.not-yours")));
  desk.seesAlerts = desk.may(...OPERATORS);
  if (desk.seesAlerts) desk.topics = covers(who, "*") ? ["alerts"] : (who.halls || []).map((hall) => "alerts." + hall);
  desk.live = connectLive({
    topics: desk.topics,
    onSnapshot: heard,
    onDelta: heard,
    onState: () => { if (tab) { paintState(); heard(); } },
    onNotice: (notice) => tell(notice.subject || notice.title || t("desk.title"), notice.text || "", notice.id),
    onError: (topic, code, detail) => fill($("bell"), h("span.tag.warn", null, detail || code)),
    mayReload: () => !document.querySelector("dialog, textarea"),
  });
  paintBar();
  open();
  setInterval(() => {
    paintState();
    if (tab.view.tick) tab.view.tick();
  }, 500);
  return undefined;
}).catch((error) => fill($("main"), h("p.note.bad", { role: "alert" }, error.detail || error.message)));
