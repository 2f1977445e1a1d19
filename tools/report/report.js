"use strict";
// Draws the page from the JSON in #data (tools/report/page.cpp): charts as SVG, tables, pictures.
// What the user chooses is in `view`; every change draws all charts again.

const data = JSON.parse(document.getElementById("data").textContent);
const several = data.runs.length > 1;
const view = { axis: "iterations", hidden: new Set(), scale: "share" };  // hidden: numbers of runs
const charts = [];

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
const units = {
  number: value => (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6) ? value.toExponential(2) : digits.format(value)),
  percent: value => digits.format(100 * value) + " %",
  rate: value => (value === 0 ? "0" : Math.abs(value) < 1e-3 ? value.toExponential(2).replace(/\.?0+e/, "e") : digits.format(value)),
  count: value => digits.format(value),
};
const colour = index => `var(--c${index % 8})`;
const dash = index => ["", "7 4", "2 3", "9 3 2 3"][index % 4];

// Numbers from `low` to `high` at which people expect lines: 1, 2 or 5 times a power of ten apart.
function ticks(low, high, wanted) {
  const raw = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find(factor => factor * power >= raw);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}
function logarithmicTicks(low, high) {
  const all = [], factors = high / low > 1000 ? [1] : high / low > 30 ? [1, 3] : [1, 2, 5];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); ++power)
    for (const factor of factors)
      if (factor * 10 ** power >= low && factor * 10 ** power <= high) all.push(factor * 10 ** power);
  return all.length > 1 ? all : ticks(low, high, 4);
}

// ---------------------------------------------------------------- controls

function group(label, ...buttons) {
  return html("span", { class: "group", role: "group", "aria-label": label }, ...buttons);
}
// A button that is pressed or not; `press` tells whether it is now.
function toggle(label, kind, pressed, press) {
  const button = html("button", { type: "button", class: kind, "aria-pressed": pressed }, ...[label].flat());
  button.addEventListener("click", () => button.setAttribute("aria-pressed", press()));
  return button;
}
// Of several choices one: `values` are [key, label].
function choices(label, values, key) {
  const buttons = values.map(([value, words]) => toggle(words, "choice", view[key] === value, () => {
    view[key] = value;
    for (const button of buttons) button.setAttribute("aria-pressed", false);
    drawAll();
    return true;
  }));
  return group(label, html("span", {}, label), ...buttons);
}
function flip(set, entry) {
  set.has(entry) ? set.delete(entry) : set.add(entry);
  drawAll();
  return !set.has(entry);
}
function sample(style) {
  return svg("svg", { viewBox: "0 0 22 8", "aria-hidden": "true" },
    svg("line", { x1: 0, x2: 22, y1: 4, y2: 4, style, "stroke-width": 2.5 }));
}

// ---------------------------------------------------------------- a chart

// `spec`: {title, unit, curves: [{run, name, iterations, epochs, values}]}. Among several runs a colour is a run and a
// dash is what is drawn of it; of one run, and where `byName`, a colour is what is drawn.
class Chart {
  constructor(spec, { small = false, byName = !several, names = null } = {}) {
    Object.assign(this, { spec, small, byName });
    this.hidden = new Set();  // names
    this.names = names || [...new Set(spec.curves.map(curve => curve.name))];
    this.logarithmic = false;
    this.cursor = null;  // a place on the axis, where the user reads values
    this.drawing = svg("svg", {
      role: "img", tabindex: small ? -1 : 0, onpointermove: event => this.point(event), onpointerleave: () => this.read(null),
      onkeydown: event => this.key(event), onblur: () => this.read(null),
    });
    this.reading = html("div", { class: "reading", role: "status" });
    const caption = html("figcaption", {}, html("span", {}, spec.title));
    const positive = spec.curves.some(curve => curve.values.some(value => value > 0));
    if (positive && spec.title === "Loss")
      caption.append(toggle("log scale", "choice", false, () => { this.logarithmic = !this.logarithmic; this.draw(); return this.logarithmic; }));
    this.figure = html("figure", {}, caption, this.drawing, this.reading);
    if (!small && !names && this.names.length > 1)
      this.figure.append(html("div", { class: "legend group", role: "group", "aria-label": "Curves" },
        ...this.names.map((name, n) => toggle([sample(this.style(n, 0, true)), name], "curve", true, () => flip(this.hidden, name)))));
    charts.push(this);
  }

