/* What a reader's pointer does to the charts of a page. Axes, ticks and colours are the program's; this moves
   lines and marks to another scale, smooths, tells values, and shows or hides runs. */
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement, SVG = "http://www.w3.org/2000/svg";
  const REACH = 3, START = 0.25, NEAREST = 12;
  const hidden = new Set();
  let scale = "steps", smoothing = data.smoothing;

  /* A page that loads itself anew, as its run goes on, stays as its reader has set it. */
  const KEY = "dtrain " + location.pathname;
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY)) || {};
    if (kept.scale in data.domain) scale = kept.scale;
    if (kept.smoothing >= 0) smoothing = kept.smoothing;
    data.runs.forEach((run, i) => { if ((kept.hidden || []).includes(run.name)) hidden.add(i); });
  } catch (_) { /* no storage here: nothing is kept */ }
  function keep() {
    const names = [...hidden].map((i) => data.runs[i].name);
    try {
      sessionStorage.setItem(KEY, JSON.stringify({ scale, smoothing, hidden: names }));
    } catch (_) { /* the same */ }
  }

  root.classList.add("script");

  const charts = [...document.querySelectorAll("svg[data-chart]")].map((svg) => {
    const [left, right, top, bottom] = svg.dataset.plot.split(" ").map(Number);
    const [low, high] = (svg.dataset.values || "0 1").split(" ").map(Number);
    const chart = data.charts.find((c) => c.id === svg.dataset.chart) || { lines: [] };
    return { svg, left, right, top, bottom, low, high, lines: chart.lines, unit: chart.unit };
  });

  /* A run's tokens or hours at a step, by the knots that the program has chosen. */
  function convert(run, step) {
    if (scale === "steps") return step;
    const steps = data.runs[run].steps, values = data.runs[run][scale];
    if (steps.length === 0) return NaN;
    let low = 0, high = steps.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (steps[middle] <= step) low = middle;
      else high = middle;
    }
    const span = steps[high] - steps[low];
    const part = span > 0 ? Math.min(Math.max((step - steps[low]) / span, 0), 1) : 0;
    return values[low] + part * (values[high] - values[low]);
  }

  function xOf(c, run, step) {
    const [low, high] = data.domain[scale];
    return c.left + (c.right - c.left) * (high > low ? (convert(run, step) - low) / (high - low) : 0.5);
  }

  function yOf(c, value) {
    const at = c.high > c.low ? (value - c.low) / (c.high - c.low) : 0.5;
    return c.bottom - (c.bottom - c.top) * Math.min(Math.max(at, 0), 1);
  }

  /* A Gaussian over steps; report/thin.c smooths by the same formula. */
  function smooth(line) {
    const { step, mean } = line, width = smoothing * (step[step.length - 1] - step[0]);
    if (line.exact || !(width > 0)) return mean;
    let first = 0;
    return mean.map((_, i) => {
      const here = Math.min(width, START * (step[i] - step[0])), reach = REACH * here;
      let sum = 0, weights = 0;
      while (step[i] - step[first] > reach) first++;
      for (let j = first; j < step.length && step[j] - step[i] <= reach; j++) {
        const d = here > 0 ? (step[j] - step[i]) / here : 0, weight = Math.exp(-0.5 * d * d);
        sum += weight * mean[j];
        weights += weight;
      }
      return sum / weights;
    });
  }

  const points = (xs, ys) => xs.map((x, i) => (i ? "L" : "M") + x.toFixed(1) + " " + ys[i].toFixed(1)).join("");

  function pathOf(c, line, kind, xs) {
    if (kind === "dots") return xs.map((x, i) => "M" + x.toFixed(1) + " " + yOf(c, line.mean[i]).toFixed(1) + "h0").join("");
    if (kind === "raw")
      return points(xs, line.max.map((v) => yOf(c, v))) +
        points([...xs].reverse(), [...line.min].reverse().map((v) => yOf(c, v))).replace("M", "L") + "Z";
    return points(xs, line.smoothed.map((v) => yOf(c, v)));
  }

  function redraw() {
    for (const chart of data.charts) for (const line of chart.lines) line.smoothed = smooth(line);
    for (const c of charts) {
      for (const path of c.svg.querySelectorAll("path[data-line]")) {
        const line = c.lines[Number(path.dataset.line)];
        path.setAttribute("d", pathOf(c, line, path.classList[0], line.step.map((s) => xOf(c, line.run, s))));
      }
      for (const mark of c.svg.querySelectorAll("[data-step]"))
        mark.setAttribute("transform", "translate(" + xOf(c, Number(mark.dataset.run), Number(mark.dataset.step)).toFixed(1) + " 0)");
      for (const axis of c.svg.querySelectorAll(".scale"))
        axis.style.display = axis.classList.contains(scale) ? "inline" : "none";
    }
    keep();
  }

  function showRuns() {
    for (const c of charts) {
      for (const path of c.svg.querySelectorAll("path[data-line]"))
        path.classList.toggle("off", hidden.has(c.lines[Number(path.dataset.line)].run));
      for (const item of c.svg.querySelectorAll("[data-run]"))
        item.classList.toggle("off", hidden.has(Number(item.dataset.run)));
    }
    for (const box of document.querySelectorAll("input[data-run]"))
      box.checked = !hidden.has(Number(box.dataset.run));
    keep();
  }

  function light(run, on) {
    for (const c of charts)
      for (const path of c.svg.querySelectorAll("path[data-line]:not(.raw)"))
        if (c.lines[Number(path.dataset.line)].run === run) {
          path.classList.toggle("lit", on);
          if (on) path.parentNode.appendChild(path);
        }
  }

  /* ---- values under the pointer ---- */

  const PREFIXES = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]];
  function print(value) {
    const size = Math.abs(value);
    for (const [from, prefix] of PREFIXES)
      if (size >= from) return (value / (prefix === "k" ? 1e3 : from)).toPrecision(4) + prefix;
    return size !== 0 && size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(5)));
  }

  function nearest(line, xs, x) {
    let low = 0, high = xs.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (xs[middle] <= x) low = middle;
      else high = middle;
    }
    return Math.abs(xs[high] - x) < Math.abs(xs[low] - x) ? high : low;
  }

  function cell(parent, text) {
    const span = document.createElement("span");
    span.textContent = text;
    parent.appendChild(span);
    return span;
  }

  /* The lines that have a point there, those nearest to the pointer first where there are many. */
  function findRows(c, x, y) {
    const rows = [];
    for (const line of c.lines) {
      if (hidden.has(line.run) || line.step.length === 0) continue;
      const xs = line.step.map((s) => xOf(c, line.run, s)), i = nearest(line, xs, x);
      if (Math.abs(xs[i] - x) > 0.1 * (c.right - c.left)) continue;
      rows.push({ line, step: line.step[i], at: xs[i], value: line.mean[i], smoothed: line.smoothed[i],
        distance: Math.abs(yOf(c, line.smoothed[i]) - y) });
    }
    rows.sort((a, b) => a.distance - b.distance);
    return rows.slice(0, NEAREST);
  }

  function fillTip(tip, rows, c) {
    tip.textContent = "";
    const head = document.createElement("div"), first = rows[0];
    cell(head, scale === "steps" ? "step " + print(Math.round(first.step))
      : print(convert(first.line.run, first.step)) + " " + data.domain[scale + "_name"] + ", step " + print(Math.round(first.step)));
    tip.appendChild(head);
    rows.sort((a, b) => b.smoothed - a.smoothed);
    for (const row of rows) {
      const div = document.createElement("div"), name = cell(div, "");
      const key = document.createElement("i");
      key.className = "k" + row.line.colour;
      name.appendChild(key);
      name.appendChild(document.createTextNode(row.line.label || data.runs[row.line.run].name));
      const rough = row.line.exact || row.smoothed === row.value;
      cell(div, print(row.value) + (rough ? "" : "  (" + print(row.smoothed) + ")"));
      tip.appendChild(div);
    }
  }

  function follow(c) {
    if (c.lines.length === 0) return;
    const tip = document.createElement("div"), hint = document.createElementNS(SVG, "path");
    tip.className = "tip";
    tip.hidden = true;
    hint.setAttribute("class", "hint");
    c.svg.appendChild(hint);
    c.svg.parentNode.appendChild(tip);
    const leave = () => { tip.hidden = true; hint.setAttribute("d", ""); };
    c.svg.addEventListener("pointerleave", leave);
    c.svg.addEventListener("pointermove", (event) => {
      const box = c.svg.getBoundingClientRect(), unit = c.svg.viewBox.baseVal.width / box.width;
      const x = (event.clientX - box.left) * unit, y = (event.clientY - box.top) * unit;
      const rows = x < c.left || x > c.right ? [] : findRows(c, x, y);
      if (rows.length === 0) return leave();
      hint.setAttribute("d", "M" + rows[0].at.toFixed(1) + " " + c.top + "V" + c.bottom);
      fillTip(tip, rows, c);
      tip.hidden = false;
      const beside = event.clientX - box.left + 14, width = tip.offsetWidth;
      tip.style.left = Math.max(4, beside + width > box.width ? beside - width - 28 : beside) + "px";
      tip.style.top = Math.max(4, Math.min(event.clientY - box.top + 10, box.height - tip.offsetHeight - 4)) + "px";
    });
  }

  /* ---- controls ---- */

  for (const input of document.querySelectorAll("input[name=scale]")) {
    input.checked = input.value === scale;
    input.addEventListener("change", () => { scale = input.value; redraw(); });
  }
  const slider = document.getElementById("smoothing");
  if (slider) {
    slider.value = Math.sqrt(smoothing / 0.1) * 100;
    slider.addEventListener("input", () => { smoothing = 0.1 * (slider.value / 100) ** 2; redraw(); });
  }
  for (const box of document.querySelectorAll("input[data-run]"))
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(Number(box.dataset.run));
      else hidden.add(Number(box.dataset.run));
      showRuns();
    });
  for (const button of document.querySelectorAll("button[data-runs]"))
    button.addEventListener("click", () => {
      hidden.clear();
      if (button.dataset.runs === "none") data.runs.forEach((_, i) => hidden.add(i));
      showRuns();
    });
  for (const row of document.querySelectorAll("tr[data-run]")) {
    row.addEventListener("pointerenter", () => light(Number(row.dataset.run), true));
    row.addEventListener("pointerleave", () => light(Number(row.dataset.run), false));
  }
  redraw();
  showRuns();
  charts.forEach(follow);
})();
