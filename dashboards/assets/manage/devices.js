// The manager's devices: who is online and what fails, what a new one is told once, and LED strips on a wire.
import { get, post, put, del } from "../lib/api.js";
import { t, nameOf } from "../lib/i18n.js";
import { h, fill, openDialog, calmly } from "../lib/dom.js";
import { span } from "../lib/hall.js";
import { confirmDialog, dialogForm, field, sure, table, tell, th, thin, needed } from "../lib/staff.js";

const DEVICE_KINDS = ["screen", "kiosk", "strip", "pager", "rater", "reader", "printer", "camera"];
const WITH_PAGE = ["screen", "kiosk", "strip", "rater"]; // only a page can show its name or load again
const STRIP_PROTOCOLS = ["line", "line_udp", "jqueue", "cxt"];
const STRIP_SIZES = ["64x16", "96x16", "128x16", "128x32"];
const DEVICES_MS = 5000; // the list of devices is looked at again this often

let devicesTimer = 0;
let page = null; // of the manager: {hall, data, live, here(…), windowChoices(), isOpen()}

const DEVICE_SHAPES = { online: "●", offline: "■", never: "○", unwatched: "–" };

export async function devicesTab(main, manager) {
  page = manager;
  const again = () => devicesTab(main, manager).catch(() => {});
  const [answer, wires] = await Promise.all([get(page.here("devices")), get(page.here("strips"))]);
  const of = (d, ...more) => page.here("devices", d.id, ...more);
  const order = (d, verb) => tell(() => post(of(d, verb))).then(again);
  const placeFields = (d) => {
    const zones = (page.data.zones || []).map((zone) => [zone.id, nameOf(zone.name)]);
    return [field("name", t("form.name"), { value: nameOf(d.name), required: true, maxlength: 80 }),
      zones.length ? field("zone", t("setup.zone"), { options: [["", t("floor.no-zone")]].concat(zones), value: d.zone || "" }) : null,
      field("window", t("ticket.window"), { options: [["", "—"]].concat(page.windowChoices()), value: d.window || "" }, t("devices.window-hint"))];
  };
  const add = () => dialogForm(t("devices.new"), [
    field("id", t("setup.id"), { required: true }, t("devices.id-hint")),
    field("kind", t("devices.kind"), { options: DEVICE_KINDS.map((kind) => [kind, t("role." + kind)]), value: "screen" }),
    placeFields({}),
    h("p.dim.full", null, t("devices.hall", { hall: nameOf(page.data.name) })),
  ], (input) => {
    const id = needed(input.id);
    const body = { id, name: input.name.value.trim() || id, kind: input.kind.value, hall: page.hall };
    if (input.zone && input.zone.value) body.zone = input.zone.value;
    if (input.window.value) body.window = input.window.value;
    return post("/devices", body);
  }, t("devices.register")).then((device) => {
    if (!device) return;
    again();
    if (device.token) showToken(device);
  });
  const edit = (d) => dialogForm(t("devices.edit"), placeFields(d), (input) => put(of(d), {
    name: input.name.value.trim(), window: input.window.value, zone: input.zone ? input.zone.value : "",
  })).then((done) => done && again());
  const renew = async (d) => {
    if (!await confirmDialog(t("devices.token-sure", { name: nameOf(d.name) || d.id }), t("devices.token-renew"), true)) return;
    let device = null;
    if (await tell(async () => { device = await post(of(d, "token")); })) showToken(device);
  };
  const revoke = (d) => sure(t("devices.revoke-sure", { name: nameOf(d.name) || d.id }), t("devices.revoke"), () => del("/devices/" + encodeURIComponent(d.id)), true).then((done) => done && again());

  const seen = (d) => (d.last_seen_at ? t("devices.seen", { ago: span((page.live.serverNow() - Date.parse(d.last_seen_at)) / 1000) }) : "");
  const word = (kind, name) => { const key = kind + "." + name; const said = t(key); return said === key ? name : said; };
  const functionsOf = (d) => (d.state === "never" || d.state === "offline" ? "—" : Object.keys(d.functions || {}).map((name) => { const f = d.functions[name];
    return h("span.tag" + (f.available ? "" : ".warn"), { "data-function": name, "data-available": String(f.available) }, (f.available ? "" : "✕ ") + word("device-function", name) + (f.available || !f.code ? "" : " " + word("device-fault", f.code))); }));
  const usedOf = (d) => { const used = (d.usage || {}).functions || {}; const list = Object.keys(used).map((name) => word("device-function", name) + " " + used[name]).join(t("list.comma"));
    return list ? [h("br"), h("span.small.dim", { "data-usage": d.id }, t("devices.used", { list }))] : null; };
  const versionOf = (d) => { const v = d.version; const r = d.report;
    return v && r && !r.build ? h("span" + (v.old ? ".tag.warn" : ""), { "data-old": String(v.old) }, (v.old ? "▲ " : "") + t(v.old ? "devices.version-old" : "devices.version", v)) : "—"; };
  const pageOf = (d) => { const r = d.report; return r && r.build ? [h("span" + (d.newest_build ? "" : ".tag.warn"), null, (d.newest_build ? "" : "▲ ") + t(d.newest_build ? "devices.build-new" : "devices.build-old")), " ", r.viewport, h("br"),
    h("span.small.dim", null, [r.browser, typeof r.skew_ms === "number" ? t("devices.skew", { s: (r.skew_ms / 1000).toFixed(1) }) : "", r.audio ? t("devices.audio") + word("device-audio", r.audio) : ""].filter(Boolean).join(" · "), h("br"), r.page)] : versionOf(d); };
  const where = (d) => [d.zone && (nameOf(((page.data.zones || []).find((zone) => zone.id === d.zone) || {}).name) || d.zone), d.window && (nameOf(((page.data.windows || {})[d.window] || {}).name) || d.window)].filter(Boolean).join(" · ");
  const sum = answer.summary;
  const kinds = DEVICE_KINDS.filter((kind) => (sum.by_kind || {})[kind]).map((kind) => t("role." + kind) + " " + sum.by_kind[kind].online + "/" + sum.by_kind[kind].total).join(" · ");
  fill(main, h("section.panel", null, h("h2", { id: "devices-sum" }, t("tab.devices") + " · " + t("devices.online", { online: sum.online, total: sum.total })), h("p.dim", null, kinds || t("devices.hint")), table([th("devices.device"), th("devices.kind"), th("ticket.state"), th("devices.functions"), th("devices.page"), th("form.actions")],
    answer.items.map((d) => h("tr", { "data-device": d.id, "data-state": d.state }, h("td", null, h("b", null, nameOf(d.name)), h("br"), h("span.small.dim", null, d.id)), h("td", null, h("span.nowrap", null, t("role." + d.kind)), h("br"), h("span.small.dim", null, where(d))),
      h("td", null, h("span.tag" + (d.state === "online" ? ".good" : d.state === "offline" ? ".warn" : ""), null, DEVICE_SHAPES[d.state] + " " + t("device-state." + d.state)), h("br"), h("span.small.dim", null, seen(d))),
      h("td.wrap", null, functionsOf(d), usedOf(d)), h("td.small", null, pageOf(d)),
      h("td.acts.wrap", null, !WITH_PAGE.includes(d.kind) ? null : [thin("devices.identify", () => order(d, "identify")), thin("devices.reload", () => order(d, "reload")),
        thin(d.muted ? "devices.unmute" : "devices.mute", () => order(d, d.muted ? "unmute" : "mute"))],
      thin("form.edit", () => edit(d)), thin("devices.token-renew", () => renew(d)), thin("devices.revoke", () => revoke(d), true)))),
    t("devices.none")), h("div.btns", null, h("button.btn.go", { type: "button", onclick: add }, t("devices.new")))), stripsPanel(wires.items, again));
  clearTimeout(devicesTimer);
  const lookAgain = () => {
    if (!page.isOpen() || main.firstChild === null) return;
    if (document.querySelector("dialog[open]") || page.live.state !== "live") devicesTimer = setTimeout(lookAgain, DEVICES_MS);
    else calmly(again);
  };
  devicesTimer = setTimeout(lookAgain, DEVICES_MS);
}

