"use strict";
// A chart: curves as SVG, with a legend whose entries can be switched off, and the values at the place of the pointer or
// of the arrow keys. All charts are drawn again when what they share, `view`, has changed.

const data = JSON.parse(document.getElementById("data").textContent);
const several = data.runs.length > 1;
const hasEpochs = data.charts.some(chart => chart.curves.some(curve => curve.epochs.some(epoch => epoch > 0)));
const view = { axis: "iterations", hidden: new Set(), scale: "share" };  // hidden: numbers of runs
const charts = [];
function drawAll() {
  for (const chart of charts) chart.draw();
}

// ---------------------------------------------------------------- elements and numbers

function make(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes))
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  node.append(...children);
  return node;
}
const html = (name, attributes = {}, ...children) => make(document.createElement(name), attributes, children);
const svg = (name, attributes = {}, ...children) =>
  make(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

const grouped = new Intl.NumberFormat("en");
const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const hundredths = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
function number(value) {
  const far = value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6);
  return far ? value.toExponential(2).replace(/\.?0+e/, "e") : digits.format(value);
}
const units = {
  number,
  rate: number,
  percent: value => hundredths.format(100 * value) + " %",
  count: value => digits.format(value),
};
const colour = index => `var(--c${index % 8})`;
const dash = index => ["none", "7 4", "2 3", "9 3 2 3"][index % 4];

// Numbers from `low` to `high` at which people expect lines: 1, 2 or 5 times a power of ten apart.
function ticks(low, high, wanted) {
  const raw = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find(factor => factor * power >= raw);
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}
function logarithmicTicks(low, high) {
  const all = [], factors = high / low > 1000 ? [1] : high / low > 30 ? [1, 3] : [1, 2, 5];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); ++power)
    for (const factor of factors) {
      const value = factor * 10 ** power;
      if (value >= low && value <= high) all.push(value);
    }
  return all.length > 1 ? all : ticks(low, high, 4);
}

// A button that is pressed or not; `press` tells whether it is now.
function toggle(label, kind, pressed, press) {
  const button = html("button", { type: "button", class: kind, "aria-pressed": pressed }, ...[label].flat());
  button.addEventListener("click", () => button.setAttribute("aria-pressed", press()));
  return button;
}
// Hides or shows an entry; whether it is shown now.
function flip(hidden, entry) {
  if (!hidden.delete(entry)) hidden.add(entry);
  drawAll();
  return !hidden.has(entry);
}
// A short line, as in a legend.
function sample(style) {
  const line = svg("line", { x1: 0, x2: 22, y1: 4, y2: 4, style, "stroke-width": 2.5 });
  return svg("svg", { class: "sample", viewBox: "0 0 22 8", "aria-hidden": "true" }, line);
}

// ---------------------------------------------------------------- the chart

// `spec`: {title, unit, curves}, a curve being {run, name, iterations, epochs, values, mean}. Where runs are compared, a
// colour is a run and a dash is what is drawn of it; else a colour is what is drawn. One with `names` is a small one of
// many, whose legend of those names stands elsewhere.
class Chart {
  constructor(spec, names = null) {
    this.spec = spec;
    this.small = names !== null;
    this.names = names || [...new Set(spec.curves.map(curve => curve.name))];
    this.byName = !several || this.small;
    this.hidden = new Set();  // names
    this.logarithmic = false;
    this.cursor = null;  // a place on the axis, where the user reads values
    this.drawing = svg("svg", {
      role: "img",
      tabindex: this.small ? -1 : 0,
      onpointermove: event => this.point(event),
      onpointerleave: () => this.read(null),
      onkeydown: event => this.key(event),
      onblur: () => this.read(null),
    });
    this.reading = html("div", { class: "reading", role: "status" });
    this.figure = html("figure", {}, this.caption(), this.drawing, this.reading);
    if (!this.small && this.names.length > 1) this.figure.append(this.legend());
    charts.push(this);
  }

  caption() {
    const caption = html("figcaption", {}, html("span", {}, this.spec.title));
    const switchScale = () => {
      this.logarithmic = !this.logarithmic;
      this.draw();
      return this.logarithmic;
    };
    if (this.spec.title === "Loss") caption.append(toggle("log scale", "choice", false, switchScale));
    return caption;
  }

  legend() {
    const stroke = n => `stroke: ${this.byName ? colour(n) : "currentColor"}; ${this.pattern(n)}`;
    return html("div", { class: "legend group", role: "group", "aria-label": "Curves" }, ...this.names.map((name, n) =>
      toggle([sample(stroke(n)), name], "curve", true, () => flip(this.hidden, name))));
  }

