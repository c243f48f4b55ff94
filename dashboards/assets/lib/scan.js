// A code reader that types: quick keys, mostly ended by Enter, wherever the focus is. Nothing read here goes anywhere
// but to the page that asked for it; there is no input element that could keep it.

const GAP_MS = 100;   // between two keys of a reader; a person is slower
const SHORTEST = 6;   // fewer quick keys are a person's
const LONGEST = 256;  // more are noise

/** The sign of a key, also while a Chinese input method swallows the letters. */
function signOf(event) {
  if (/^[\x21-\x7e]$/.test(event.key)) return event.key;
  if (event.key !== "Process" && event.key !== "Unidentified") return null;
  const [, letter, digit] = /^(?:Key([A-Z])|(?:Digit|Numpad)(\d))$/.exec(event.code || "") || [];
  if (letter) return event.shiftKey ? letter : letter.toLowerCase();
  return digit || { Period: ".", Minus: event.shiftKey ? "_" : "-" }[event.code] || null;
}

/** Calls onScan(text) for what a reader typed, onKey(sign | "Enter" | "Backspace") for what a person typed. */
export function readScans(onScan, onKey) {
  let signs = [];
  let timer = 0;

  function done() {
    clearTimeout(timer);
    const read = signs;
    signs = [];
    if (read.length > LONGEST) return;
    if (read.length >= SHORTEST) onScan(read.join(""));
    else read.forEach(onKey);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const ends = event.key === "Enter" || (event.key === "Tab" && signs.length);
    const sign = signOf(event);
    if (!ends && !sign && event.key !== "Backspace") return;
    event.preventDefault(); // else a reader's Enter would press the button that has the focus
    if (event.repeat) return;
    if (sign) {
      signs.push(sign);
      clearTimeout(timer);
      timer = setTimeout(done, GAP_MS);
      return;
    }
    const scanned = signs.length >= SHORTEST;
    done();
    if (!scanned) onKey(ends ? "Enter" : "Backspace");
  }, true);
}

const two = (n) => String(n).padStart(2, "0");

/** "+08:00" from minutes. */
const offset = (zone) => (zone < 0 ? "-" : "+") + two(Math.floor(Math.abs(zone) / 60)) + ":" + two(Math.abs(zone) % 60);

const instant = (digits, zone) => digits.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)$/, "$1-$2-$3T$4:$5:00") + offset(zone);

/**
 * What a code is: an appointment (HKA.number.service.from.to, times as 202611021000 by the hall's clock), a card by its
 * form, some other code of letters and digits, or nothing we know. The server checks dates and check digits.
 */
export function whatIs(text, zone) {
  const code = text.trim();
  const booked = /^HKA\.([\w-]{1,64})\.([\w-]{1,64})\.(\d{12})\.(\d{12})$/i.exec(code);
  if (booked) {
    const [, number, service, from, to] = booked;
    return { kind: "appointment", service, appointment: { number, from: instant(from, zone), to: instant(to, zone) } };
  }
  const number = code.toUpperCase();
  if (/^9\d{16}[\dX]$/.test(number) || /^[A-Z]{3}\d{12}$/.test(number)) return { kind: "foreign_permanent_residence", number };
  if (/^\d{17}[\dX]$/.test(number)) return { kind: "id_card", number };
  if (/^[A-Z0-9]{6,128}$/.test(number)) return { kind: "code", number };
  return { kind: "unknown" };
}