/** LED strips on a wire: where each is, what it shows, and whether it answers. */
function stripsPanel(strips, again) {
  const edit = (strip) => {
    const s = strip || {};
    const choose = (name, values, value) => field(name, t("strip." + name), { options: values.map((one) => [one, one]), value: value || values[0] });
    return dialogForm(strip ? t("strip.edit") : t("strip.new"), [
      strip ? null : field("id", t("setup.id"), { required: true }, t("strip.id-hint")),
      field("window", t("ticket.window"), { options: page.windowChoices(), value: s.window || "" }),
      choose("protocol", STRIP_PROTOCOLS, s.protocol), field("address", t("strip.address"), { required: true, value: s.address || "" }, t("strip.address-hint")),
      choose("size", STRIP_SIZES, s.size), field("zone", t("strip.zone"), { type: "number", min: 0, max: 255, value: s.zone || 0 }, t("strip.zone-hint")),
      field("two_colours", t("strip.two_colours"), { type: "checkbox", checked: Boolean(s.two_colours) }), field("english", t("strip.english"), { type: "checkbox", checked: Boolean(s.english) }),
    ], (input) => put(page.here("strips", strip ? s.id : needed(input.id)), { window: input.window.value, protocol: input.protocol.value, address: input.address.value.trim(), size: input.size.value,
      zone: Number(input.zone.value) || 0, two_colours: input.two_colours.checked, english: input.english.checked })).then((done) => done && again());
  };
  const stateOf = (s) => h("span.tag" + (s.state === "offline" ? ".warn" : ""), null, (s.state === "offline" ? "■ " : "● ") + (t("strip-state." + s.state) === "strip-state." + s.state ? s.state : t("strip-state." + s.state)));
  return h("section.panel", { "data-panel": "strips" }, h("h2", null, t("strip.title")), table([th("setup.id"), th("ticket.window"), th("strip.address"), th("ticket.state"), th("strip.text"), th("form.actions")],
    strips.map((s) => h("tr", { "data-strip": s.id }, h("td", null, s.id), h("td", null, nameOf(((page.data.windows || {})[s.window] || {}).name) || s.window), h("td", null, s.address, h("br"), h("span.small.dim", null, s.protocol + " · " + s.size)),
      h("td", null, stateOf(s), s.fault ? [h("br"), h("span.small.dim", null, t("device-fault." + s.fault))] : null), h("td", null, s.text || "—"),
      h("td.acts", null, thin("form.edit", () => edit(s)), thin("form.delete", () => sure(t("setup.delete-sure", { name: s.id }), t("form.delete"), () => del(page.here("strips", s.id)), true).then((done) => done && again()), true)))),
    t("strip.none")), h("div.btns", null, h("button.btn", { type: "button", onclick: () => edit(null) }, t("strip.new"))));
}

