// Which calls stand large on a board, one after another, so that each of them is seen. Knows neither a clock nor a page:
// times in milliseconds are handed in, and the same calls at the same times show the same.

/** How long a call that has just come on top changes its colours. */
export const BLINK_MS = 4000;

const USUAL_MS = 8000;      // on top, while one other call waits for its turn
const LEAST_MS = 4000;      // while more wait
const LONG_QUEUE = 10;      // with more than so many waiting the board would fall a minute behind: then quicker still, but nobody is passed over
const FLOOR_MS = 1000;
const SILENT_MS = 30000;    // a call that is older when it is first heard of is listed at once, without a show
const KEPT = 24;

/** A call, not a number: a recall is another one. */
export const callKey = (call) => [call.number, call.window, call.at, call.calls].join("|");

function dwell(waiting) {
  if (waiting <= 1) return USUAL_MS;
  return waiting <= LONG_QUEUE ? LEAST_MS : Math.max(FLOOR_MS, (LEAST_MS * LONG_QUEUE) / waiting);
}

export class CallShow {
  constructor() {
    this.shown = [];          // {key, call, since: when its show began, or null if it had none}, newest first
    this.queue = [];          // heard of, waiting to come on top, oldest first
    this.since = -Infinity;   // when the call on top came there
    this.pace = 1;            // of the usual time that each call has; less in a hall that is rehearsed faster than it was
  }

  /** All calls that the hall knows of, newest first; what it has forgotten is forgotten. `ageOf` tells a call's age. */
  whole(calls, ageOf, now) {
    const known = new Set(calls.map((call) => call.number));
    const stays = (entry) => known.has(entry.call.number);
    this.shown = this.shown.filter(stays);
    this.queue = this.queue.filter(stays);
    for (const call of calls.slice().reverse()) this.add(call, ageOf(call), now);
  }

  /** One more call. */
  add(call, ageMs, now) {
    const entry = { key: callKey(call), call, since: null };
    if (this.shown.concat(this.queue).some((other) => other.key === entry.key)) return;
    const waits = this.queue.findIndex((other) => other.call.number === call.number);
    if (waits >= 0) this.queue[waits] = entry; // recalled before it was shown
    else if (ageMs > SILENT_MS) this.put(entry);
    else this.queue.push(entry);
    this.advance(now);
  }

  /** Lets the next call come on top if it is time. Says whether one did. */
  advance(now) {
    if (!this.queue.length || now - this.since < dwell(this.queue.length) * this.pace) return false;
    const entry = this.queue.shift();
    entry.since = now;
    this.since = now;
    this.put(entry);
    return true;
  }

  put(entry) {
    const others = this.shown.filter((other) => other.call.number !== entry.call.number);
    this.shown = [entry].concat(others).slice(0, KEPT);
  }

  /** The calls that stand large, the one on top first. */
  large(count) {
    return this.shown.slice(0, count);
  }

  /** The calls beside them, newest first: those that wait for their show are told of at once, too. */
  rows(large, count) {
    const waiting = new Set(this.queue.map((entry) => entry.call.number));
    const before = this.shown.slice(large).filter((entry) => !waiting.has(entry.call.number));
    return this.queue.slice().reverse().concat(before).slice(0, count);
  }

  /** Whether somebody is being called just now: nothing else on the board may move then. */
  onAir(now) {
    return this.queue.length > 0 || now - this.since < BLINK_MS;
  }
}
