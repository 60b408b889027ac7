"use strict";
// Draws the charts of the page from its data, as SVG, when they come into sight.
(() => {
  const HEIGHT = 210, LEFT = 54, RIGHT = 12, TOP = 10, BOTTOM = 24, MOST_DOTS = 40;
  const view = { log: false, smoothing: 0, axis: "step", hidden: new Set() };
  const drawn = new Map(); // figure -> what it shows, for the pointer
  let data = null, widths = new WeakMap();

  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const svg = (name, attributes = {}, text = "") => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    return element;
  };
  const html = (name, className, text = "") => {
    const element = document.createElement(name);
    element.className = className;
    element.textContent = text;
    return element;
  };
  const runClass = (run) => `run-${run % 8}`;

  // Numbers and ticks
  const shown = (value) => {
    if (value === null) return "not a number";
    const size = Math.abs(value);
    for (const [unit, name] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]])
      if (size >= unit) return `${+(value / (name === "k" ? 1e3 : unit)).toPrecision(4)}${name}`;
    return size && size < 1e-3 ? (+value.toPrecision(3)).toExponential() : `${+value.toPrecision(4)}`;
  };
  const spread = (low, high, count) => {
    const rough = (high - low) / count || 1, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((x) => x * power >= rough) * power, ticks = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(i * step);
    return ticks;
  };
  const powers = (low, high) => {
    const ticks = [];
    for (let p = Math.floor(Math.log10(low)); p <= Math.log10(high); p++)
      for (const x of [1, 2, 5]) ticks.push(x * 10 ** p);
    const inside = ticks.filter((x) => x >= low * 0.999 && x <= high * 1.001);
    const tens = inside.filter((x) => Math.abs(Math.log10(x) % 1) < 1e-9);
    return tens.length > 2 ? tens : inside.length > 1 ? inside : spread(low, high, 4);
  };

  // What is drawn of a curve: [x, y] pairs, null where it has no number
  const onAxis = (run, steps) => {
    if (view.axis === "step") return steps;
    const [from, to] = data.runs[run].axes[view.axis];
    let i = 0;
    return steps.map((step) => {
      while (i + 1 < from.length - 1 && from[i + 1] < step) i++;
      if (from.length < 2 || step <= from[0]) return to[0] * (from[0] ? step / from[0] : 1);
      const share = Math.min((step - from[i]) / (from[i + 1] - from[i]), 1);
      return to[i] + share * (to[i + 1] - to[i]);
    });
  };
  const smoothed = (ys) => {
    let mean = 0, weight = 0;
    return ys.map((y) => {
      if (y === null) return null;
      mean = view.smoothing * mean + (1 - view.smoothing) * y;
      weight = view.smoothing * weight + (1 - view.smoothing);
      return mean / weight;
    });
  };
  const prepared = (curve) => {
    const xs = onAxis(curve.run, curve.x), smooth = view.smoothing > 0 && curve.y.length > 3;
    const [steps, means] = curve.means && smooth ? curve.means : [curve.x, curve.y];
    return { ...curve, xs, smooth, lineXs: onAxis(curve.run, steps), line: smooth ? smoothed(means) : means };
  };

  function draw(figure) {
    const chart = data.charts[figure.dataset.chart], plot = figure.querySelector(".plot");
    const width = Math.max(plot.clientWidth, 200);
    const curves = chart.curves.filter((c) => !view.hidden.has(c.run)).map(prepared);
    const fits = (y) => y !== null && (!view.log || y > 0);
    const ys = curves.flatMap((c) => [...c.y, ...(c.low ?? []), ...(c.high ?? [])]).filter(fits);
    if (fits(chart.baseline) && ys.length) ys.push(chart.baseline);
    const xs = curves.flatMap((c) => c.xs);
    const root = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" });
    plot.replaceChildren(root);
    drawn.delete(figure);
    if (!ys.length) {
      root.append(svg("text", { x: LEFT, y: HEIGHT / 2 },
        curves.length ? "No numbers to show on this scale." : "All of its runs are hidden."));
      return;
    }
    let [low, high] = [ys.reduce((a, b) => Math.min(a, b)), ys.reduce((a, b) => Math.max(a, b))];
    if (low === high) [low, high] = view.log ? [low / 2, high * 2] : [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
    const least = xs.reduce((a, b) => Math.min(a, b)), last = xs.reduce((a, b) => Math.max(a, b)) || 1;
    const first = least > last / 2 && least < last ? least : 0; // what began late fills the chart
    const bend = view.log ? Math.log : (y) => y;
    const px = (x) => LEFT + ((x - first) / (last - first)) * (width - LEFT - RIGHT);
    const py = (y) => HEIGHT - BOTTOM - ((bend(y) - bend(low)) / (bend(high) - bend(low))) * (HEIGHT - TOP - BOTTOM);

    for (const y of view.log ? powers(low, high) : spread(low, high, 4)) {
      root.append(svg("line", { x1: LEFT, x2: width - RIGHT, y1: py(y), y2: py(y), class: "line" }));
      root.append(svg("text", { x: LEFT - 6, y: py(y) + 4, "text-anchor": "end" }, shown(y)));
    }
    for (const x of spread(first, last, Math.max(2, Math.floor(width / 110)))) {
      const anchor = px(x) > width - 30 ? "end" : "middle";
      root.append(svg("text", { x: px(x), y: HEIGHT - 7, "text-anchor": anchor }, shown(x)));
    }
    data.runs.forEach((run, i) => {
      if (view.hidden.has(i)) return;
      const places = onAxis(i, run.events.map((event) => event.step));
      run.events.forEach((event, j) => places[j] > first && places[j] <= last && root.append(
        svg("line", { x1: px(places[j]), x2: px(places[j]), y1: TOP, y2: HEIGHT - BOTTOM, class: event.kind })));
    });
    if (fits(chart.baseline)) {
      const y = py(chart.baseline);
      root.append(svg("line", { x1: LEFT, x2: width - RIGHT, y1: y, y2: y, class: "baseline" }));
      root.append(svg("text", { x: width - RIGHT, y: y + (y < TOP + 14 ? 12 : -4), "text-anchor": "end" }, "baseline"));
    }
    for (const curve of curves) root.append(...marks(curve, fits, px, py));
    const cross = svg("g", { visibility: "hidden" });
    root.append(cross);
    drawn.set(figure, { curves, px, py, fits, cross, width, first, last, at: null,
      stops: [...new Set(curves.flatMap((c) => c.xs))].sort((a, b) => a - b) });
  }

  function marks(curve, fits, px, py) {
    const path = (xs, ys) => {
      let text = "", pen = "M";
      ys.forEach((y, i) => {
        text += fits(y) ? `${pen}${px(xs[i]).toFixed(1)} ${py(y).toFixed(1)}` : "";
        pen = fits(y) ? "L" : "M";
      });
      return text;
    };
    const kind = `${runClass(curve.run)} ${curve.label}`, found = [];
    if (curve.low && curve.low.some(fits)) {
      const there = curve.xs.map((_, i) => i).filter((i) => fits(curve.low[i]) && fits(curve.high[i]));
      const side = (ys, order) => order.map((i) => `${px(curve.xs[i]).toFixed(1)} ${py(ys[i]).toFixed(1)}`).join("L");
      found.push(svg("path", { d: `M${side(curve.high, there)}L${side(curve.low, [...there].reverse())}Z`, class: `band ${kind}` }));
    }
    if (curve.smooth) found.push(svg("path", { d: path(curve.xs, curve.y), class: `curve raw ${kind}` }));
    found.push(svg("path", { d: path(curve.lineXs, curve.line), class: `curve ${kind}` }));
    if (curve.y.length <= (curve.label === "eval" ? MOST_DOTS : 2))
      curve.y.forEach((y, i) => fits(y) && found.push(
        svg("circle", { cx: px(curve.xs[i]), cy: py(y), r: 2.6, class: `dot ${kind}` })));
    return found;
  }

  // Pointer and keys
  const nearest = (sorted, x) => {
    let low = 0, high = sorted.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < x) low = middle; else high = middle;
    }
    return Math.abs(sorted[low] - x) <= Math.abs(sorted[high] - x) ? low : high;
  };
  function show(figure, stop) {
    const it = drawn.get(figure);
    if (!it) return;
    it.at = Math.max(0, Math.min(stop, it.stops.length - 1));
    const x = it.stops[it.at], tip = figure.querySelector(".tip");
    it.cross.replaceChildren(svg("line", { x1: it.px(x), x2: it.px(x), y1: TOP, y2: HEIGHT - BOTTOM, class: "cross" }));
    const unit = { step: "step", tokens: "tokens", hours: "hours" }[view.axis];
    tip.replaceChildren(html("b", "", view.axis === "step" ? `step ${x.toLocaleString("en")}` : `${shown(x)} ${unit}`));
    for (const curve of it.curves) {
      const i = nearest(curve.xs, x);
      if (!curve.xs.length || Math.abs(it.px(curve.xs[i]) - it.px(x)) > 40) continue;
      const row = html("div", ""), name = [data.runs[curve.run].name, curve.label];
      row.append(html("span", `run ${runClass(curve.run)}`, name.filter(Boolean).join(" ")));
      row.append(html("span", "", shown(curve.y[i])));
      tip.append(row);
      if (it.fits(curve.y[i])) it.cross.append(
        svg("circle", { cx: it.px(curve.xs[i]), cy: it.py(curve.y[i]), r: 3.5, class: `at ${runClass(curve.run)}` }));
    }
    it.cross.setAttribute("visibility", "visible");
    tip.hidden = false;
    const place = it.px(x) + (it.px(x) > it.width / 2 ? -tip.offsetWidth - 12 : 12);
    tip.style.left = `${Math.max(0, Math.min(place, it.width - tip.offsetWidth))}px`;
    tip.style.top = `${figure.querySelector(".plot").offsetTop + 14}px`;
  }
  function hide(figure) {
    figure.querySelector(".tip").hidden = true;
    drawn.get(figure)?.cross.setAttribute("visibility", "hidden");
  }
  function pointed(event) {
    const figure = event.target.closest?.(".chart"), it = figure && drawn.get(figure);
    if (!it) return;
    const x = event.clientX - figure.querySelector(".plot").getBoundingClientRect().left;
    const share = (x - LEFT) / (it.width - LEFT - RIGHT);
    show(figure, nearest(it.stops, it.first + share * (it.last - it.first)));
  }
  function pressed(event) {
    const figure = event.target.closest?.(".chart"), it = figure && drawn.get(figure);
    if (!it || event.target !== figure) return;
    const end = it.stops.length - 1, at = it.at ?? end;
    const stop = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: end }[event.key];
    if (event.key === "Escape") hide(figure);
    else if (stop !== undefined) { event.preventDefault(); show(figure, stop); }
  }

  // What is in sight is drawn now, the rest when it comes
  const inSight = new Set();
  const sight = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) { inSight.delete(target); continue; }
      inSight.add(target);
      if (!drawn.has(target)) draw(target);
    }
  }, { rootMargin: "300px" });
  const size = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      if (widths.get(target) !== contentRect.width && drawn.has(target)) draw(target);
      widths.set(target, contentRect.width);
    }
  });
  function redraw() {
    drawn.clear();
    for (const figure of [...inSight]) figure.isConnected ? draw(figure) : inSight.delete(figure);
  }
  function adopt(root) {
    for (const figure of all(".chart", root)) {
      sight.observe(figure);
      size.observe(figure);
      figure.addEventListener("pointerleave", () => hide(figure));
      figure.addEventListener("blur", () => hide(figure));
    }
  }
  function tools() {
    const on = (id, event, act) => document.getElementById(id)?.addEventListener(event, act);
    on("log", "change", (e) => { view.log = e.target.checked; redraw(); });
    on("axis", "change", (e) => { view.axis = e.target.value; redraw(); });
    on("smoothing", "input", (e) => {
      view.smoothing = e.target.value / 100;
      document.getElementById("smoothed").value = view.smoothing;
      redraw();
    });
    for (const button of all(".tools button")) button.addEventListener("click", () => {
      const run = +button.dataset.run, hidden = view.hidden.delete(run);
      if (!hidden) view.hidden.add(run);
      button.setAttribute("aria-pressed", hidden);
      redraw();
    });
  }
  const load = () => { data = JSON.parse(document.getElementById("page-data").textContent); };

  // A newer version of the page takes the place of this one, part by part; what was opened stays so
  const parts = (root) => all("[data-part]", root);
  const source = new Map(parts(document).map((part) => [part.id, part.outerHTML]));
  function replace(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    const choices = ".tools button, .tools option, .tools .key";
    if (all(choices, page).length !== all(choices).length) { location.reload(); return; }
    document.title = page.title;
    const focus = document.activeElement?.id;
    const opened = new Map(all("details[id]").map((d) => [d.id, d.open]));
    const old = parts(document), fresh = parts(page).map((part) => document.adoptNode(part));
    for (const part of old) if (!fresh.some((f) => f.id === part.id)) part.remove();
    let before = null;
    for (const part of fresh) {
      const here = document.getElementById(part.id), html = part.outerHTML;
      let now = here;
      if (!here || source.get(part.id) !== html) {
        for (const d of all("details[id]", part)) if (opened.has(d.id)) d.open = opened.get(d.id);
        for (const figure of here ? all(".chart", here) : []) {
          sight.unobserve(figure);
          size.unobserve(figure);
          inSight.delete(figure);
        }
        if (here) here.replaceWith(part); else before.after(part);
        source.set(part.id, html);
        adopt(part);
        now = part;
      }
      before = now;
    }
    load();
    redraw();
    if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
  }

  load();
  adopt(document);
  tools();
  document.addEventListener("pointermove", pointed);
  document.addEventListener("pointerdown", pointed);
  document.addEventListener("keydown", pressed);
  window.t2t = { replace };
})();
