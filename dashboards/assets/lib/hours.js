// Opening hours by weekday ({"mon": [{"from": "08:30", "to": "12:00"}]}): in words, and what comes next. A clock is handed
// in as the hall's own local time, in milliseconds since 1970 as if it were UTC.
import { t } from "./i18n.js";

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const WEEK = [1, 2, 3, 4, 5, 6, 0]; // begins on Monday
const DAY_MS = 86400000;

const minutesOf = (text) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5));
const dayOf = (local) => new Date(local).getUTCDay();
const minuteOf = (local) => Math.floor((local % DAY_MS) / 60000);
const periodsOn = (hours, day) => (hours || {})[DAYS[day]] || [];

/** Whether anybody has said when the hall is open. */
export const hoursKnown = (hours) => WEEK.some((day) => periodsOn(hours, day).length);

/** The week as lines of {days, times}; days with the same times stand together. */
export function weekLines(hours) {
  const lines = [];
  for (const day of WEEK) {
    const times = periodsOn(hours, day).map((period) => period.from + "–" + period.to).join(t("list.comma"));
    const last = lines[lines.length - 1];
    if (last && last.times === times) last.to = day;
    else lines.push({ from: day, to: day, times });
  }
  const name = (day) => t("date.week" + day);
  return lines.map((line) => ({
    days: line.from === line.to ? name(line.from) : t("hours.days", { from: name(line.from), to: name(line.to) }),
    times: line.times || t("hours.off"),
  }));
}

/** When the hall opens next: {at: local time, today}; null when nobody has said. */
export function nextOpening(hours, local) {
  const midnight = local - (local % DAY_MS);
  for (let ahead = 0; ahead <= 7; ahead += 1) {
    for (const period of periodsOn(hours, dayOf(midnight + ahead * DAY_MS))) {
      const at = midnight + ahead * DAY_MS + minutesOf(period.from) * 60000;
      if (at > local) return { at, today: ahead === 0 };
    }
  }
  return null;
}

/** Where in its day the hall is: "before", "open", "break", "after", "off" (no hours today) or "unknown". */
export function partOfDay(hours, local) {
  if (!hoursKnown(hours)) return "unknown";
  const now = minuteOf(local);
  const periods = periodsOn(hours, dayOf(local));
  if (!periods.length) return "off";
  if (now < minutesOf(periods[0].from)) return "before";
  if (now >= minutesOf(periods[periods.length - 1].to)) return "after";
  return periods.some((period) => now >= minutesOf(period.from) && now < minutesOf(period.to)) ? "open" : "break";
}
