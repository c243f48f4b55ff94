// Set-up of interfaces, feeds and the directory, for engineers. The tab is in the address (#channels, #feeds, #directory), and so is
// what is open in it (?id=ID, or ?new).
import { connectLive } from "../lib/live.js";
import { get, toSignIn } from "../lib/api.js";
import { addTexts, nameOf, t } from "../lib/i18n.js";
import { $, h, fill, text } from "../lib/dom.js";
import { session, signOut, langButton, covers, liveLine, may, whoText } from "../lib/staff.js";
import { clock } from "../desk/parts.js";
import { texts as deskTexts } from "../desk/strings.js";
import { texts as opsTexts } from "../ops/strings.js";
import { texts } from "./strings.js";
import { channelsTab } from "./channels.js";
import { directoryTab } from "./directory.js";
import { feedsTab } from "./feeds.js";

addTexts(deskTexts);
addTexts(opsTexts);
addTexts(texts);

/** Tabs in their order; the first is where one starts. */
const TABS = { channels: channelsTab, feeds: feedsTab, directory: directoryTab };

const page = {
  who: null,
  live: null,
  halls: [],
  everywhere: () => covers(page.who, "*"),
  /** Halls that something may belong to; none is the city's, for those who see all of it. */
  hallChoices: () => (page.everywhere() ? [["", t("set.no-hall")]] : []).concat(page.halls.map((one) => [one.id, nameOf(one.name)])),
  hallName: (id) => nameOf((page.halls.find((one) => one.id === id) || {}).name) || id || t("set.no-hall"),
};

let turn = 0;
let close = null; // ends what the open tab follows

async function open() {
  const names = Object.keys(TABS);
  const [asked, rest] = location.hash.slice(1).split("?");
  const name = names.includes(asked) ? asked : names[0];
  fill($("tabs"), names.map((one) => h("a", { href: "#" + one, "data-tab": one, "aria-current": one === name ? "page" : null }, t("set.tab-" + one))));
  document.title = t("set.tab-" + name) + " · " + t("set.title");
  turn += 1;
  const mine = turn;
  const main = h("div.page");
  fill($("setup"), h("div.page", null, h("p.dim", null, t("live.boot"))));
  if (close) close();
  close = null;
  try {
    const end = await TABS[name](main, page, new URLSearchParams(rest || ""));
    if (mine !== turn) return void (end && end());
    close = end;
    fill($("setup"), main);
    $("setup").scrollTop = 0;
    const first = main.querySelector("[autofocus]");
    if (first) first.focus();
  } catch (error) {
    if (mine !== turn) return;
    fill($("setup"), h("div.page", null, h("p.note.bad", { role: "alert" }, error.detail || error.message), h("p", null, h("button.btn", { type: "button", onclick: open }, t("list.again")))));
  }
}

function paintBar() {
  fill($("bar"), h("h1", null, t("set.title")), h("span.live.num", { id: "line", role: "status" }), h("span", null, whoText(page.who)), may(page.who, "engineer", "supervisor") ? h("a.btn.thin", { href: "/ops" }, t("link.ops")) : null,
    h("a.btn.thin", { href: "/" }, t("manage.home")), langButton(), h("button.btn.thin", { type: "button", onclick: signOut }, t("sign.out")));
}

/** Without the server nothing can be saved, and what is shown may be old: both are said. */
function paintState() {
  const { live } = page;
  const heard = clock(live.serverNow() - (live.state === "live" ? 0 : live.silentMs), true);
  liveLine($("line"), live, heard);
  const lost = live.state === "stale" || live.state === "offline" || live.state === "denied";
  $("lost").hidden = !lost;
  text($("lost"), lost ? "⚠ " + t("set.lost", { at: heard }) : "");
  document.body.classList.toggle("frozen", lost);
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest && event.target.closest("input, select, textarea, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || event.key !== "/") return;
  const search = document.querySelector("#setup input[type=search]");
  if (!search) return;
  event.preventDefault();
  search.focus();
});
window.addEventListener("hashchange", () => { if (page.live) open(); });

session().then(async (who) => {
  if (!who) return toSignIn();
  page.who = who;
  document.title = t("set.title");
  paintBar();
  if (!may(who, "engineer")) return fill($("setup"), h("div.page", null, h("p.note.warn", { role: "alert" }, t("set.not-yours"))));
  page.halls = ((await get("/halls")).halls || []).filter((one) => covers(who, one.id));
  page.live = connectLive({ topics: [], onState: () => { if (page.live) paintState(); }, mayReload: () => !document.querySelector("dialog, form.touched") });
  paintState();
  setInterval(paintState, 1000);
  return open();
}).catch((error) => fill($("setup"), h("div.page", null, h("p.note.bad", { role: "alert" }, error.detail || error.message))));
