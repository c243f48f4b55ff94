// The voice of a zone: offers this page as its speaker, plays what the server says is to be said, and reports how it
// ended. Never throws into the page. Only a registered screen speaks; a page that a person opened stays silent.
import { api, newKey } from "./api.js";

const RENEW_MS = 3000;      // the lease lasts ten seconds: two lost answers do no harm
const GAP_MS = 400;         // between two sayings
const LOADING_MS = 8000;    // a sound that has not begun by then is given up
const OVERTIME_MS = 2000;   // and one that has not ended so long after its length
const SILENCE = new URL("./silence.wav", import.meta.url).href; // beside this file, under the same build

/**
 * options: hall, zone (its id, or nothing for the hall as a whole), muted,
 *   onState(state): "off" nobody is to speak · "on" this page speaks · "standby" another page does ·
 *     "blocked" the browser wants a touch first · "muted" · "boot"
 * Returns {state, mute(muted)}.
 */
export function startVoice(live, options) {
  const topic = "voice." + options.hall + "." + (options.zone || "-");
  const path = "/halls/" + encodeURIComponent(options.hall) + "/voice/" + encodeURIComponent(options.zone || "-");
  const page = newKey();
  const audio = new Audio();
  const said = new Map();   // how those ended that need no saying again, by id, newest last
  let device = null;
  let state = "boot";
  let muted = Boolean(options.muted);
  let blocked = false;
  let refused = false;
  let playing = null;       // {id, since, timer}
  let asking = false;
  let next = null;          // what to report as soon as the answer under way is in

  function show(now) {
    if (now === state) return;
    state = now;
    try { if (options.onState) options.onState(state); } catch (_) { /* the page's own fault must not silence it */ }
  }

  const mayOffer = () => device && !refused && !muted && !blocked && live.state === "live";

  /** Tells the server what became of a saying, or only that this page is there. */
  async function offer(report) {
    if (asking) {
      if (report) next = report;
      return;
    }
    if (!report && !mayOffer()) return;
    asking = true;
    const since = performance.now();
    try {
      obey(await api("PUT", path, Object.assign({ page }, report), { retry: false }), since);
    } catch (error) {
      refused = error.status === 401 || error.status === 403;
      // A report that was lost is told again; the server knows it by its id.
      if (report && !report.leave && !error.status && !next) setTimeout(() => offer(report), 500);
    }
    asking = false;
    if (next) {
      const waiting = next;
      next = null;
      offer(waiting);
    }
  }

  /** `asked` is when the question was sent; a frame of the topic answers none. */
  function obey(view, asked) {
    const mine = Boolean(view.speaker && view.speaker.page === page);
    const id = mine && view.saying ? view.saying.id : null;
    if (!muted && !blocked) show(!view.on ? "off" : mine ? "on" : "standby");
    if (playing && asked > playing.since && id !== playing.id) stop();
    if (!id || muted || blocked || playing) return;
    const how = said.get(id); // a report of it may be on its way, or lost
    if (how) offer({ [how]: id });
    else play(view.saying);
  }

  function play(saying) {
    const mine = { id: saying.id, since: performance.now(), timer: 0 };
    playing = mine;
    const guard = (ms) => {
      clearTimeout(mine.timer);
      mine.timer = setTimeout(() => end(mine, "failed"), ms);
    };
    guard(LOADING_MS);
    audio.onplaying = () => { if (playing === mine && isFinite(audio.duration)) guard(audio.duration * 1000 + OVERTIME_MS); };
    audio.onended = () => end(mine, "ended");
    audio.onerror = () => end(mine, "failed");
    audio.src = saying.wav;
    audio.play().catch((error) => {
      if (playing !== mine) return;
      if (error.name === "NotAllowedError") block();
      else end(mine, "failed");
    });
  }

  function end(mine, how) {
    if (playing !== mine) return;
    stop();
    said.set(mine.id, how);
    if (said.size > 50) said.delete(said.keys().next().value);
    setTimeout(() => offer({ [how]: mine.id }), how === "ended" ? GAP_MS : 0);
  }

  function stop() {
    clearTimeout(playing.timer);
    playing = null;
    audio.onended = audio.onerror = audio.onplaying = null;
    audio.pause();
  }

  function block() {
    if (playing) stop();
    if (blocked) return;
    blocked = true;
    show("blocked");
    offer({ leave: true });
  }

  /** Whether the browser lets this page be heard: found out with silence, before anybody is called. */
  function probe() {
    if (playing) return;
    audio.src = SILENCE;
    audio.play().then(() => {
      if (!blocked) return;
      blocked = false;
      show(muted ? "muted" : "standby");
      offer();
    }, (error) => { if (error.name === "NotAllowedError") block(); });
  }

  function mute(now) {
    if (muted === now) return;
    muted = now;
    if (muted) {
      if (playing) stop();
      show("muted");
      offer({ leave: true });
    } else {
      show(blocked ? "blocked" : "standby");
      offer();
    }
  }

  if (muted) show("muted");
  for (const touch of ["pointerdown", "keydown"]) document.addEventListener(touch, () => { if (blocked) probe(); });
  window.addEventListener("pagehide", () => {
    const body = JSON.stringify({ page, leave: true });
    const headers = { "Content-Type": "application/json", "X-Hallkeeper": "1" };
    if (device) fetch("/api/v1" + path, { method: "PUT", body, headers, credentials: "same-origin", keepalive: true }).catch(() => {});
  });
  live.onHello((id) => {
    if (id && !device) probe();
    device = id;
    refused = false;
    offer();
  });
  live.follow(topic, (view) => {
    obey(view, 0);
    // Nobody speaks: who is first gets to. The draw keeps many screens from asking in one instant.
    if (!view.speaker && mayOffer()) setTimeout(offer, Math.random() * 300);
  });
  setInterval(offer, RENEW_MS);
  return { get state() { return state; }, mute };
}
