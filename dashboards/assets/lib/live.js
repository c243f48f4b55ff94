// The WebSocket side: subscribes to topics, keeps each topic's data up to date, notices silence, comes back by itself.
import { fold } from "./hall.js";
import { memory } from "./dom.js";

const STALE_MS = 3000;      // no frame for longer: the page must say so
const OFFLINE_MS = 60000;   // no frame for longer: counts and estimates are now false
const DEAD_MS = 8000;       // an open but silent socket is given up
const OPENING_MS = 5000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 2500;   // a server that is back is noticed within four seconds
const FAILED_AGAIN_MS = 15000;
const ASK_AGAIN_MS = 5000;

const now = () => performance.now();

/** Frames of these carry the whole object, so a missed one does no harm. */
const isWhole = (topic) => /^((queue|window|ticket|device|voice|occupancy|rating|channel)\.|ops(\.|$))/.test(topic);

/**
 * Loads the page again, after the server has shown that it can serve it: a page that is loaded while the server is
 * away ends at the browser's own error page. Rejects when the server cannot.
 */
export async function loadAgain(before) {
  const answer = await fetch(location.href, { credentials: "same-origin", cache: "no-store" });
  if (!answer.ok) throw new Error("http " + answer.status);
  if (before) before();
  location.reload();
}

/**
 * options: topics, token (a ticket's, else the cookie is used), board (a hall whose board may be open to all),
 *   onSnapshot(topic, data, frame), onDelta(topic, data, frame), onError(topic, code, detail),
 *   onNotice(notice) for what is told to this person alone,
 *   onState(state, {resumed}) with "boot" | "live" | "stale" | "offline" | "denied",
 *   mayReload() and reloadWithinMs for a server that now serves a newer page.
 */