  pattern(n) { return `stroke-dasharray: ${this.byName ? "none" : dash(n)}`; }
  colour(curve) { return colour(this.byName ? this.names.indexOf(curve.name) : curve.run); }

  visible() {
    const placed = curve => view.axis === "iterations" || curve.epochs.some(epoch => epoch > 0);
    // A small chart stands under the name of its run, which stays there.
    const shown = curve => this.small || (!view.hidden.has(curve.run) && !this.hidden.has(curve.name));
    return this.spec.curves.filter(curve => placed(curve) && shown(curve));
  }

  // [place on the axis, value] of what can be drawn.
  points(curve) {
    return curve.values.map((value, i) => [curve[view.axis][i], value])
      .filter(([, value]) => !this.logarithmic || value > 0);
  }

  // Sets the range of both axes; false where nothing is to be seen.
  measure(curves) {
    this.x = [Infinity, -Infinity];
    this.y = [Infinity, -Infinity];
    for (const [place, value] of curves.flatMap(curve => this.points(curve))) {
      this.x = [Math.min(this.x[0], place), Math.max(this.x[1], place)];
      this.y = [Math.min(this.y[0], value), Math.max(this.y[1], value)];
    }
    if (this.x[0] > this.x[1]) return false;
    if (this.x[0] === this.x[1]) this.x = [this.x[0] - 1, this.x[1] + 1];
    const [low, high] = this.y;
    if (this.logarithmic) {
      this.y = [low / 1.1, high * 1.1];
      return true;
    }
    const room = (high - low || Math.abs(high) || 1) * .06;
    const fromZero = this.small || ["rate", "count"].includes(this.spec.unit) || (low >= 0 && low < high - low);
    this.y = [fromZero ? Math.min(0, low) : low - room, high + room];
    if (this.spec.unit === "percent") this.y[1] = Math.min(this.y[1], 1.005);
    return true;
  }

  toX(place) {
    return this.left + (place - this.x[0]) / (this.x[1] - this.x[0]) * (this.right - this.left);
  }
  toY(value) {
    const scaled = this.logarithmic ? Math.log : v => v, [low, high] = this.y.map(scaled);
    return this.bottom - (scaled(value) - low) / (high - low) * (this.bottom - this.top);
  }

  draw() {
    this.width = Math.max(200, Math.round(this.drawing.clientWidth || 560));
    const height = this.small ? 130 : 270;
    [this.left, this.right, this.top, this.bottom] =
      this.small ? [42, this.width - 14, 8, height - 20] : [58, this.width - 14, 8, height - 36];
    this.drawing.setAttribute("viewBox", `0 0 ${this.width} ${height}`);
    const curves = this.visible();
    this.drawing.setAttribute("aria-label", this.description(curves));
    this.drawing.replaceChildren();
    this.marks = svg("g");
    if (this.measure(curves)) {
      this.drawAxes(height);
      for (const curve of curves) this.drawCurve(curve);
    } else {
      const middle = { x: this.width / 2, y: height / 2, "text-anchor": "middle" };
      this.drawing.append(svg("text", middle, "nothing to show"));
    }
    this.drawing.append(this.marks);
  }

  drawAxes(height) {
    const line = (kind, x1, x2, y1, y2) => this.drawing.append(svg("line", { class: kind, x1, x2, y1, y2 }));
    const words = (x, y, anchor, text) => this.drawing.append(svg("text", { x, y, "text-anchor": anchor }, text));
    const places = this.small ? 3 : Math.max(4, Math.floor(this.width / 110));
    for (const value of this.logarithmic ? logarithmicTicks(...this.y) : ticks(...this.y, this.small ? 3 : 7)) {
      line("grid", this.left, this.right, this.toY(value), this.toY(value));
      words(this.left - 6, this.toY(value) + 4, "end", units[this.spec.unit](value));
    }
    for (const place of ticks(...this.x, places)) {
      if (view.axis === "iterations" && place % 1 !== 0) continue;
      line("axis", this.toX(place), this.toX(place), this.bottom, this.bottom + 4);
      words(this.toX(place), this.bottom + 15, "middle", digits.format(place));
    }
    line("axis", this.left, this.right, this.bottom, this.bottom);
    const axis = view.axis === "iterations" ? "iteration" : "epoch";
    if (!this.small) words((this.left + this.right) / 2, height - 4, "middle", axis);
  }

