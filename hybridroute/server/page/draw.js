// Small drawings: the calibration curve with its marker, and the score beside its threshold.
// Nothing here takes text from a model.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 364, HEIGHT = 190, LEFT = 44, RIGHT = 14, TOP = 14, BOTTOM = 34;

function shape(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

const percent = (share) => `${Math.round(share * 100)} %`;

/** What the curve shows: quality against the cloud's share, or, uncalibrated, the threshold. */
function axes(curve) {
  const points = curve.points.filter((point) => point.quality !== null);
  if (points.length > 1 && points[0].cloud_share === null) {
    const most = Math.max(...points.map((point) => point.cost_usd)) || 1;
    return {
      points,
      x: (point) => point.cost_usd / most,
      y: (point) => point.quality,
      across: "expected cost of a query, of the most",
      up: "quality",
    };
  }
  if (points.length > 1) {
    return {
      points,
      x: (point) => point.cloud_share,
      y: (point) => point.quality,
      across: "share answered in the cloud",
      up: "quality",
    };
  }
  return {
    points: curve.points,
    x: (point) => point.at,
    y: (point) => Math.min(1, point.threshold),
    across: "dial",
    up: "threshold",
  };
}

export class Curve {
  constructor(home, curve) {
    this.axes = axes(curve);
    const values = this.axes.points.map(this.axes.y);
    this.low = Math.min(...values);
    this.high = Math.max(...values);
    if (this.high - this.low < 1e-9) this.high = this.low + 1e-9;
    this.svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
    this.#frame();
    const path = this.axes.points.map((point, at) => `${at ? "L" : "M"}${this.#place(point)}`);
    this.svg.append(shape("path", { class: "line", d: path.join("") }));
    this.drop = shape("path", { class: "drop" });
    this.marker = shape("circle", { class: "marker", r: 7 });
    this.svg.append(this.drop, this.marker);
    home.replaceChildren(this.svg);
  }

  #x(value) {
    return LEFT + value * (WIDTH - LEFT - RIGHT);
  }

  #y(value) {
    const room = HEIGHT - TOP - BOTTOM;
    return TOP + room * (1 - (value - this.low) / (this.high - this.low));
  }

  #place(point) {
    return `${this.#x(this.axes.x(point)).toFixed(1)} ${this.#y(this.axes.y(point)).toFixed(1)}`;
  }

  #frame() {
    const floor = HEIGHT - BOTTOM;
    const end = WIDTH - RIGHT;
    this.svg.append(shape("path", { class: "axis", d: `M${LEFT} ${TOP}V${floor}H${end}` }));
    for (const value of [this.low, this.high]) {
      const y = this.#y(value);
      this.svg.append(
        shape("path", { class: "level", d: `M${LEFT} ${y}H${end}` }),
        shape("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, value.toFixed(2)),
      );
    }
    const foot = floor + 14;
    this.svg.append(
      shape("text", { x: LEFT, y: foot }, "0"),
      shape("text", { x: end, y: foot, "text-anchor": "end" },
        this.axes.across === "dial" ? "1" : "100 %"),
      shape("text", { x: (LEFT + end) / 2, y: HEIGHT - 5, "text-anchor": "middle" },
        this.axes.across),
      shape("text", { x: LEFT + 6, y: TOP + 12 }, this.axes.up),
    );
  }

  /** Put the marker where a point of the curve is. */
  mark(point) {
    const known = this.axes.up === "threshold" || point.quality !== null;
    for (const part of [this.marker, this.drop]) part.toggleAttribute("hidden", !known);
    if (!known) return;
    const x = this.#x(this.axes.x(point));
    const y = this.#y(this.axes.y(point));
    this.marker.setAttribute("cx", x);
    this.marker.setAttribute("cy", y);
    this.drop.setAttribute("d", `M${x} ${y}V${HEIGHT - BOTTOM}`);
    const across = this.axes.across === "dial" ? point.at.toFixed(2) : percent(this.axes.x(point));
    this.svg.setAttribute("aria-label",
      `Curve of ${this.axes.up} over ${this.axes.across}; the dial stands at ${across}, ` +
      `${this.axes.up} ${this.axes.y(point).toFixed(3)}`);
  }
}

/** A score on a line from 0 to 1, with the threshold it was held against. */
export function meter(score, threshold) {
  const width = 150;
  const inside = (value) => 6 + Math.max(0, Math.min(1, value)) * (width - 12);
  const limit = inside(threshold);
  const drawn = shape("svg", { class: "meter", viewBox: `0 0 ${width} 22`, role: "img" });
  drawn.setAttribute("aria-label",
    `score ${score.toFixed(3)}, threshold ${threshold.toFixed(3)}; from it on the device answers`);
  drawn.append(
    shape("rect", { class: "track", x: 6, y: 9, width: width - 12, height: 4, rx: 2 }),
    shape("rect", { class: "over", x: limit, y: 6, width: Math.max(0, width - 6 - limit), height: 10 }),
    shape("path", { class: "limit", d: `M${limit} 2V20` }),
    shape("circle", { class: "dot", cx: inside(score), cy: 11, r: 5.5 }),
  );
  return drawn;
}
