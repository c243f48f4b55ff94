// What calls a person who looks elsewhere: three pulses each half minute while something critical is unacknowledged, and
// the browser's own notices when asked for. A page that nobody has touched may not make a sound, and says so.
import { t } from "../lib/i18n.js";
import { h, memory } from "../lib/dom.js";
import { clock } from "./parts.js";

const AGAIN_MS = 30000;
const MUTE_MS = 600000;
const KEY = "hallkeeper.desk.mute";

let context = null;
let last = -Infinity;
let wanted = false;

const mutedUntil = () => Number(memory.get(KEY)) || 0;
const isMuted = () => mutedUntil() > Date.now();
/** Asked before a sound is tried: browsers complain of pages that try before they were touched. */
const touched = () => !navigator.userActivation || navigator.userActivation.hasBeenActive;

function pulses() {
  context = context || new AudioContext();
  context.resume().catch(() => {});
  for (const at of [0, 0.35, 0.7]) {
    const tone = context.createOscillator();
    const volume = context.createGain();
    const from = context.currentTime + at;
    tone.frequency.value = 880;
    volume.gain.setValueAtTime(0.0001, from);
    volume.gain.exponentialRampToValueAtTime(0.4, from + 0.03);
    volume.gain.exponentialRampToValueAtTime(0.0001, from + 0.25);
    tone.connect(volume).connect(context.destination);
    tone.start(from);
    tone.stop(from + 0.3);
  }
}

/** Called often; sounds when it is time to. */
export function look(critical) {
  if (!critical) last = -Infinity;
  wanted = critical;
  if (!critical || isMuted() || !touched() || performance.now() - last < AGAIN_MS) return;
  last = performance.now();
  try { pulses(); } catch (_) { /* no sound on this machine: the page shows what it would have said */ }
}

export function mute() {
  memory.set(KEY, isMuted() ? "0" : String(Date.now() + MUTE_MS));
}

const mayTell = () => typeof Notification !== "undefined" && Notification.permission === "granted";

/** The browser's own notice about alerts that came while the page is in the background. */
export function tell(title, body, id) {
  if (!mayTell() || !document.hidden) return;
  try { new Notification(title, { body, tag: id }); } catch (_) { /* phones want a service worker for it */ }
}

export function buttons(again) {
  const silent = wanted && !touched();
  const ask = typeof Notification !== "undefined" && Notification.permission === "default";
  return h("span", null,
    ask ? h("button.btn.thin", { type: "button", "data-do": "notify", onclick: () => Notification.requestPermission().then(again, again) }, t("siren.notify")) : null, " ",
    h("button.btn.thin" + (silent ? ".loud" : ""), { type: "button", "data-do": "mute", title: "M", onclick: () => { if (!silent) mute(); again(); } },
      silent ? "✕ " + t("siren.blocked") : isMuted() ? "✕ " + t("siren.muted", { at: clock(mutedUntil()) }) : "♪ " + t("siren.on")));
}
