// The HTTP side: JSON in and out under /api/v1, refusals as errors that carry the server's sentence.
import { lang, t } from "./i18n.js";

const TIMEOUT_MS = 10000;
const RETRY_AFTER_MS = 700;

/** A refusal of the server (problem+json) or, with code "network", no answer at all. */
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || t("error.unknown"));
    this.name = "ApiError";
    this.status = status;
    this.code = problem.code || (status ? "http_" + status : "network");
    this.detail = this.message;
    this.problem = problem;
  }
}

/** A key for one intention of a person: the same key may be sent again, and counts once. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function once(method, path, body, headers, patience = TIMEOUT_MS) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), patience);
  try {
    const response = await fetch("/api/v1" + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: stop.signal,
    });
    const type = response.headers.get("content-type") || "";
    const answer = /json/.test(type) ? await response.json() : null;
    return { response, answer };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Calls the server. options.key is the idempotency key of a POST: made fresh when missing, left out when false.
 * options.revision is that of the thing that was read: if it was changed since, nothing is saved (412).
 * options.patience is how long to wait for an answer, in milliseconds. When no answer comes the call is repeated once with the same key; then an ApiError with code "network" is thrown.
 */
export async function api(method, path, body, options = {}) {
  const headers = { Accept: "application/json, application/problem+json", "Accept-Language": lang(), "X-Hallkeeper": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (options.revision !== undefined) headers["If-Match"] = "\"" + options.revision + "\"";
  if (method === "POST" && options.key !== false) headers["Idempotency-Key"] = options.key || newKey();
  let got;
  try {
    got = await once(method, path, body, headers, options.patience);
  } catch (_) {
    if (options.retry === false) throw new ApiError(0, { detail: t("error.network") });
    await pause(RETRY_AFTER_MS);
    try {
      got = await once(method, path, body, headers, options.patience);
    } catch (__) {
      throw new ApiError(0, { detail: t("error.network") });
    }
  }
  if (got.response.ok) return got.answer;
  throw new ApiError(got.response.status, got.answer || { detail: t("error.http", { status: got.response.status }) });
}

export const get = (path, options) => api("GET", path, undefined, options);
export const post = (path, body = {}, options) => api("POST", path, body, options);
export const put = (path, body, options) => api("PUT", path, body, options);
export const del = (path) => api("DELETE", path);

/** Path from parts, each escaped: hallPath("H1", "windows", "3") -> /halls/H1/windows/3 */
export const hallPath = (...parts) => "/halls/" + parts.map(encodeURIComponent).join("/");

/** A query string without the empty fields. */
export function query(fields) {
  const pairs = Object.entries(fields).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return pairs.length ? "?" + pairs.map(([k, v]) => encodeURIComponent(k) + "=" + encodeURIComponent(v)).join("&") : "";
}

/** Sends a person without a session to the sign-in page, and back here afterwards. */
export function toSignIn() {
  location.assign("/?next=" + encodeURIComponent(location.pathname + location.search));
}
