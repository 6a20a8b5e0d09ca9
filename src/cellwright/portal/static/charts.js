// Draws the bar charts of a page with ECharts, in the colours of its style; without ECharts the page keeps its own bars.
"use strict";

(() => {
  if (!window.echarts) return;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const option = (chart) => {
    const text = { color: colour("--muted"), fontFamily: getComputedStyle(document.body).fontFamily };
    const line = { lineStyle: { color: colour("--line") } };
    return {
      animation: false,
      aria: { enabled: true },
      textStyle: text,
      grid: { left: 4, right: 24, top: 36, bottom: 28, containLabel: true },
      legend: { top: 0, left: 0, itemWidth: 12, itemHeight: 12, textStyle: text },
      tooltip: {
        trigger: "axis",
        renderMode: "richText", // drawn on the canvas: HTML tooltips need inline styles, which the policy forbids
        axisPointer: { type: "shadow" },
        backgroundColor: colour("--surface"),
        borderColor: colour("--line"),
        textStyle: { ...text, color: colour("--ink") },
        valueFormatter: (value) => `${value.toLocaleString("en", { maximumFractionDigits: 2 })} ${chart.unit}`,
      },
      xAxis: { type: "value", name: chart.unit, nameLocation: "middle", nameGap: 28, axisLabel: text, splitLine: line },
      yAxis: {
        type: "category",
        data: chart.categories,
        inverse: true,
        axisTick: { show: false },
        axisLine: line,
        axisLabel: { ...text, color: colour("--ink"), width: Math.min(190, innerWidth / 3), overflow: "truncate" },
      },
      series: chart.series.map((series) => ({
        type: "bar",
        name: series.name,
        stack: chart.stacked ? "all" : undefined,
        data: series.values,
        barMaxWidth: 16,
        itemStyle: { color: colour(series.colour), borderColor: colour("--surface"), borderWidth: 0.5 },
      })),
    };
  };

  const draw = (place) => {
    const chart = JSON.parse(place.dataset.chart);
    const rows = chart.categories.length * (chart.stacked ? 30 : 18 * chart.series.length + 12);
    place.hidden = false;
    place.style.height = `${rows + 104}px`;
    const drawn = echarts.init(place, null, { renderer: "canvas" });
    const paint = () => drawn.setOption(option(chart), true);
    paint();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
    new ResizeObserver(() => drawn.resize()).observe(place);
    const plain = document.getElementById(place.dataset.plain);
    if (plain) plain.hidden = true;
  };

  document.querySelectorAll("[data-chart]").forEach(draw);
})();
