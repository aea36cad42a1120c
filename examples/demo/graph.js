// The last round trips as a line that moves to the left.

const SHOWN = 90;
const PADDING = { top: 14, right: 10, bottom: 22, left: 64 };

export class Graph {
  #canvas;
  #values = [];

  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** A round trip in ms, or null for one that failed. */
  add(value) {
    this.#values = [...this.#values, value].slice(-SHOWN);
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = window.devicePixelRatio || 1;
    this.#canvas.width = width * scale;
    this.#canvas.height = height * scale;
    const pen = this.#canvas.getContext("2d");
    pen.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();

    const top = scaleOf(this.#values.filter((value) => value !== null));
    const x = (index) => {
      const step = (width - PADDING.left - PADDING.right) / (SHOWN - 1);
      return width - PADDING.right - (this.#values.length - 1 - index) * step;
    };
    const y = (value) => height - PADDING.bottom - (Math.min(value, top) / top) * (height - PADDING.top - PADDING.bottom);

    pen.font = "12px system-ui, sans-serif";
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const part of [0, 0.5, 1]) {
      pen.strokeStyle = colour("--line");
      pen.beginPath();
      pen.moveTo(PADDING.left, Math.round(y(top * part)) + 0.5);
      pen.lineTo(width - PADDING.right, Math.round(y(top * part)) + 0.5);
      pen.stroke();
      pen.fillStyle = colour("--soft");
      pen.fillText(`${+(top * part).toFixed(2)} ms`, PADDING.left - 8, y(top * part));
    }

    const points = this.#values.map((value, index) => (value === null ? null : [x(index), y(value)]));
    this.#area(pen, points, y(0), colour("--accent-soft"));
    this.#line(pen, points, colour("--accent"));
    this.#values.forEach((value, index) => {
      if (value !== null) return;
      pen.fillStyle = colour("--bad");
      pen.fillRect(x(index) - 1, PADDING.top, 2, height - PADDING.top - PADDING.bottom);
    });
    const last = points.at(-1);
    if (last) {
      pen.fillStyle = colour("--buoy");
      pen.beginPath();
      pen.arc(last[0], last[1], 5, 0, 2 * Math.PI);
      pen.fill();
    }
  }

  #line(pen, points, colour) {
    pen.strokeStyle = colour;
    pen.lineWidth = 2;
    pen.lineJoin = "round";
    pen.beginPath();
    let down = false;
    for (const point of points) {
      if (point && down) pen.lineTo(...point);
      else if (point) pen.moveTo(...point);
      down = point !== null;
    }
    pen.stroke();
    pen.lineWidth = 1;
  }

  #area(pen, points, floor, colour) {
    const shown = points.filter((point) => point !== null);
    if (shown.length < 2) return;
    pen.fillStyle = colour;
    pen.beginPath();
    pen.moveTo(shown[0][0], floor);
    for (const point of shown) pen.lineTo(...point);
    pen.lineTo(shown.at(-1)[0], floor);
    pen.fill();
  }
}

/** Where the scale ends: a single slow round trip leaves the picture at the top rather than flattening all others. */
function scaleOf(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const usual = sorted[Math.floor(sorted.length * 0.8)] ?? 1;
  return ceiling(Math.max(1, Math.min(sorted.at(-1) ?? 1, usual * 3)));
}

/** The next round number above: 1, 2 or 5 times a power of ten. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}
