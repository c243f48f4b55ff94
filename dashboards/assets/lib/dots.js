// A strip's dots on a canvas: the very frame that the server draws, dot by dot. Knows nothing of the feed.

const FLASH_MS = 3000;        // a call flashes so long, then stands
const HALF_MS = 500;          // one flash a second: lit and dark change places, the number never goes
const DOTS_A_SECOND = 32;     // speed of a text that runs through
const STEP_MS = 2000;         // with reduced motion it goes on strip by strip instead

const calm = window.matchMedia ? window.matchMedia("(prefers-reduced-motion: reduce)") : { matches: false };

/** Rows of hexadecimal as rows of truth values. */
const unpack = (line) => line.dots.map((row) => {
  const lit = [];
  for (let x = 0; x < line.columns; x += 1) lit.push(((parseInt(row[x >> 2], 16) >> (3 - (x & 3))) & 1) === 1);
  return lit;
});

export class Dots {
  constructor(canvas) {
    this.canvas = canvas;
    this.strip = null;
    this.flashUntil = 0;
    this.began = 0;
    this.looks = "";
  }

  /** strip: columns, rows, colour, lines. A new strip runs its text from the beginning. */
  show(strip) {
    const looks = JSON.stringify([strip.columns, strip.rows, strip.colour, strip.lines.map((line) => line.dots)]);
    if (looks !== this.looks) {
      this.looks = looks;
      this.began = performance.now();
      this.strip = Object.assign({}, strip, { lines: strip.lines.map((line) => Object.assign({}, line, { lit: unpack(line) })) });
    }
    this.draw();
  }

  flash() {
    if (!calm.matches) this.flashUntil = performance.now() + FLASH_MS;
    this.draw();
  }

  get flashing() { return performance.now() < this.flashUntil; }

  /** Whether the picture changes by itself: draw() is then to be called often. */
  get moves() { return this.flashing || Boolean(this.strip && this.strip.lines.some((line) => line.scrolls)); }

  /** Columns by which a line has run; a line that fits stands in the middle. */
  offset(line) {
    const { columns } = this.strip;
    if (!line.scrolls) return -Math.floor((columns - line.columns) / 2);
    const ran = performance.now() - this.began;
    if (calm.matches) return (Math.floor(ran / STEP_MS) * columns) % (Math.ceil(line.columns / columns) * columns);
    // Its beginning stands for a moment, then it runs out on the left and comes in on the right.
    const run = Math.max(0, Math.floor(((ran - STEP_MS) / 1000) * DOTS_A_SECOND));
    const place = run % (line.columns + columns);
    return place <= line.columns ? place : place - line.columns - columns;
  }

  lit(x, y) {
    const line = this.strip.lines.find((one) => y >= one.top && y < one.top + one.dots.length);
    return Boolean(line && line.lit[y - line.top][x + this.offset(line)]);
  }

  draw() {
    if (!this.strip) return;
    const { columns, rows, colour } = this.strip;
    const canvas = this.canvas;
    // A panel of the strip's own size is met dot for dot; a larger screen shows each dot as a small square.
    const dot = Math.max(1, Math.floor(Math.min(innerWidth / columns, innerHeight / rows)));
    if (canvas.width !== columns * dot || canvas.height !== rows * dot) {
      canvas.width = columns * dot;
      canvas.height = rows * dot;
    }
    canvas.style.left = Math.max(0, Math.floor((innerWidth - canvas.width) / 2)) + "px";
    canvas.style.top = Math.max(0, Math.floor((innerHeight - canvas.height) / 2)) + "px";
    const style = getComputedStyle(canvas);
    const lamp = style.getPropertyValue("--lamp-" + colour).trim();
    const dark = style.getPropertyValue("--lamp-off").trim();
    const ground = style.getPropertyValue("--lamp-ground").trim();
    const inverse = this.flashing && Math.floor((this.flashUntil - performance.now()) / HALF_MS) % 2 === 1;
    const gap = dot >= 4 ? Math.max(1, Math.round(dot / 6)) : 0;
    const pen = canvas.getContext("2d");
    pen.fillStyle = ground;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    for (let y = 0; y < rows; y += 1) {
      for (let x = 0; x < columns; x += 1) {
        pen.fillStyle = this.lit(x, y) !== inverse ? lamp : dark;
        pen.fillRect(x * dot, y * dot, dot - gap, dot - gap);
      }
    }
  }
}
