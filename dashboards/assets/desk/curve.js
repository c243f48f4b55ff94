// A value over the last hour with the line it must not pass, as a small picture.
import { t } from "../lib/i18n.js";
import { clock } from "./parts.js";

const W = 520;
const H = 150;
const PAD = { left: 44, right: 8, top: 10, bottom: 22 };
const SVG = "http://www.w3.org/2000/svg";

function el(name, fields, words) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(fields)) node.setAttribute(key, value);
  if (words !== undefined) node.textContent = words;
  return node;
}

const readable = (n) => String(Math.round(n * 10) / 10);

/** data: {points: [{at, value}], threshold, unit}; where nothing was known there is a gap. */
export function curve(data) {
  const points = (data.points || []).map((one) => (Array.isArray(one) ? { at: one[0], value: one[1] } : one)).map((one) => ({ at: typeof one.at === "number" ? one.at : Date.parse(one.at), value: one.value }));
  const values = points.map((one) => one.value).filter((n) => typeof n === "number");
  const node = el("svg", { class: "curve", viewBox: "0 0 " + W + " " + H, role: "img", "aria-label": t("curve.title") });
  if (values.length < 2) {
    node.appendChild(el("text", { x: W / 2, y: H / 2, "text-anchor": "middle" }, t("curve.none")));
    return node;
  }
  const line = typeof data.threshold === "number" ? data.threshold : null;
  const top = Math.max(...values, line === null ? 0 : line) * 1.1 || 1;
  const low = Math.min(0, ...values);
  const [from, to] = [points[0].at, points[points.length - 1].at];
  const x = (at) => PAD.left + ((at - from) / Math.max(1, to - from)) * (W - PAD.left - PAD.right);
  const y = (value) => H - PAD.bottom - ((value - low) / (top - low)) * (H - PAD.top - PAD.bottom);
  for (const value of [low, (top + low) / 2, top / 1.1]) {
    node.appendChild(el("line", { class: "rule", x1: PAD.left, x2: W - PAD.right, y1: y(value), y2: y(value) }));
    node.appendChild(el("text", { x: PAD.left - 6, y: y(value) + 4, "text-anchor": "end" }, readable(value)));
  }
  let path = "";
  let pen = false;
  for (const one of points) {
    if (typeof one.value !== "number") { pen = false; continue; }
    path += (pen ? "L" : "M") + x(one.at).toFixed(1) + " " + y(one.value).toFixed(1);
    pen = true;
  }
  node.appendChild(el("path", { class: "line", d: path }));
  if (line !== null) {
    node.appendChild(el("line", { class: "limit", x1: PAD.left, x2: W - PAD.right, y1: y(line), y2: y(line) }));
    node.appendChild(el("text", { class: "limit-text", x: W - PAD.right, y: y(line) - 4, "text-anchor": "end" }, t("curve.limit", { n: readable(line) }) + (data.unit ? " " + data.unit : "")));
  }
  node.appendChild(el("text", { x: PAD.left, y: H - 6 }, clock(from)));
  node.appendChild(el("text", { x: W - PAD.right, y: H - 6, "text-anchor": "end" }, clock(to)));
  return node;
}