function showToken(device) {
  const link = (path) => h("p.secret", null, location.origin + path + "?t=" + encodeURIComponent(device.token));
  const firstWindow = page.windowChoices()[0];
  const windowPath = "/api/v1" + page.here("windows", device.window || "1", "call-next");
  const curl = "curl -X POST -H \"Authorization: Bearer " + device.token + "\" " + location.origin + windowPath;
  return openDialog((close) => h("div", null, h("h2", null, t("devices.token-title")), h("p.note.warn", null, t("devices.token-once")),
    h("h3", null, t("devices.token")), h("p.secret", { id: "device-token" }, device.token),
    device.address ? [h("h3", null, t("devices.link")), h("p.secret", { id: "device-address" }, device.address)] : null,
    device.code ? h("img.code", { id: "device-code", alt: t("devices.link"), src: "data:image/svg+xml," + encodeURIComponent(device.code) }) : null,
    device.kind === "screen" && firstWindow ? [h("h3", null, t("devices.link-led")), link("/led/" + encodeURIComponent(page.hall) + "/" + encodeURIComponent(firstWindow[0])), h("h3", null, t("floor.title")), link("/floor/" + encodeURIComponent(page.hall))] : null,
    device.kind === "pager" ? [h("h3", null, t("devices.press")), h("p.secret", null, curl)] : null,
    h("div.btns", null, h("button.btn.go", { type: "button", onclick: () => close(true) }, t("devices.token-noted")))));
}
