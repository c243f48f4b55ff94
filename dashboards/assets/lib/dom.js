// Small helpers for building the page. Text always goes in as text nodes, so data can never become markup.

export const $ = (id) => document.getElementById(id);

/** Builds an element: h("button.big#ok", {onclick, disabled: true}, "text", child, [more]). */
export function h(spec, props, ...children) {
  const [, tag, rest] = /^([a-z0-9]+)(.*)$/i.exec(spec);
  const node = document.createElement(tag);
  for (const part of rest.match(/[.#][^.#]+/g) || []) {
    if (part[0] === "#") node.id = part.slice(1);
    else node.classList.add(part.slice(1));
  }
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") String(value).split(/\s+/).filter(Boolean).forEach((c) => node.classList.add(c));
    else if (name === "value" || name === "checked" || name === "selected") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  add(node, children);
  return node;
}

function add(node, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) add(node, child);
    else node.appendChild(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Replaces everything inside `node`. */
export function fill(node, ...children) {
  while (node.firstChild) node.removeChild(node.firstChild);
  add(node, children);
  return node;
}

/** Sets text only when it differs, so that nothing repaints or is read out again for no reason. */
export function text(node, value) {
  const next = value === null || value === undefined ? "" : String(value);
  if (node.textContent !== next) node.textContent = next;
}

/** Shrinks the font of an element until its text fits its box; nothing on a public screen may be cut off. */
export function fit(node, least = 0.4) {
  const spills = () => node.scrollWidth > node.clientWidth || (node.classList.contains("two") && node.scrollHeight > node.clientHeight);
  node.style.fontSize = "";
  if (!node.clientWidth || !spills()) return;
  const full = parseFloat(getComputedStyle(node).fontSize);
  let size = node.classList.contains("two") ? full : Math.max(full * least, Math.floor((full * node.clientWidth) / node.scrollWidth) + 1);
  node.style.fontSize = size + "px";
  while (spills() && size > full * least) {
    size -= 1;
    node.style.fontSize = size + "px";
  }
}

/** A modal dialog; resolves with the value given to close(), or null when it is dismissed. */
export function openDialog(build) {
  return new Promise((resolve) => {
    let answer = null;
    const dialog = h("dialog.dialog");
    const close = (value) => {
      answer = value === undefined ? null : value;
      dialog.close();
    };
    add(dialog, [build(close)]);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.appendChild(dialog);
    dialog.showModal();
  });
}

/* A frame must not replace a button between a finger's down and up: painting waits until the finger is off. */
let pressedAt = 0;
const waiting = new Set();
const release = () => {
  const mine = pressedAt;
  setTimeout(() => {
    if (pressedAt !== mine) return; // something else is being pressed by now, and will be let go of
    pressedAt = 0;
    for (const paint of Array.from(waiting)) { waiting.delete(paint); paint(); }
  }, 60);
};
document.addEventListener("pointerdown", () => { pressedAt = performance.now(); }, true);
document.addEventListener("pointerup", release, true);
document.addEventListener("pointercancel", release, true);

/** Paints now, or as soon as nothing is being pressed. */
export function calmly(paint) {
  if (pressedAt && performance.now() - pressedAt < 2000) waiting.add(paint);
  else paint();
}

/** A view is left: what waits to be painted was its own. */
export const dropWaiting = () => waiting.clear();

/** Puts `node` into `slot` only when it looks different, so that focus and announcements survive. */
export function swap(slot, node) {
  const looks = node ? node.outerHTML : "";
  if (slot.looks === looks) return false;
  slot.looks = looks;
  fill(slot, node);
  return true;
}

/** Local storage that may be switched off: reading gives null, writing is then skipped. */
export const memory = {
  get(key, store = localStorage) {
    try { return store.getItem(key); } catch (_) { return null; }
  },
  set(key, value, store = localStorage) {
    try { store.setItem(key, value); } catch (_) { /* private mode or full: the page works without it */ }
  },
  drop(key, store = localStorage) {
    try { store.removeItem(key); } catch (_) { /* as above */ }
  },
};
