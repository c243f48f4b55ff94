// The rater of a window: shows the invitation it is given, says so, and sends what the visitor chose.
import { connectLive } from "./lib/live.js";
import { post } from "./lib/api.js";
import { reportDevice } from "./lib/device.js";
import { t, t2 } from "./lib/i18n.js";
import { $, h, text, calmly, swap } from "./lib/dom.js";

const THANKS_MS = 5000;
const ANSWER_AGAIN_MS = 1000;

let invitation = null;
let answered = 0;   // the ticket of the invitation that was answered
let rated = 0;      // and of the one that was rated
let thanks = 0;
let sending = false;
let said = "";
let place = null;   // {hall, window} as the device's own topic says

const live = connectLive({ topics: [], reloadWithinMs: 20000, mayReload: () => !invitation && !thanks, onState: () => calmly(paint) });
reportDevice(live, { mayReload: () => !invitation && !thanks });
live.onHello((id) => {
  if (!id) return;
  live.follow("rating." + id, (view) => { invite(view.invitation); });
});

function invite(next) {
  if (next && next.ticket === rated) return;
  if ((next && next.ticket) !== (invitation && invitation.ticket)) said = "";
  invitation = next;
  if (invitation) place = invitation.window;
  calmly(paint);
  if (invitation) answer(invitation);
}

/** Says that the invitation is on the screen, until the server has heard it or it is no more. */
async function answer(mine) {
  if (answered === mine.ticket) return;
  try {
    await post("/rater/invitations/" + mine.ticket + "/answer", {}, { retry: false });
    answered = mine.ticket;
  } catch (error) {
    if (error.status === 404) return;
    setTimeout(() => { if (invitation && invitation.ticket === mine.ticket) answer(mine); }, ANSWER_AGAIN_MS);
  }
}

async function rate(stars) {
  if (sending || !invitation) return;
  const mine = invitation;
  sending = true;
  paint();
  try {
    await post("/rater/invitations/" + mine.ticket + "/rating", { stars });
    done(mine);
  } catch (error) {
    if (error.code === "already_rated") done(mine);
    else said = error.detail || t("rater.failed");
  }
  sending = false;
  paint();
}

function done(mine) {
  rated = mine.ticket;
  if (invitation && invitation.ticket === mine.ticket) invitation = null;
  clearTimeout(thanks);
  thanks = setTimeout(() => { thanks = 0; paint(); }, THANKS_MS);
}

const title = (key) => h("h1", null, t(key), h("small", null, t2(key)));

function star(n) {
  return h("button", { type: "button", disabled: sending, "data-stars": String(n), onclick: () => rate(n) },
    h("b", { "aria-hidden": "true" }, n + "★"), t("rater." + n), h("small", null, t2("rater." + n)));
}

function step() {
  if (live.state === "denied") return ["denied", h("div", null, title("live.denied"))];
  if (invitation) {
    return ["ask", h("div", null, title("rater.ask"), h("p.rater-no.num", { id: "number" }, invitation.number),
      h("div.rater-stars", null, [5, 4, 3, 2, 1].map(star)), said ? h("p.said", { role: "alert" }, "✕ " + said) : null)];
  }
  if (thanks) return ["thanks", h("div", null, h("h1", null, "✓ " + t("rater.thanks"), h("small", null, t2("rater.thanks"))))];
  return ["rest", h("div", null, title("rater.rest"))];
}

function paint() {
  const [name, node] = step();
  document.body.dataset.step = name;
  swap($("main"), node);
  text($("place"), place ? t("window.n", { n: place }) : "");
  const bad = live.state !== "live" && live.state !== "boot";
  $("line").classList.toggle("bad", bad);
  text($("line"), bad ? "⚠ " + t("live.lost") : live.state === "live" ? "● " + t("live.on") : t("live.boot"));
}

setInterval(() => {
  if (invitation && Date.parse(invitation.until) < live.serverNow()) invite(null);
}, 1000);
paint();
