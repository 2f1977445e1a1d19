// What the page shows beside and around its charts (chart.js): tables, pictures, and what can be chosen for all of it.

const main = document.getElementById("main");

function group(label, ...entries) {
  return html("span", { class: "group", role: "group", "aria-label": label }, ...entries);
}
// Of several choices one; `values` are [value of view[key], words].
function choices(label, values, key) {
  const buttons = values.map(([value, words]) => toggle(words, "choice", view[key] === value, () => {
    for (const button of buttons) button.setAttribute("aria-pressed", false);
    view[key] = value;
    drawAll();
    return true;
  }));
  return group(label, html("span", {}, label), ...buttons);
}

function section(title, ...children) {
  const id = title.toLowerCase().replace(/\W+/g, "-");
  const heading = html("h2", { id: id + "-title" }, title);
  main.append(html("section", { id, "aria-labelledby": id + "-title" }, heading, ...children));
}
// One part for every run that has something to show, under the run's name where there are several.
function sectionOfRuns(title, has, parts, ...first) {
  const runs = data.runs.filter(has);
  const named = run => [...(several ? [html("h3", {}, run.name)] : []), ...parts(run)];
  if (runs.length) section(title, ...first, ...runs.flatMap(named));
}

// Columns are [title, whether they hold words]. Rows start with what they are about.
function table(caption, columns, rows, total) {
  const kind = i => (columns[i][1] ? { class: "word" } : {});
  const line = row => html("tr", {}, ...row.map((cell, i) =>
    (i === 0 ? html("th", { scope: "row", ...kind(0) }, cell) : html("td", kind(i), cell))));
  const head = html("tr", {}, ...columns.map(([title], i) => html("th", { scope: "col", ...kind(i) }, title)));
  const parts = [html("caption", {}, caption), html("thead", {}, head), html("tbody", {}, ...rows.map(line))];
  if (total) parts.push(html("tfoot", {}, line(total)));
  return html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, html("table", {}, ...parts));
}

// A row a figure, a column a run.
function figures() {
  const row = (title, of) => [title, ...data.runs.map(run => of(run.figures) ?? "–")];
  const where = (value, format) => (value === undefined ? undefined : format(value));
  const tests = ({ name, unit }) => [
    row(`test ${name}, last`, f => where(f.outputs[name], test => units[unit](test.last))),
    row(`test ${name}, best`, f => where(f.outputs[name], test =>
      `${units[unit](test.best)} at ${grouped.format(test.iteration)}`)),
  ];
  const rows = [
    row("iterations", f => where(f.iteration, grouped.format)),
    row("epochs", f => where(f.epoch || undefined, number)),
    row("training loss, last", f => where(f.loss, number)),
    ...data.outputs.flatMap(tests),
    row("images a second, median", f => where(f.images_per_second, value => grouped.format(Math.round(value)))),
  ].filter(cells => cells.slice(1).some(cell => cell !== "–"));
  const caption = "The best loss is the lowest, the best of all else the highest, with its iteration.";
  section("Figures", table(caption, [["", true], ...data.runs.map(run => [run.name])], rows));
}

// A small chart a layer, of shares or of norms.
class BranchChart extends Chart {
  constructor(layer, names) {
    super({ title: layer.layer, curves: [] }, names);
    this.layer = layer;
  }
  draw() {
    this.spec.curves = this.layer[view.scale];
    this.spec.unit = view.scale === "share" ? "percent" : "number";
    super.draw();
  }
}

function branches(run) {
  const names = [...new Set(run.branches.flatMap(layer => layer.share.map(curve => curve.name)))];
  const legend = names.map((name, n) => html("span", { class: "group" }, sample(`stroke: ${colour(n)}`), name));
  const drawn = run.branches.map(layer => new BranchChart(layer, names).figure);
  return [html("p", { class: "group" }, ...legend), html("div", { class: "charts small" }, ...drawn)];
}

