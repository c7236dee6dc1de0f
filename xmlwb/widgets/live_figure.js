// A plotly figure that is redrawn in place. plotly.js itself comes from figure.py's runtime widget, once for all figures.

const GRACE_MS = 30000;

// Whoever comes first, runtime or figure, makes the slot; the runtime fills it.
function plotlySlot() {
  if (!globalThis.xmlwbPlotly) {
    const slot = {};
    slot.ready = new Promise((resolve) => { slot.resolve = resolve; });
    globalThis.xmlwbPlotly = slot;
  }
  return globalThis.xmlwbPlotly;
}

function inTime(promise, milliseconds) {
  const late = new Promise((_, reject) =>
    setTimeout(() => reject(new Error("plotly.js did not arrive; run the cell again")), milliseconds));
  return Promise.race([promise, late]);
}

async function render({ model, el }) {
  const plot = document.createElement("div");
  plot.className = "xmlwb-figure";
  plot.setAttribute("role", "figure");
  plot.style.width = "100%";
  el.appendChild(plot);

  let drawing = false;
  let stale = false;
  let gone = false;

  // The count makes a second click on the same point news, too.
  function tell({ points }) {
    const customdata = points[0]?.customdata;
    if (customdata === undefined || customdata === null) return;
    model.set("clicked", { customdata, count: (model.get("clicked").count ?? 0) + 1 });
    model.save_changes();
  }

  // One drawing at a time; of the figures that arrive meanwhile only the last is drawn.
  async function draw() {
    if (drawing) { stale = true; return; }
    drawing = true;
    try {
      do {
        stale = false;
        const source = model.get("figure");
        if (gone || !source) break;
        const figure = JSON.parse(source);
        plot.setAttribute("aria-label", model.get("alt"));
        plot.style.minHeight = `${figure.layout.height ?? 420}px`;  // the page below does not jump
        const Plotly = await inTime(plotlySlot().ready, GRACE_MS);
        await Plotly.react(plot, figure.data, figure.layout, { responsive: true, displaylogo: false });
        if (!plot.dataset.drawn) plot.on("plotly_click", tell);
        plot.dataset.drawn = String(Number(plot.dataset.drawn ?? 0) + 1);
      } while (stale);
    } catch (error) {
      plot.textContent = `This figure cannot be drawn: ${error.message}`;
    } finally {
      drawing = false;
    }
  }

  const fit = new ResizeObserver(() => {
    if (globalThis.Plotly && plot.data && plot.offsetWidth > 0) globalThis.Plotly.Plots.resize(plot);
  });
  fit.observe(el);
  model.on("change:figure", draw);
  draw();

  return () => {
    gone = true;
    fit.disconnect();
    model.off("change:figure", draw);
    if (globalThis.Plotly && plot.data) globalThis.Plotly.purge(plot);
  };
}

export default { render };
