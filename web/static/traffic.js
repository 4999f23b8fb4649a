// The traffic of a live session: each part that the server sends brings all rates so far.
"use strict";
(() => {
  const place = document.querySelector("[data-traffic-chart]");
  const box = document.querySelector("[data-traffic]");
  if (!place || !box || !window.uPlot) return;
  let plot = null;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const make = (data) => {
    const format = window.correnteChart.kinds.rate;
    const axis = { stroke: colour("--chart-words"), grid: { stroke: colour("--chart-grid"), width: 1 }, ticks: { show: false } };
    const line = (label, number) => ({ label, stroke: colour(`--chart-${number}`), width: 1.75, points: { show: false }, value: (_, v) => format(v) });
    plot = new uPlot(
      {
        width: place.clientWidth || 600,
        height: 200,
        cursor: { y: false },
        scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
        axes: [axis, { ...axis, size: 84, values: (_, ticks) => ticks.map(format) }],
        series: [
          { label: place.dataset.moment, value: (_, at) => (at === null ? "" : new Date(at * 1000).toLocaleTimeString(document.documentElement.lang)) },
          line(place.dataset.down, 1),
          line(place.dataset.up, 2),
        ],
      },
      data,
      place,
    );
  };
  const show = () => {
    const brought = box.querySelector("[data-traffic-samples]");
    const data = brought ? JSON.parse(brought.textContent) : [];
    const drawn = data.length === 3 && data[0].length > 1;
    place.hidden = !drawn;
    if (!drawn) return;
    if (plot) plot.setData(data);
    else make(data);
  };
  new ResizeObserver(([{ contentRect }]) => plot?.setSize({ width: contentRect.width, height: 200 })).observe(place);
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-theme-switch]") && plot) {
      plot.destroy();
      plot = null;
      show();
    }
  });
  box.addEventListener("htmx:sseMessage", show);
  show();
})();