// Its cells are as dark as the share of the label's samples that they hold.
function confusionMatrix({ classes, confusion }) {
  const n = classes.length, named = n <= 40, cell = Math.max(6, Math.min(46, 560 / n));
  const margin = named ? 92 : 8, beyond = named ? 48 : 4, size = margin + n * cell;
  const drawing = svg("svg", { class: "confusion", viewBox: `0 0 ${size + beyond} ${size + 4}`, role: "img",
    "aria-label": `Confusion matrix of ${n} classes; the table beside it has its largest numbers.` });
  const place = c => margin + c * cell, centre = c => place(c) + cell / 2;
  const shade = (count, all, right) =>
    (count ? `rgba(var(${right ? "--right" : "--wrong"}), ${(.05 + .75 * Math.sqrt(count / all)).toFixed(3)})` : "var(--grid)");
  confusion.forEach((row, label) => {
    const all = row.reduce((a, b) => a + b, 0);
    row.forEach((count, predicted) => {
      const words = `${classes[label]} taken for ${classes[predicted]}: ${count} of ${all}`;
      drawing.append(svg("rect", { x: place(predicted), y: place(label), width: cell - 1, height: cell - 1,
        fill: shade(count, all, label === predicted) }, svg("title", {}, words)));
      if (n > 20 || !count) return;
      const at = { x: centre(predicted) - .5, y: centre(label) + 3.5 };
      drawing.append(svg("text", { class: "count", ...at, "text-anchor": "middle" }, String(count)));
    });
  });
  if (named) classes.forEach((name, c) => {
    const short = name.length > 13 ? name.slice(0, 12) + "…" : name, turn = `rotate(-55 ${centre(c)} ${margin - 6})`;
    drawing.append(svg("text", { x: margin - 6, y: centre(c) + 4, "text-anchor": "end" }, short),
      svg("text", { x: centre(c), y: margin - 6, transform: turn }, short));
  });
  return html("div", { class: "matrix" }, html("h3", {}, "Confusion: rows are labels, columns predictions"), drawing);
}

function lastTest({ last_test: test }) {
  const name = c => test.classes[c], net = test.net ? `, test net ${test.net}` : "";
  const parts = [html("p", {}, `${test.classes.length} classes, at iteration ${grouped.format(test.iteration)}${net}`)];
  const beside = html("div", { class: "beside" }, ...(test.confusion ? [confusionMatrix(test)] : []));
  if (test.pairs.length) {
    const rows = test.pairs.map(([label, predicted, count, all]) =>
      [name(label), name(predicted), grouped.format(count), units.percent(count / all)]);
    const columns = [["label", true], ["taken for", true], ["times"], ["of the label"]];
    beside.append(html("div", {}, html("h3", {}, "The most frequent mistakes"),
      table("Of the label: the share of its samples", columns, rows)));
  }
  parts.push(beside);
  const picture = worst => html("figure", {},
    ...(worst.image ? [html("img", { src: worst.image, alt: `sample ${worst.sample}` })] : []),
    html("figcaption", {}, `${name(worst.label)} taken for ${name(worst.predicted)}`, html("br"),
      html("small", {}, `${units.percent(worst.probability)} sure`, html("br"), `sample ${worst.sample}`)));
  if (test.worst.length)
    parts.push(html("h3", {}, "The surest mistakes"), html("div", { class: "pictures" }, ...test.worst.map(picture)));
  return parts;
}

function network({ network: net }) {
  const keys = ["parameters", "merged_parameters", "macs"];
  const sums = keys.map(key => grouped.format(net.layers.reduce((total, layer) => total + layer[key], 0)));
  const shapes = layer => layer.outputs.map(shape => shape.join(" × ") || "scalar").join(", ");
  const rows = net.layers.map(layer =>
    [layer.name, layer.type, shapes(layer), ...keys.map(key => grouped.format(layer[key]))]);
  const columns = [["layer", true], ["type", true], ["output", true], ["parameters"], ["merged"], ["MACs"]];
  const caption = `${net.name}: learned numbers in training and merged, multiply-accumulates of a forward pass over ` +
    `a batch of ${net.batch}`;
  const summary = `${rows.length} layers, ${sums[0]} parameters in training, ${sums[1]} merged`;
  return [html("details", rows.length <= 40 ? { open: "" } : {}, html("summary", {}, summary),
    table(caption, columns, rows, ["total", "", "", ...sums]))];
}

function header() {
  const { iteration, epoch } = data.runs[0].figures;
  const parts = [iteration && `${grouped.format(iteration)} iterations`, epoch && `${number(epoch)} epochs`];
  document.title = document.getElementById("title").textContent = data.title;
  document.getElementById("subtitle").textContent =
    (several ? data.runs.map(run => run.name) : parts.filter(Boolean)).join(", ");
  const controls = document.getElementById("controls");
  const runs = data.runs.map((run, r) =>
    toggle([sample(`stroke: ${colour(r)}`), run.name], "curve", true, () => flip(view.hidden, r)));
  if (several) controls.append(group("Runs", ...runs));
  if (hasEpochs) controls.append(choices("Against", [["iterations", "iteration"], ["epochs", "epoch"]], "axis"));
}

header();
figures();
section("Curves", html("div", { class: "charts" }, ...data.charts.map(spec => new Chart(spec).figure)));
sectionOfRuns("Last test", run => run.last_test, lastTest);
sectionOfRuns("Branches", run => run.branches.length, branches, html("p", {},
  choices("Frobenius norm of a branch's kernel", [["share", "share of the layer's sum"], ["norm", "as it is"]], "scale")));
sectionOfRuns("Network", run => run.network, network);
sectionOfRuns("Configuration", run => run.solver, ({ solver }) =>
  [html("details", {}, html("summary", {}, "solver.prototxt"), html("pre", {}, solver))]);
drawAll();
new ResizeObserver(drawAll).observe(main);