  // Of the curve with the number `name` of run `run`. `inLegend`: one that stands for all runs.
  style(name, run, inLegend = false) {
    const stroke = this.byName ? colour(name) : inLegend ? "currentColor" : colour(run);
    return `stroke: ${stroke}; stroke-dasharray: ${this.byName ? "none" : dash(name) || "none"}`;
  }

  visible() {
    return this.spec.curves.filter(curve => !view.hidden.has(curve.run) && !this.hidden.has(curve.name));
  }

  // Sets the range of both axes; false where nothing is to be seen.
  measure(curves) {
    const usable = value => !this.logarithmic || value > 0;
    this.x = [Infinity, -Infinity];
    this.y = [Infinity, -Infinity];
    for (const curve of curves)
      curve.values.forEach((value, i) => {
        if (!usable(value)) return;
        const place = curve[view.axis][i];
        this.x = [Math.min(this.x[0], place), Math.max(this.x[1], place)];
        this.y = [Math.min(this.y[0], value), Math.max(this.y[1], value)];
      });
    if (this.x[0] > this.x[1]) return false;
    if (this.x[0] === this.x[1]) this.x = [this.x[0] - 1, this.x[1] + 1];
    const [low, high] = this.y;
    if (this.logarithmic) {
      this.y = [low / 1.1, high * 1.1];
    } else {
      const room = (high - low || Math.abs(high) || 1) * .06;
      this.y = [low >= 0 && low - room < 0 ? 0 : low - room, high + room];
      if (this.spec.unit === "percent") this.y[1] = Math.min(this.y[1], 1.005);
      if (["rate", "count"].includes(this.spec.unit) || this.small) this.y[0] = Math.min(0, low);
    }
    return true;
  }

  toX(place) { return this.left + (place - this.x[0]) / (this.x[1] - this.x[0]) * (this.right - this.left); }
  toY(value) {
    const f = this.logarithmic ? Math.log : v => v;
    return this.bottom - (f(value) - f(this.y[0])) / (f(this.y[1]) - f(this.y[0])) * (this.bottom - this.top);
  }

  draw() {
    const width = Math.max(200, Math.round(this.drawing.clientWidth || 560)), height = this.small ? 130 : 270;
    Object.assign(this, { width, left: this.small ? 42 : 58, right: width - 14, top: 8, bottom: height - (this.small ? 20 : 36) });
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.drawing.replaceChildren();
    const curves = this.visible();
    this.drawing.setAttribute("aria-label", this.description(curves));
    if (!this.measure(curves)) {
      this.drawing.append(svg("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "nothing to show"));
      return;
    }
    this.drawAxes(height);
    for (const curve of curves) this.drawCurve(curve);
    this.marks = svg("g");
    this.drawing.append(this.marks);
  }

  drawAxes(height) {
    const format = units[this.spec.unit], wanted = this.small ? 3 : 5;
    for (const value of this.logarithmic ? logarithmicTicks(...this.y) : ticks(...this.y, wanted)) {
      const y = this.toY(value);
      this.drawing.append(svg("line", { class: "grid", x1: this.left, x2: this.right, y1: y, y2: y }),
        svg("text", { x: this.left - 6, y: y + 4, "text-anchor": "end" }, format(value)));
    }
    for (const place of ticks(...this.x, this.small ? 3 : Math.max(3, Math.floor(this.width / 110)))) {
      if (view.axis === "iterations" && place % 1 !== 0) continue;
      this.drawing.append(svg("line", { class: "axis", x1: this.toX(place), x2: this.toX(place), y1: this.bottom, y2: this.bottom + 4 }),
        svg("text", { x: this.toX(place), y: this.bottom + 15, "text-anchor": "middle" }, digits.format(place)));
    }
    this.drawing.append(svg("line", { class: "axis", x1: this.left, x2: this.right, y1: this.bottom, y2: this.bottom }));
    if (!this.small)
      this.drawing.append(svg("text", { x: (this.left + this.right) / 2, y: height - 4, "text-anchor": "middle" },
        view.axis === "iterations" ? "iteration" : "epoch"));
  }

  drawCurve(curve) {
    const style = this.style(this.names.indexOf(curve.name), curve.run), places = curve[view.axis];
    const points = curve.values.map((value, i) => [places[i], value]).filter(([, value]) => !this.logarithmic || value > 0)
      .map(([place, value]) => [this.toX(place).toFixed(1), this.toY(value).toFixed(1)]);
    if (points.length > 1) this.drawing.append(svg("path", { class: "line", style, d: "M" + points.join("L") }));
    if (points.length <= (this.small ? 1 : 40))
      for (const [cx, cy] of points) this.drawing.append(svg("circle", { cx, cy, r: 2.5, style: style.replace("stroke:", "fill:") }));
  }

  label(curve) {
    const run = data.runs[curve.run].name;
    if (!several || this.small) return curve.name;
    return this.names.length > 1 ? `${run}, ${curve.name}` : run;
  }

  description(curves) {
    const format = units[this.spec.unit];
    return `${this.spec.title}. ` + curves.map(curve => `${this.label(curve)}: last ${format(curve.values.at(-1))}, ` +
      `lowest ${format(Math.min(...curve.values))}, highest ${format(Math.max(...curve.values))}`).join("; ") +
      ". Arrow keys read values.";
  }

  // ------------------------------------------------------------ reading values

  // The index of the point of a curve that is nearest to a place on the axis.
  nearest(curve, place) {
    const places = curve[view.axis];
    let low = 0, high = places.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      places[middle] <= place ? low = middle : high = middle;
    }
    return Math.abs(places[low] - place) <= Math.abs(places[high] - place) ? low : high;
  }

  point(event) {
    if (!this.visible().length) return;
    const box = this.drawing.getBoundingClientRect(), x = (event.clientX - box.left) * this.width / box.width;
    this.read(this.x[0] + (x - this.left) / (this.right - this.left) * (this.x[1] - this.x[0]));
  }

  key(event) {
    const curves = this.visible();
    if (event.key === "Escape") return this.read(null);
    const longest = curves.reduce((a, b) => (b.values.length > a.values.length ? b : a), curves[0]);
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -25, PageDown: 25, Home: -Infinity, End: Infinity };
    if (!longest || !(event.key in steps)) return;
    event.preventDefault();
    const last = longest.values.length - 1, from = this.cursor === null ? last : this.nearest(longest, this.cursor);
    this.read(longest[view.axis][Math.min(last, Math.max(0, from + (this.cursor === null ? 0 : steps[event.key])))]);
  }