export function connectLive(options) {
  const call = (name, ...args) => options[name] && options[name](...args);
  const topics = new Map(); // topic -> {data, seq, asked: when a snapshot was asked for, or 0, take: who hears it, if not the page}
  const greeted = [];
  let socket = null;
  let tries = 0;
  let timer = 0;
  let opened = 0;
  let lastFrame = now();
  let heard = false;
  let denied = false;
  let state = "boot";
  let closed = false;
  let server = { at: Date.now(), mark: now() };
  let reloading = false;
  const meta = document.querySelector("meta[name=build]");
  let build = meta && meta.content && meta.content[0] !== "{" ? meta.content : null;

  const serverNow = () => server.at + (now() - server.mark);

  function send(message) {
    if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
  }

  function subscribe(list) {
    const since = {};
    for (const topic of list) {
      const entry = topics.get(topic);
      if (entry.data && !entry.asked && !isWhole(topic)) since[topic] = entry.seq;
      else entry.asked = now();
    }
    if (list.length) send({ subscribe: list, since });
  }

  /** After a gap: forget the place, ask for the whole again. Deltas are ignored until it comes. */
  function ask(topic) {
    const entry = topics.get(topic);
    if (entry.asked && now() - entry.asked < 1000) return;
    entry.asked = now();
    send({ unsubscribe: [topic] });
    send({ subscribe: [topic] });
  }

  function receive(frame) {
    lastFrame = now();
    heard = true;
    denied = false;
    if (frame.kind === "hello" || frame.kind === "heartbeat") {
      const at = Date.parse(frame.at || "");
      if (Number.isFinite(at)) server = { at, mark: now() };
      if (frame.build) checkBuild(frame.build);
      if (frame.kind === "hello") {
        tries = 0;
        live.device = frame.device || null;
        for (const hear of greeted) hear(live.device);
      }
    } else if (frame.notice) {
      call("onNotice", frame.notice);
    } else if (topics.has(frame.topic)) {
      const entry = topics.get(frame.topic);
      if (frame.kind === "error") {
        entry.failed = now();
        if (!entry.take) call("onError", frame.topic, frame.code, frame.detail);
      } else if (frame.kind === "snapshot") {
        Object.assign(entry, { data: frame.data, seq: frame.seq, asked: 0, failed: 0 });
        if (entry.take) entry.take(entry.data, frame);
        else call("onSnapshot", frame.topic, entry.data, frame);
      } else if (frame.kind === "delta") {
        delta(entry, frame);
      }
    }
    tick();
  }

  function delta(entry, frame) {
    const whole = isWhole(frame.topic);
    if ((frame.data && frame.data.reset) || frame.reset) return ask(frame.topic);
    if (!whole && (entry.asked || !entry.data)) return undefined;
    if (!whole && frame.seq <= entry.seq) return undefined;
    if (!whole && frame.seq !== entry.seq + 1) return ask(frame.topic);
    Object.assign(entry, { data: fold(frame.topic, entry.data, frame), seq: frame.seq });
    return entry.take ? entry.take(entry.data, frame) : call("onDelta", frame.topic, entry.data, frame);
  }

  function checkBuild(seen) {
    if (!build) build = seen;
    if (seen === build || reloading || memory.get("hallkeeper.reloaded", sessionStorage) === seen) return;
    reloading = true;
    const attempt = () => {
      if (options.mayReload && !options.mayReload()) return void setTimeout(attempt, 2000);
      return loadAgain(() => memory.set("hallkeeper.reloaded", seen, sessionStorage)).catch(() => setTimeout(attempt, ASK_AGAIN_MS));
    };
    setTimeout(attempt, Math.random() * (options.reloadWithinMs || 5000));
  }

  function open() {
    clearTimeout(timer);
    timer = 0;
    if (closed || socket) return;
    const scheme = location.protocol === "https:" ? "wss://" : "ws://";
    const query = options.token ? "?t=" + encodeURIComponent(options.token) : options.board ? "?board=" + encodeURIComponent(options.board) : "";
    const path = "/ws" + query;
    const mine = new WebSocket(scheme + location.host + path);
    let welcomed = false;
    socket = mine;
    opened = now();
    mine.onopen = () => {
      welcomed = true;
      subscribe(Array.from(topics.keys()));
    };
    mine.onmessage = (event) => {
      let frame;
      try { frame = JSON.parse(event.data); } catch (_) { return; }
      if (socket === mine) receive(frame);
    };
    mine.onclose = () => {
      if (socket !== mine) return;
      socket = null;
      if (!welcomed) probe(path);
      later();
    };
  }

  /** A browser does not say why a handshake failed; the same address without the upgrade does. */
  function probe(path) {
    fetch(path, { credentials: "same-origin", cache: "no-store" }).then((answer) => {
      denied = answer.status === 401 || answer.status === 403;
      tick();
    }, () => {});
  }

  function later() {
    if (closed || timer) return;
    const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * Math.pow(2, tries)) * (0.7 + Math.random() * 0.6);
    tries = Math.min(tries + 1, 10);
    timer = setTimeout(open, delay);
  }

  function giveUp() {
    const old = socket;
    socket = null;
    if (old) old.close();
    later();
  }

  function tick() {
    const silent = now() - lastFrame;
    if (socket) {
      const opening = socket.readyState === WebSocket.CONNECTING;
      if (opening ? now() - opened > OPENING_MS : silent > DEAD_MS && now() - opened > DEAD_MS) giveUp();
    }
    for (const [topic, entry] of topics) {
      if (entry.failed && now() - entry.failed > FAILED_AGAIN_MS) { entry.failed = 0; entry.asked = 0; ask(topic); }
      else if (entry.asked && !entry.failed && now() - entry.asked > ASK_AGAIN_MS && silent < STALE_MS) ask(topic);
    }
    const next = denied ? "denied" : silent > OFFLINE_MS ? "offline" : silent > STALE_MS ? "stale" : heard ? "live" : "boot";
    if (next === state) return;
    const resumed = next === "live" && state !== "boot";
    state = next;
    call("onState", state, { resumed });
  }

  const hurry = () => {
    if (document.hidden || closed || socket) return;
    tries = 0;
    open();
  };
  document.addEventListener("visibilitychange", hurry);
  window.addEventListener("online", hurry);
  const beat = setInterval(tick, 250);

  const live = {
    serverNow,
    /** The device this page runs on, as the server's greeting says; null for a person's page. */
    device: null,
    get state() { return state; },
    /** Milliseconds since the last frame of any kind. */
    get silentMs() { return now() - lastFrame; },
    data: (topic) => (topics.has(topic) ? topics.get(topic).data : undefined),
    add(list) {
      const fresh = list.filter((topic) => !topics.has(topic));
      for (const topic of fresh) topics.set(topic, { data: undefined, seq: 0, asked: 0, failed: 0 });
      subscribe(fresh);
    },
    /** Follows a topic for one part of the page: its frames go to take(data, frame) alone. */
    follow(topic, take) {
      if (topics.has(topic)) return;
      topics.set(topic, { data: undefined, seq: 0, asked: 0, failed: 0, take });
      subscribe([topic]);
    },
    /** hear(device) is called at each greeting: at the start and after each lost connection. */
    onHello(hear) {
      greeted.push(hear);
      if (live.device) hear(live.device);
    },
    remove(list) {
      const gone = list.filter((topic) => topics.delete(topic));
      if (gone.length) send({ unsubscribe: gone });
    },
    close() {
      closed = true;
      clearInterval(beat);
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", hurry);
      window.removeEventListener("online", hurry);
      if (socket) socket.close();
    },
  };
  live.add(options.topics || []);
  open();
  return live;
}
