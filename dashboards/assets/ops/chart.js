// A chart that the server draws. It stands in the page itself, so that its words are read out and its letters are the page's.
import { lang, t } from "../lib/i18n.js";
import { h, fill } from "../lib/dom.js";
import { zoneName } from "../lib/zone.js";

/** Returns {node, load(path)}: the picture stays until the next one is there. */
export function chart(name) {
  const node = h("figure.chart", { "data-chart": name }, h("p.dim", null, t("live.boot")));
  let turn = 0;
  return {
    node,
    async load(path) {
      turn += 1;
      const mine = turn;
      try {
        const answer = await fetch("/api/v1" + path + (path.includes("?") ? "&" : "?") + "lang=" + (lang() === "en" ? "en" : "zh") + (zoneName ? "&time_zone=" + encodeURIComponent(zoneName) : ""), { credentials: "same-origin", cache: "no-cache" });
        if (!answer.ok) throw new Error(t("error.http", { status: answer.status }));
        const drawn = new DOMParser().parseFromString(await answer.text(), "image/svg+xml").documentElement;
        if (mine === turn) fill(node, document.importNode(drawn, true));
      } catch (error) {
        if (mine === turn && !node.querySelector("svg")) fill(node, h("p.note.bad", { role: "alert" }, error.message));
      }
    },
  };
}
