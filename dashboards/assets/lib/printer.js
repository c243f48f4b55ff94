// The slip printer of this machine, reached over its print bridge (hallkeeper print-bridge).

const WAIT_MS = 10000; // the bridge itself gives up after eight seconds

/** The printer behind a bridge on this machine's `port`; paper is 58 or 80 mm. Without a port there is none. */
export function printerAt(port, paper) {
  const known = /^\d{2,5}$/.test(port || "");
  const bridge = "http://127.0.0.1:" + port;

  async function ask(path, options) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), WAIT_MS);
    try {
      const answer = await fetch(path, Object.assign({ signal: stop.signal, cache: "no-store" }, options));
      return await options.read(answer);
    } finally {
      clearTimeout(timer);
    }
  }

  const printer = {
    exists: known,
    /** null while all is well, else what the bridge said: paper_out, paper_low, cover_open, offline. */
    fault: null,
    /** Whether slips come out: a printer with little paper still prints. */
    get prints() { return known && (!printer.fault || printer.fault === "paper_low"); },
    /** Prints the slip of a ticket; true when it is on paper. */
    async print(token, language) {
      if (!known) return false;
      try {
        const slip = "/api/v1/tickets/" + encodeURIComponent(token) + "/slip.escpos?width=" + (paper === "58" ? 58 : 80) + "&lang=" + language;
        const bytes = await ask(slip, { read: (answer) => (answer.ok ? answer.arrayBuffer() : null) });
        if (!bytes) return false;
        const told = await ask(bridge + "/print", { method: "POST", body: bytes, headers: { "Content-Type": "application/octet-stream" }, read: (answer) => answer.json() });
        printer.fault = told.fault || null;
        return told.ok === true;
      } catch (_) {
        printer.fault = "offline";
        return false;
      }
    },
    /** Asks how the printer is. */
    async look() {
      if (!known) return;
      try {
        const told = await ask(bridge + "/status", { read: (answer) => answer.json() });
        printer.fault = told.fault || null;
      } catch (_) {
        printer.fault = "offline";
      }
    },
  };
  return printer;
}
