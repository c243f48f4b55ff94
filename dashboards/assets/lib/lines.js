// Texts of more than one line, and long names, on a public screen.
import { fit } from "./dom.js";

// A font's own line is a little taller than the lines set here and the room below them, which counts as spilling though nothing is cut.
const slack = (node) => 0.06 * parseFloat(getComputedStyle(node).fontSize);
const spills = (node) => node.scrollHeight > node.clientHeight + slack(node) || node.scrollWidth > node.clientWidth + 1;

/**
 * Sets a text (the node's own, unless one is given) smaller until it fits its box, down to `least` of its size, and cuts it with "…" only after that. Its lines
 * are then made equally long, so that no single character stands on a line of its own.
 */
export function fitLines(node, least = 0.7, text = undefined) {
  const whole = text !== undefined ? text : node.whole === undefined ? node.textContent : node.whole;
  node.whole = whole;
  if (node.textContent !== whole) node.textContent = whole;
  node.style.fontSize = "";
  node.style.maxWidth = "";
  if (!node.clientWidth) return;
  const full = parseFloat(getComputedStyle(node).fontSize);
  let size = full;
  while (spills(node) && size > full * least) {
    size -= 1;
    node.style.fontSize = size + "px";
  }
  if (spills(node)) cut(node, whole);
  balance(node);
}

function cut(node, whole) {
  let fits = 0;
  for (let step = whole.length; step >= 1; step = Math.floor(step / 2)) {
    while (fits + step <= whole.length) {
      node.textContent = whole.slice(0, fits + step) + "…";
      if (spills(node)) break;
      fits += step;
    }
  }
  node.textContent = whole.slice(0, fits).trimEnd() + "…";
}

/** Sets a window's name smaller until it fits; then what stands around its number is cut, never the number. */
export function fitWindow(node) {
  for (const part of node.children) part.textContent = part.whole = part.whole || part.textContent;
  fit(node, 0.7);
  const rest = node.lastElementChild;
  if (!rest || node.scrollWidth <= node.clientWidth) return;
  for (let keep = rest.whole.length - 1; keep >= 0 && node.scrollWidth > node.clientWidth; keep -= 1) {
    rest.textContent = keep ? rest.whole.slice(0, keep).trimEnd() + "…" : "";
  }
}

/** Makes the lines of a text equally long. */
export function balance(node) {
  const height = node.scrollHeight;
  if (height < 1.9 * parseFloat(getComputedStyle(node).fontSize)) return;
  node.style.overflowWrap = "normal"; // a word that would have to be broken counts as spilling
  let wide = node.clientWidth;
  let narrow = wide / 2;
  while (wide - narrow > 2) {
    const middle = (wide + narrow) / 2;
    node.style.maxWidth = middle + "px";
    if (spills(node) || node.scrollHeight > height + slack(node)) narrow = middle;
    else wide = middle;
  }
  node.style.maxWidth = Math.ceil(wide) + "px";
  node.style.overflowWrap = "";
}
