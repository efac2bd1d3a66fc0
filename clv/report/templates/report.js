"use strict";
// The sliders: stored curves in, one number, one band and one sentence out. Nothing is fetched.
(() => {
  const data = JSON.parse(document.getElementById("live-data").textContent);
  if (!data.levers.length) return;
  const $ = (id) => document.getElementById(id);
  const number = (x, digits) => new Intl.NumberFormat(data.language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(Math.abs(x));
  const money = (x, signed = true) => {
    let size = Math.abs(x);
    if (size >= 9999.5) size = Number(size.toPrecision(3));
    const large = size >= 999500;
    const text = large ? number(size / 1e6, 2) : number(size, size >= 99.995 ? 0 : 2);
    const sign = /[1-9]/.test(text) ? (x < 0 ? "−" : signed ? "+" : "") : "";
    const scale = large ? (data.language === "de" ? "\u00a0Mio." : " million") : "";
    return sign + data.money[0] + text + scale + data.money[1];
  };
  const shown = (lever, x) => {
    if (lever.unit !== "seconds") return number(100 * x, 0) + (data.language === "de" ? "\u00a0%" : "%");
    const whole = Math.round(x);
    return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}\u00a0min`;
  };
  const fill = (key, values) => data.texts[key].replace(/\*\*/g, "").replace(/\{(\w+)\}/g, (_, name) => values[name]);

  // Value at a position, between the two stored points around it. Another cost per minute moves
  // the curve by the minutes that the position adds: exactly, since minutes scale with the policy.
  const at = (lever, x, cost) => {
    const c = lever.curve;
    let i = 1;
    while (i < c.length - 1 && c[i][0] < x) i += 1;
    const [a, b] = [c[i - 1], c[i]];
    const w = Math.min(1, Math.max(0, (x - a[0]) / (b[0] - a[0])));
    const shift = lever.cost === null || lever.minutes === null ? 0 : (lever.cost - cost) * lever.minutes * (x / lever.current - 1);
    return [1, 2, 3].map((k) => a[k] + w * (b[k] - a[k]) + shift);
  };

  const svg = (name, attributes, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const ticks = (low, high, wanted) => {
    const raw = (high - low) / wanted, unit = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= raw);
    const found = [];
    for (let t = Math.ceil(low / step) * step; t <= high + step * 1e-9; t += step) found.push(Math.abs(t) < step * 1e-9 ? 0 : t);
    return found;
  };

  const draw = (lever, position, cost) => {
    const box = $(lever.id), W = Math.max(260, Math.round(box.parentNode.clientWidth - parseFloat(getComputedStyle(box.parentNode).paddingLeft) * 2)), H = W < 400 ? 230 : 260;
    const pad = { left: 52, right: 10, top: 24, bottom: 32 };
    const first = lever.curve[0][0], last = lever.curve[lever.curve.length - 1][0];
    const points = lever.curve.map((p) => [p[0], ...at(lever, p[0], cost)]);
    const inside = points.filter((p) => p[0] > lever.low && p[0] < lever.high);
    for (const end of [lever.low, lever.high]) if (end >= first && end <= last) inside.push([end, ...at(lever, end, cost)]);
    inside.sort((a, b) => a[0] - b[0]);
    const values = inside.flatMap((p) => [p[2], p[3]]).concat(0);
    const floor = Math.min(...values), roof = Math.max(...values), air = 0.12 * (roof - floor || 1);
    const [low, high] = [floor - air, roof + air];
    const X = (x) => pad.left + ((x - first) / (last - first)) * (W - pad.left - pad.right);
    const Y = (y) => H - pad.bottom - ((y - low) / (high - low)) * (H - pad.top - pad.bottom);
    const path = (list, k) => list.map((p, i) => `${i ? "L" : "M"}${X(p[0]).toFixed(1)},${Y(p[k]).toFixed(1)}`).join("");
    const picture = svg("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" });
    const add = (...parts) => picture.appendChild(svg(...parts));
    const clip = `${lever.id}-clip`;
    add("clipPath", { id: clip }).appendChild(svg("rect", { x: pad.left, y: pad.top, width: W - pad.left - pad.right, height: H - pad.top - pad.bottom }));
    for (const t of ticks(low, high, 5)) {
      add("line", { x1: pad.left, x2: W - pad.right, y1: Y(t), y2: Y(t), stroke: t === 0 ? "var(--muted)" : "var(--line)" });
      const whole = Math.abs(high - low) >= 10;
      const label = data.money[0] + number(t, whole ? 0 : 1) + data.money[1];
      add("text", { x: pad.left - 8, y: Y(t) + 4, "text-anchor": "end" }, (t < 0 ? "−" : "") + label);
    }
    const factor = lever.unit === "seconds" ? 60 : 0.01;
    for (const t of ticks(first / factor, last / factor, W < 400 ? 4 : 6)) add("text", { x: X(t * factor), y: H - 10, "text-anchor": "middle" }, lever.unit === "seconds" ? `${number(t, t % 1 ? 1 : 0)}\u00a0min` : `${number(t, 0)}%`);
    add("path", { d: `${path(inside, 2)}${path([...inside].reverse(), 3).replace("M", "L")}Z`, fill: "var(--soft)", "clip-path": `url(#${clip})` });
    add("path", { d: path(points, 1), fill: "none", stroke: "var(--muted)", "stroke-dasharray": "2 4", "stroke-width": 1.5, "clip-path": `url(#${clip})` });
    add("path", { d: path(inside, 1), fill: "none", stroke: "var(--accent)", "stroke-width": 2.5 });
    add("line", { x1: X(lever.current), x2: X(lever.current), y1: pad.top, y2: H - pad.bottom, stroke: "var(--ink)", "stroke-dasharray": "3 3" });
    add("text", { x: X(lever.current), y: 14, "text-anchor": "middle", class: "strong" }, data.texts.today);
    add("circle", { cx: X(position), cy: Y(at(lever, position, cost)[0]), r: 7, fill: "var(--accent)", stroke: "var(--card)", "stroke-width": 3, class: "position" });
    box.replaceChildren(picture);
  };

  const tried = data.levers.filter((lever) => $(`in-${lever.behaviour}`));
  const priced = tried.find((lever) => lever.cost !== null && lever.minutes !== null);
  const inputs = new Map(tried.map((lever) => [lever, $(`in-${lever.behaviour}`)]));
  for (const [lever, input] of inputs) {
    // The track reaches a little beyond the support, so that the limit is felt and explained.
    const air = 0.12 * (lever.high - lever.low), step = lever.unit === "seconds" ? 1 : 0.001;
    const whole = (round, x) => (round(x / step) * step).toFixed(3);
    Object.assign(input, { min: whole(Math.floor, lever.low - air), max: whole(Math.ceil, lever.high + air), step });
    input.value = lever.current;
  }
  const money_input = $("in-cost");
  if (priced) {
    Object.assign(money_input, { min: 0, max: Math.max(2, 3 * priced.cost), step: 0.05 });
    money_input.value = priced.cost;
    $("cost-label").hidden = false;
  }

  const update = () => {
    const cost = priced ? Number(money_input.value) : 0;
    let net = 0, below = 0, above = 0, stop = "", moved = false;
    const where = [];
    for (const [lever, input] of inputs) {
      let x = Number(input.value);
      if (x < lever.low || x > lever.high) {
        const low = x < lever.low;
        x = low ? lever.low : lever.high;
        stop = fill(low ? "stop_low" : "stop_high", { limit: shown(lever, x) });
        input.value = x;
      }
      // A slider's own steps must not turn today's setting into a change.
      if (Math.abs(x - lever.current) <= Number(input.step)) x = lever.current; else moved = true;
      const [value, low, high] = at(lever, x, cost);
      net += value; below += value - low; above += high - value;
      where.push(shown(lever, x));
      $(`out-${lever.behaviour}`).textContent = shown(lever, x);
      input.setAttribute("aria-valuetext", shown(lever, x));
    }
    for (const lever of data.levers) {
      const input = inputs.get(lever);
      const x = input ? Math.min(lever.high, Math.max(lever.low, Number(input.value))) : lever.current;
      draw(lever, x, priced ? cost : lever.cost);
    }
    if (priced) {
      $("out-cost").textContent = money(cost, false);
      money_input.setAttribute("aria-valuetext", money(cost, false));
    }
    if (!tried.length) return;
    const [low, high] = [net - below, net + above];
    const position = where.length > 1 ? fill("both", { handle: where[0], empathy: where[1] }) : where[0];
    const key = !moved ? "same" : low > 0 ? "gain" : high < 0 ? "loss" : "unclear";
    const value = $("live-value");
    value.textContent = money(net);
    value.className = `value ${key === "loss" ? "down" : key === "gain" ? "" : "open"}`;
    $("live-band").textContent = `${money(low)} – ${money(high)}`;
    // Of two behaviours, the one with an occasion in more contacts counts them.
    const base = tried.filter((lever) => lever.contacts && lever.year).sort((a, b) => b.contacts - a.contacts)[0];
    $("live-total").textContent = base && moved ? fill("for_all", { year: money((net * base.year) / base.contacts), contact: money(net / base.contacts) }) : "";
    $("live-sentence").textContent = fill(key, { position, value: money(net, false).replace("−", "") });
    $("live-stop").textContent = stop;
  };
  for (const input of [...inputs.values(), money_input]) input.addEventListener("input", update);
  const go = (position) => {
    for (const [lever, input] of inputs) input.value = position(lever);
    if (priced) money_input.value = priced.cost;
    update();
  };
  $("reset").addEventListener("click", () => go((lever) => lever.current));
  const recommended = (lever) => lever.best ?? lever.current;
  $("recommended").addEventListener("click", () => go(recommended));
  $("recommended").hidden = !tried.some((lever) => lever.best !== null);
  window.addEventListener("resize", update);
  if (tried.length) $("try").hidden = false;
  go(recommended);
})();
