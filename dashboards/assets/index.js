// Sign-in, then the directory: every hall with its live figures and the ways into it.
import { connectLive } from "./lib/live.js";
import { post, get } from "./lib/api.js";
import { t, nameOf, number } from "./lib/i18n.js";
import { $, h, fill, calmly } from "./lib/dom.js";
import { byId } from "./lib/hall.js";
import { session, signOut, langButton, liveLine, lastNews, passwordDialog, field, may, covers, whoText } from "./lib/staff.js";

document.title = t("app.name");
let who = null;
let live = null;
let ticking = 0;
const ASK_S = 5;

/** Only a path of this server: no other host, no scheme. */
function nextPage() {
  const next = new URLSearchParams(location.search).get("next") || "";
  return /^\/[^/\\]/.test(next) ? next : null;
}

function signIn(words) {
  const said = h("p.said", { role: "alert" }, words || "");
  if (words) said.classList.add("bad");
  const button = h("button.btn.go", { type: "submit" }, t("sign.in"));
  const node = h("form", { novalidate: true },
    field("username", t("sign.username"), { autocomplete: "username", autofocus: true, autocapitalize: "none", spellcheck: "false" }),
    field("password", t("sign.password"), { type: "password", autocomplete: "current-password" }),
    said, button);
  node.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    said.textContent = "";
    try {
      await post("/session", { username: node.elements.username.value.trim(), password: node.elements.password.value }, { key: false, retry: false });
      who = await session();
      const next = nextPage();
      if (next && !who.must_change_password) return void location.assign(next);
      directory();
    } catch (error) {
      said.classList.add("bad");
      said.textContent = error.detail;
      button.disabled = false;
      node.elements.password.select();
    }
    return undefined;
  });
  fill($("app"), h("main.sign", null,
    h("section.panel", null, h("h1", null, t("app.brand")), h("p.dim", null, t("app.motto")), node),
    h("p.sign-foot", null, langButton())));
}

function hallRow(id, hall) {
  const figures = hall.figures || {};
  const fact = (key) => h("div", null, h("b.num", null, number(figures[key])), h("span.small.dim", null, t("figure." + key)));
  const path = encodeURIComponent(id);
  const link = (href, key) => h("a.btn.thin", { href }, t(key));
  const tone = hall.state === "open" ? ".good" : hall.state === "issuing_paused" ? ".warn" : "";
  return h("section.panel.hall-row", { "data-hall": id },
    h("div", null, h("h2", null, nameOf(hall.name) || id),
      h("p.small.dim", null, h("span.tag" + tone, null, t("hall." + hall.state)), " ",
        hall.demo ? h("span.tag.demo", null, t("demo.mark")) : null, " ", id, hall.day ? " · " + hall.day : "")),
    h("div.hall-facts", null, ["issued", "waiting", "serving", "completed"].map(fact)),
    h("div.btns", null, link("/board/" + path, "link.board"), link("/kiosk/" + path, "link.kiosk"),
      may(who, "clerk", "manager", "supervisor") && link("/console?hall=" + path, "link.console"),
      may(who, "manager", "supervisor") && link("/floor/" + path, "floor.title"),
      may(who, "manager") && link("/manage?hall=" + path, "link.manage")));
}

async function directory() {
  let halls = {};
  const list = h("div.halls-list");
  const totals = h("p.dim");
  const line = h("span.live.num", { role: "status" });
  const paint = (known) => {
    halls = {};
    for (const [id, hall] of Object.entries(known)) if (covers(who, id)) halls[id] = hall;
    const ids = Object.keys(halls).sort(byId);
    fill(list, ids.length ? ids.map((id) => hallRow(id, halls[id])) : h("section.panel", null, h("p", null, t("halls.none")),
      may(who) && h("p", null, h("a.btn.go", { href: "/manage#new" }, t("halls.create")))));
    const sum = (key) => number(ids.reduce((all, id) => all + ((halls[id].figures || {})[key] || 0), 0));
    fill(totals, ids.length > 1 ? t("halls.totals", { halls: ids.length, issued: sum("issued"), waiting: sum("waiting"), completed: sum("completed") }) : "");
  };
  const heard = () => paint(live.data("city").halls || {});
  // the city is for those who see all of it; others ask again and again for their own halls
  const ask = () => get("/halls", { retry: false }).then((answer) => {
    const known = {};
    for (const hall of answer.halls || []) known[hall.id] = hall;
    calmly(() => paint(known));
  });
  const change = () => passwordDialog().then((done) => { if (done) { who.must_change_password = false; directory(); } });
  fill($("app"),
    h("header.bar", null, h("h1", null, t("app.brand")), line, h("span", null, whoText(who)),
      h("button.btn.thin", { type: "button", onclick: change }, t("password.change")), langButton(),
      h("button.btn.thin", { type: "button", onclick: signOut }, t("sign.out"))),
    h("main.page", null,
      may(who, "clerk", "engineer", "manager", "supervisor") && h("p.btns", null, h("a.btn.go", { href: "/desk", id: "to-desk" }, t("link.desk")), may(who, "engineer", "supervisor") && h("a.btn.go", { href: "/ops", id: "to-ops" }, t("link.ops")), may(who, "engineer") && h("a.btn.go", { href: "/setup", id: "to-setup" }, t("link.setup"))),
      who.must_change_password && h("p.note.warn", { role: "alert" }, t("password.must") + " ", h("button.btn.thin", { type: "button", onclick: change }, t("password.change"))),
      totals, list,
      may(who) && h("p", null, h("a.btn", { href: "/manage#new" }, t("halls.create")))));
  if (live) live.close();
  live = connectLive({
    topics: covers(who, "*") ? ["city"] : [],
    onSnapshot: () => calmly(heard),
    onDelta: () => calmly(heard),
    onState: () => liveLine(line, live, lastNews(live)),
  });
  let beats = 0;
  clearInterval(ticking);
  ticking = setInterval(() => {
    liveLine(line, live, lastNews(live));
    beats += 1;
    if (beats % ASK_S === 0 && !live.data("city") && !document.hidden && live.state === "live") ask().catch(() => {});
  }, 1000);
  try {
    await ask();
  } catch (error) {
    fill(list, h("p.note.bad", null, error.detail));
  }
}

session().then((found) => {
  who = found;
  if (who) directory();
  else signIn();
}, (error) => signIn(error.detail));