  // Shows what the curves are near a place on the axis, or nothing any more.
  read(place) {
    this.cursor = place;
    this.reading.replaceChildren();
    if (this.marks) this.marks.replaceChildren();
    if (place === null) return;
    const rows = this.visible().map(curve => [curve, this.nearest(curve, place)]);
    const nearest = rows.reduce((best, [curve, i]) =>
      (Math.abs(curve[view.axis][i] - place) < Math.abs(best[0][view.axis][best[1]] - place) ? [curve, i] : best), rows[0]);
    const at = nearest[0][view.axis][nearest[1]], x = this.toX(at);
    const words = `iteration ${grouped.format(nearest[0].iterations[nearest[1]])}` +
      (hasEpochs ? `, epoch ${digits.format(nearest[0].epochs[nearest[1]])}` : "");
    this.marks.append(svg("line", { class: "cursor", x1: x, x2: x, y1: this.top, y2: this.bottom }));
    this.reading.append(html("div", {}, words));
    for (const [curve, i] of rows) {
      if (this.logarithmic && curve.values[i] <= 0) continue;
      const style = this.style(this.names.indexOf(curve.name), curve.run);
      this.marks.append(svg("circle", { cx: this.toX(curve[view.axis][i]), cy: this.toY(curve.values[i]), r: 3.5, style: style.replace("stroke:", "fill:") }));
      this.reading.append(html("div", {}, html("span", { class: "swatch", style: style.replace("stroke:", "background:") }),
        html("span", {}, this.label(curve)), html("b", {}, units[this.spec.unit](curve.values[i]))));
    }
    const box = this.drawing.getBoundingClientRect(), left = x * box.width / this.width + this.drawing.offsetLeft || x;
    const side = x > this.width / 2 ? `right: ${Math.round(box.width - x * box.width / this.width + 26)}px` : `left: ${Math.round(x * box.width / this.width + 26)}px`;
    this.reading.setAttribute("style", `${side}; top: ${this.small ? 40 : 52}px`);
  }
}

function drawAll() { for (const chart of charts) chart.draw(); }

// ---------------------------------------------------------------- sections

const main = document.getElementById("main");

