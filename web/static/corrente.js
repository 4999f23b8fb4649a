// What pages do beside htmx: light and dark, copying, charts, the search key, forms that are sent once. A page works without it.
"use strict";
(() => {
  const on = (kind, what, act) =>
    document.addEventListener(kind, (event) => {
      const found = event.target instanceof Element ? event.target.closest(what) : null;
      if (found) act(found, event);
    });

  on("click", "[data-theme-switch]", () => {
    window.correnteTheme(document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark");
    drawAll(document);
  });
  on("click", "[data-back]", () => history.back());
  on("click", "[data-print]", () => window.print());
  on("click", "[data-copy]", async (button) => {
    // Without HTTPS a browser has no clipboard to write to: what is to be copied is marked then.
    if (!navigator.clipboard) {
      const shown = button.closest(".copyable, .told-once")?.querySelector("ol, code");
      if (shown) window.getSelection().selectAllChildren(shown);
      return;
    }
    await navigator.clipboard.writeText(button.dataset.copy);
    button.classList.add("text-success");
    setTimeout(() => button.classList.remove("text-success"), 1200);
  });
  // Who types below one of several choices has chosen it.
  on("input", "[data-chooses] :is(input, select, textarea)", (field) => {
    const choice = document.getElementById(field.closest("[data-chooses]").dataset.chooses);
    if (choice) choice.checked = true;
  });
  // What notes and coins come to while they are counted; in thousandths, which every currency's coins are whole numbers of.
  const add = (counted) => {
    const fields = [...counted.querySelectorAll("[data-worth]")];
    const sum = fields.reduce((all, one) => all + Math.round(Number(one.dataset.worth) * 1000) * (Number(one.value) || 0), 0);
    const shown = new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency: counted.dataset.currency });
    const place = counted.querySelector("[data-pieces-sum]");
    place.textContent = shown.format(sum / 1000);
    place.parentElement.hidden = !fields.some((one) => one.value);
  };
  on("input", "[data-worth]", (field) => add(field.closest("[data-pieces]")));
  document.querySelectorAll("[data-pieces]").forEach(add);
  on("change", "[data-submit]", (field) => field.form.requestSubmit());
  // All boxes of a list at once, and how many are chosen.
  const tell = (name) => {
    const boxes = [...document.querySelectorAll(`input[type=checkbox][name="${name}"]`)];
    const chosen = boxes.filter((box) => box.checked).length;
    document.querySelectorAll(`[data-chosen-of="${name}"]`).forEach((place) => (place.textContent = chosen));
    document.querySelectorAll(`[data-needs-chosen="${name}"]`).forEach((part) => {
      part.hidden = chosen === 0;
    });
    const all = document.querySelector(`[data-all-of="${name}"]`);
    if (all) all.indeterminate = chosen > 0 && chosen < boxes.length;
  };
  on("change", "[data-all-of]", (all) => {
    const name = all.dataset.allOf;
    document.querySelectorAll(`input[type=checkbox][name="${name}"]`).forEach((box) => (box.checked = all.checked));
    tell(name);
  });
  on("change", "input[type=checkbox][name]", (box) => tell(box.name));

  // A form is sent once: its buttons rest until the answer is there, or the page is shown again from the browser's memory.
  document.addEventListener("submit", (event) => {
    const buttons = event.target.querySelectorAll("[data-once]");
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = buttons.length ? "yes" : "";
    setTimeout(() => buttons.forEach((button) => (button.disabled = true)));
  });
  const rested = () =>
    document.querySelectorAll("form[data-sent]").forEach((form) => {
      delete form.dataset.sent;
      form.querySelectorAll("[data-once]").forEach((button) => (button.disabled = false));
    });
  window.addEventListener("pageshow", (event) => event.persisted && rested());
  document.addEventListener("htmx:afterRequest", rested);

  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input, textarea, select, [contenteditable]")) return;
    const search = document.querySelector("[data-search]");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });

  // Charts over time: what is drawn stands in the page as JSON.
  const steps = (base, units) => (value) => {
    if (value === null || value === undefined) return "";
    let at = 0;
    while (Math.abs(value) >= base && at < units.length - 1) [value, at] = [value / base, at + 1];
    return `${new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 }).format(value)} ${units[at]}`.trim();
  };
  const kinds = {
    number: steps(Infinity, [""]),
    octets: steps(1000, ["B", "kB", "MB", "GB", "TB", "PB"]),
    rate: steps(1000, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]),
    share: steps(Infinity, ["%"]),
  };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // Days and times as the reader has them, where the operator is; the day stands where it changes.
  const { lang: words, dataset } = document.documentElement;
  // As the pages' own days and times are written: web/language.py.
  const lang = words === "en" ? "en-GB" : words;
  const zone = dataset.zone || "UTC";
  const shaped = (options) => new Intl.DateTimeFormat(lang, { timeZone: zone, ...options });
  const day = shaped({ day: "numeric", month: "short" });
  const time = shaped({ hour: "2-digit", minute: "2-digit" });
  const second = shaped({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const moment = shaped({ dateStyle: "medium", timeStyle: "short" });
  const moments = (_, ticks, __, ___, apart) => {
    let last = "";
    return ticks.map((at) => {
      const when = new Date(at * 1000);
      if (apart >= 86400) return day.format(when);
      const today = day.format(when);
      const first = today !== last;
      last = today;
      const shown = (apart < 60 ? second : time).format(when);
      return first ? `${shown}\n${today}` : shown;
    });
  };
  const draw = (place) => {
    const source = document.getElementById(place.dataset.chart);
    if (!window.uPlot || !source) return;
    const { x, series } = JSON.parse(source.textContent);
    const format = kinds[series[0]?.kind ?? "number"];
    const axis = { stroke: colour("--chart-words"), grid: { stroke: colour("--chart-grid"), width: 1 }, ticks: { show: false } };
    place.chart?.destroy();
    place.replaceChildren();
    place.chart = new uPlot(
      {
        width: place.clientWidth || 600,
        height: Number(place.dataset.height) || 220,
        cursor: { y: false },
        scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
        tzDate: (at) => uPlot.tzDate(new Date(at * 1000), zone),
        axes: [{ ...axis, space: 64, values: moments }, { ...axis, size: 74, values: (_, ticks) => ticks.map(format) }],
        series: [
          { label: place.dataset.moment, value: (_, at) => (at === null ? "" : moment.format(new Date(at * 1000))) },
          ...series.map((one, index) => ({
            label: one.label,
            stroke: colour(`--chart-${index + 1}`),
            width: 1.75,
            fill: series.length === 1 ? `${colour("--chart-1")}22` : undefined,
            points: { show: false },
            value: (_, value) => kinds[one.kind ?? "number"](value),
          })),
        ],
      },
      [x, ...series.map((one) => one.values)],
      place,
    );
  };
  const drawAll = (root) => root.querySelectorAll("[data-chart]").forEach(draw);
  const watched = new ResizeObserver((seen) =>
    seen.forEach(({ target, contentRect }) => target.chart?.setSize({ width: contentRect.width, height: target.chart.height })),
  );
  const begin = (root) => {
    drawAll(root);
    root.querySelectorAll("[data-chart]").forEach((place) => watched.observe(place));
    root.querySelectorAll("[data-all-of]").forEach((all) => tell(all.dataset.allOf));
  };
  // A live part may bring a chart's new figures: <script type="application/json" data-chart-of="ID"> with its end, which takes the
  // place of what the chart has from its first moment on. What is longer ago than its `span` seconds goes out at the other side.
  const renew = (part) =>
    part.querySelectorAll("script[data-chart-of]").forEach((script) => {
      const place = document.getElementById(script.dataset.chartOf);
      const source = place && document.getElementById(place.dataset.chart);
      const news = JSON.parse(script.textContent);
      if (!source || !news.x.length) return;
      const old = JSON.parse(source.textContent);
      const kept = old.x.filter((at) => at < news.x[0]).length;
      const x = [...old.x.slice(0, kept), ...news.x];
      const from = x.findIndex((at) => x.at(-1) - at <= (news.span ?? Infinity));
      const series = old.series.map((one, index) => ({
        ...one,
        values: [...one.values.slice(0, kept), ...news.series[index].values].slice(from),
      }));
      source.textContent = JSON.stringify({ x: x.slice(from), series });
      if (place.chart) place.chart.setData([x.slice(from), ...series.map((one) => one.values)]);
    });
  begin(document);
  document.addEventListener("htmx:load", (event) => {
    begin(event.detail.elt);
    renew(event.detail.elt.parentElement ?? event.detail.elt);
  });
  window.correnteChart = { draw, kinds };
})();
