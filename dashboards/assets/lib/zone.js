// The time zone in which the pages of the staff show and take times: that of their halls, wherever the desk stands.
// Until it is known, and where the browser does not know it, it is the browser's own.
let format = null;

/** Its name, for the server to draw and count by; nothing while it is not known. */
export let zoneName;

/** Takes the zone of the session, such as "Asia/Shanghai". */
export function useZone(name) {
  const digits = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" };
  try {
    format = new Intl.DateTimeFormat("en-US", Object.assign({ timeZone: name, hourCycle: "h23" }, digits));
    zoneName = name;
  } catch (_) {
    format = null;
  }
}

/** How far the zone is ahead of UTC at an instant, in milliseconds. */
function ahead(ms) {
  if (!format) return -new Date(ms).getTimezoneOffset() * 60000;
  const part = {};
  for (const one of format.formatToParts(ms)) part[one.type] = Number(one.value);
  return Date.UTC(part.year, part.month - 1, part.day, part.hour % 24, part.minute, part.second) - Math.floor(ms / 1000) * 1000;
}

/** YYYY-MM-DDTHH:MM:SS of an instant in the zone; null when it is none. */
export function local(at) {
  const ms = new Date(at || "").getTime();
  return Number.isFinite(ms) ? new Date(ms + ahead(ms)).toISOString().slice(0, 19) : null;
}

/** The instant, in milliseconds, of a local time such as YYYY-MM-DDTHH:MM. */
export function instantOf(typed) {
  const utc = Date.parse(typed + "Z");
  return utc - ahead(utc - ahead(utc));
}