function section(title, ...children) {
  const id = title.toLowerCase().replace(/\W+/g, "-");
  main.append(html("section", { id, "aria-labelledby": id + "-title" }, html("h2", { id: id + "-title" }, title), ...children));
}
// One part for every run that has something to show, under the run's name where there are several.
function sectionOfRuns(title, has, parts) {
  const runs = data.runs.filter(has);
  if (runs.length) section(title, ...runs.flatMap(run => [...(several ? [html("h3", {}, run.name)] : []), ...parts(run)]));
}
// Columns are [title, whether they hold words]; cells are text or elements.
function table(caption, columns, rows, total) {
  const cells = (row, name) => row.map((cell, i) => html(name, columns[i][1] ? { class: "word" } : {}, cell));
  const line = row => {
    const [first, ...rest] = cells(row, "td");
    return html("tr", {}, html("th", { scope: "row", class: first.className }, ...first.childNodes), ...rest);
  };
  const head = columns.map(([title, words]) => html("th", { scope: "col", ...(words ? { class: "word" } : {}) }, title));
  return html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, html("table", {},
    html("caption", {}, caption), html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...rows.map(line)),
    ...(total ? [html("tfoot", {}, line(total))] : [])));
}

function figures() {
  const columns = [["run", true], ["iterations"], ["epochs"], ["training loss"],
    ...data.outputs.flatMap(output => [[`${output.name}, last`], [`${output.name}, best`], ["at iteration"]]), ["images/s"]];
  const or = (value, format) => (value === undefined ? "–" : format(value));
  const rows = data.runs.map(({ name, figures: f }) => [name, or(f.iteration, grouped.format), or(f.epoch || undefined, units.number),
    or(f.loss, units.number), ...data.outputs.flatMap(({ name: output, unit }) => {
      const test = f.outputs[output];
      return [or(test?.last, units[unit]), or(test?.best, units[unit]), or(test?.iteration, grouped.format)];
    }), or(f.images_per_second, value => grouped.format(Math.round(value)))]);
  const used = columns.map((_, i) => i === 0 || rows.some(row => row[i] !== "–"));
  const some = row => row.filter((_, i) => used[i]);
  section("Figures", table("Best: of losses the lowest, else the highest. Images/s: the median.", some(columns), rows.map(some)));
}

function branches(run) {
  const names = [...new Set(run.branches.flatMap(layer => layer.share.map(curve => curve.name)))];
  const legend = html("p", { class: "group" }, ...names.map((name, n) => html("span", { class: "group" }, sample(`stroke: ${colour(n)}`), name)));
  legend.querySelectorAll("svg").forEach(mark => mark.setAttribute("width", 22));
  return [choices("Show", [["share", "share of the kernel's branches"], ["norm", "norm"]], "scale"), legend,
    html("div", { class: "charts small" }, ...run.branches.map(layer => {
      const chart = new Chart({ title: layer.layer, unit: "number", curves: [] }, { small: true, byName: true, names });
      const draw = chart.draw;
      chart.draw = () => {
        chart.spec.curves = layer[view.scale];
        chart.spec.unit = view.scale === "share" ? "percent" : "number";
        draw.call(chart);
      };
      return chart.figure;
    }))];
}

function confusion(test) {
  const n = test.classes.length, named = n <= 40, margin = named ? 92 : 8, cell = Math.max(6, Math.min(46, 560 / n)), size = margin + n * cell;
  const short = name => (name.length > 13 ? name.slice(0, 12) + "…" : name);
  const drawing = svg("svg", { class: "confusion", viewBox: `0 0 ${size + 4} ${size + 4}`, role: "img",
    "aria-label": `Confusion matrix of ${n} classes: rows are labels, columns predictions; the table beside it names the largest numbers.` });
  test.confusion.forEach((row, label) => {
    const all = row.reduce((a, b) => a + b, 0), y = margin + label * cell;
    row.forEach((count, predicted) => {
      const x = margin + predicted * cell, shade = all ? Math.sqrt(count / all) : 0;
      const right = label === predicted;
      drawing.append(svg("rect", { x, y, width: cell - 1, height: cell - 1, fill: count ? `rgba(var(${right ? "--right" : "--wrong"}), ${(.75 * shade + .05).toFixed(3)})` : "var(--grid)" },
        svg("title", {}, `${test.classes[label]} taken for ${test.classes[predicted]}: ${count} of ${all}`)));
      if (n <= 20 && count)
        drawing.append(svg("text", { class: "count", x: x + cell / 2 - .5, y: y + cell / 2 + 3.5, "text-anchor": "middle" }, String(count)));
    });
    if (!named) return;
    const at = margin + label * cell + cell / 2;
    drawing.append(svg("text", { x: margin - 6, y: at + 4, "text-anchor": "end" }, short(test.classes[label])),
      svg("text", { x: at, y: margin - 6, transform: `rotate(-55 ${at} ${margin - 6})` }, short(test.classes[label])));
  });
  return html("div", { style: "flex: 1 1 26rem; max-width: 44rem" }, html("h3", {}, "Confusion: rows are labels, columns predictions"), drawing);
}

