import { $ } from "./lib/dom.js"; $("main");
