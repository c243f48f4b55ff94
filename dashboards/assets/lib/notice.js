// An emergency over the whole of a public screen, in both languages, whatever the page shows below. Its looks are in
// notice.css.
import { h } from "./dom.js";
import { t } from "./i18n.js";
import { balance } from "./lines.js";

let shown = "";

/** A hall's notice while it holds; a page that hears nothing takes it down itself when its time is over. */
export const noticeNow = (notice, clock) => (notice && !(notice.until && clock.now() > Date.parse(notice.until)) ? notice : null);

/** Shows the notice of a hall if it is an emergency, and takes down the one that is over. */
export function showEmergency(notice) {
  const now = notice && notice.level === "emergency" ? notice : null;
  const looks = JSON.stringify(now);
  if (looks === shown) return;
  shown = looks;
  const old = document.getElementById("emergency");
  if (old) old.remove();
  document.body.classList.toggle("has-emergency", Boolean(now));
  if (!now) return;
  const { zh, en } = now.text;
  document.body.appendChild(h("section.emergency#emergency", { role: "alert" },
    h("div.emergency-sign", { "aria-hidden": true }, "!"),
    h("p.emergency-title", null, t("board.emergency", {}, "zh-CN") + " ", h("span", { lang: "en" }, t("board.emergency", {}, "en"))),
    h("p.emergency-zh", { lang: "zh-CN" }, zh),
    en === zh ? null : h("p.emergency-en", { lang: "en" }, en)));
  fitEmergency();
}

/** A long text is set smaller rather than cut off. */
function fitEmergency() {
  const whole = document.getElementById("emergency");
  if (!whole) return;
  const edge = Math.min(innerWidth, innerHeight) * 0.05; // the stripes
  const inside = () => {
    const first = whole.firstElementChild.getBoundingClientRect();
    const last = whole.lastElementChild.getBoundingClientRect();
    return first.top >= edge && last.bottom <= innerHeight - edge;
  };
  const texts = whole.querySelectorAll(".emergency-zh, .emergency-en");
  for (const text of texts) text.style.maxWidth = "";
  for (let size = 1; size > 0.3; size -= 0.05) {
    whole.style.fontSize = size + "vmin";
    if (inside()) break;
  }
  for (const text of texts) balance(text);
}

window.addEventListener("resize", fitEmergency);