function lastTest({ last_test: test }) {
  const name = c => test.classes[c], pairs = test.pairs.map(([label, predicted, count, all]) =>
    [name(label), name(predicted), grouped.format(count), units.percent(count / all)]);
  const parts = [html("p", {}, `Of ${test.classes.length} classes, at iteration ${grouped.format(test.iteration)}` + (test.net ? `, test net ${test.net}.` : "."))];
  const beside = html("div", { class: "beside" });
  if (test.confusion) beside.append(confusion(test));
  if (pairs.length) beside.append(table("What was taken for something else most often", [["label", true], ["taken for", true], ["times"], ["of the label"]], pairs));
  parts.push(beside);
  if (test.worst.length) parts.push(html("h3", {}, "The surest mistakes"), html("div", { class: "pictures" }, ...test.worst.map(worst => {
    const words = `${name(worst.label)} taken for ${name(worst.predicted)}`;
    return html("figure", {}, ...(worst.image ? [html("img", { src: worst.image, alt: `sample ${worst.sample}` })] : []),
      html("figcaption", {}, words, html("br"), html("small", {}, `${units.percent(worst.probability)} sure, sample ${worst.sample}`)));
  })));
  return parts;
}

function network({ network: net }) {
  const keys = ["parameters", "merged_parameters", "macs"], sum = key => net.layers.reduce((total, layer) => total + layer[key], 0);
  const rows = net.layers.map(layer => [layer.name, layer.type, layer.outputs.map(shape => shape.join(" × ") || "scalar").join(", "),
    ...keys.map(key => grouped.format(layer[key]))]);
  const layers = table(`${net.name}: learned numbers in training and merged, multiply-accumulates of a forward pass over a batch of ${net.batch}`,
    [["layer", true], ["type", true], ["output", true], ["parameters"], ["merged"], ["MACs"]], rows, ["total", "", "", ...keys.map(key => grouped.format(sum(key)))]);
  const open = rows.length <= 40 ? { open: "" } : {};
  return [html("details", open, html("summary", {}, `${rows.length} layers, ${grouped.format(sum("parameters"))} parameters in training, ` +
    `${grouped.format(sum("merged_parameters"))} merged`), layers)];
}

// ---------------------------------------------------------------- the page

const hasEpochs = data.charts.some(chart => chart.curves.some(curve => curve.epochs.some(epoch => epoch > 0)));
document.title = document.getElementById("title").textContent = data.title;
const first = data.runs[0].figures;
document.getElementById("subtitle").textContent = several ? data.runs.map(run => run.name).join(", ")
  : [first.iteration && `${grouped.format(first.iteration)} iterations`, first.epoch && `${units.number(first.epoch)} epochs`].filter(Boolean).join(", ");
const controls = document.getElementById("controls");
if (several)
  controls.append(group("Runs", ...data.runs.map((run, r) => toggle([sample(`stroke: ${colour(r)}`), run.name], "curve", true, () => flip(view.hidden, r)))));
if (hasEpochs) controls.append(choices("Against", [["iterations", "iteration"], ["epochs", "epoch"]], "axis"));

figures();
section("Curves", html("div", { class: "charts" }, ...data.charts.map(spec => new Chart(spec).figure)));
sectionOfRuns("Last test", run => run.last_test, lastTest);
sectionOfRuns("Branches", run => run.branches.length, branches);
sectionOfRuns("Network", run => run.network, network);
sectionOfRuns("Configuration", run => run.solver, run => [html("details", {}, html("summary", {}, "solver.prototxt"), html("pre", {}, run.solver))]);

drawAll();
new ResizeObserver(drawAll).observe(main);