  drawCurve(curve) {
    const style = `stroke: ${this.colour(curve)}; ${this.pattern(this.names.indexOf(curve.name))}`;
    const drawn = some => this.points(some).map(([x, y]) => [this.toX(x).toFixed(1), this.toY(y).toFixed(1)]);
    const line = (kind, places) => this.drawing.append(svg("path", { class: kind, style, d: "M" + places.join("L") }));
    const places = drawn(curve);
    if (places.length > 1) line(curve.mean ? "line noise" : "line", places);
    if (curve.mean && places.length > 1) line("line", drawn(curve.mean));
    if (places.length > (this.small ? 1 : 40)) return;
    for (const [cx, cy] of places)
      this.drawing.append(svg("circle", { cx, cy, r: 2.5, style: `fill: ${this.colour(curve)}` }));
  }

  label(curve) {
    if (this.byName) return curve.name;
    const run = data.runs[curve.run].name;
    return this.names.length > 1 ? `${run}, ${curve.name}` : run;
  }

  description(curves) {
    const format = units[this.spec.unit];
    const parts = curves.map(curve => `${this.label(curve)}: last ${format(curve.values.at(-1))}, ` +
      `lowest ${format(Math.min(...curve.values))}, highest ${format(Math.max(...curve.values))}`);
    return `${this.spec.title}. ${parts.join("; ")}. Arrow keys read values.`;
  }

  // -------------------------------------------------------------- reading values

  // The index of the point of a curve that is nearest to a place on the axis.
  nearest(curve, place) {
    const places = curve[view.axis];
    let low = 0, high = places.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (places[middle] <= place) low = middle;
      else high = middle;
    }
    return Math.abs(places[low] - place) <= Math.abs(places[high] - place) ? low : high;
  }

  point(event) {
    if (!this.visible().length) return;
    const box = this.drawing.getBoundingClientRect(), x = (event.clientX - box.left) * this.width / box.width;
    this.read(this.x[0] + (x - this.left) / (this.right - this.left) * (this.x[1] - this.x[0]));
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -25, PageDown: 25, Home: -Infinity, End: Infinity };
    const curves = this.visible();
    if (event.key === "Escape") this.read(null);
    if (!curves.length || !(event.key in steps)) return;
    event.preventDefault();
    const longest = curves.reduce((a, b) => (b.values.length > a.values.length ? b : a));
    const last = longest.values.length - 1;
    const next = this.cursor === null ? last : this.nearest(longest, this.cursor) + steps[event.key];
    this.read(longest[view.axis][Math.min(last, Math.max(0, next))]);
  }

  // Shows what the curves are near a place on the axis, or, with null, nothing any more.
  read(place) {
    this.cursor = place;
    this.reading.replaceChildren();
    this.marks.replaceChildren();
    if (place === null) return;
    const slack = (this.x[1] - this.x[0]) / 50;  // beside its ends
    const near = this.visible()
      .filter(({ [view.axis]: places }) => place >= places[0] - slack && place <= places.at(-1) + slack)
      .map(curve => ({ curve, i: this.nearest(curve, place) }))
      .filter(({ curve, i }) => !this.logarithmic || curve.values[i] > 0);
    if (!near.length) return;
    const distance = ({ curve, i }) => Math.abs(curve[view.axis][i] - place);
    const { curve, i } = near.reduce((a, b) => (distance(b) < distance(a) ? b : a));
    const x = this.toX(curve[view.axis][i]), epoch = hasEpochs ? `, epoch ${digits.format(curve.epochs[i])}` : "";
    this.marks.append(svg("line", { class: "cursor", x1: x, x2: x, y1: this.top, y2: this.bottom }));
    this.reading.append(html("div", {}, `iteration ${grouped.format(curve.iterations[i])}${epoch}`));
    for (const entry of near) this.readCurve(entry.curve, entry.i);
    const scale = this.drawing.getBoundingClientRect().width / this.width, gap = 26;
    const side = x > this.width / 2 ? `right: ${(this.width - x) * scale + gap}px` : `left: ${x * scale + gap}px`;
    this.reading.setAttribute("style", `${side}; top: ${this.small ? 40 : 52}px`);
  }

  readCurve(curve, i) {
    const place = curve[view.axis][i], value = curve.values[i], format = units[this.spec.unit];
    const fill = this.colour(curve);
    this.marks.append(svg("circle", { cx: this.toX(place), cy: this.toY(value), r: 3.5, style: `fill: ${fill}` }));
    const mean = curve.mean ? [html("small", {}, ` mean ${format(curve.mean.values[this.nearest(curve.mean, place)])}`)] : [];
    this.reading.append(html("div", {}, html("span", { class: "swatch", style: `background: ${fill}` }),
      html("span", {}, this.label(curve)), html("b", {}, format(value), ...mean)));
  }
}
