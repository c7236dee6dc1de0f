// Draws the figures when they come into view, and lets sliders move among what was drawn ahead. No network, no kernel.
"use strict";

const CONFIG = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["lasso2d", "select2d"] };

function withTemplate(spec) {
  const layout = { ...spec.layout };
  if (layout.template === "xmlwb") layout.template = window.xmlwbTemplate;
  delete layout.width;
  layout.autosize = true;
  return { data: spec.data, layout, frames: spec.frames ?? [] };
}

function show(figure, spec) {
  const { data, layout, frames } = withTemplate(spec);
  figure.style.setProperty("--height", `${layout.height ?? 450}px`);
  let place = figure.querySelector(".place");
  if (!place) {
    place = document.createElement("div");
    place.className = "place";
    figure.append(place);
  }
  return window.Plotly.react(place, data, { ...layout, uirevision: "kept" }, CONFIG).then(() => {
    if (frames.length && !figure.dataset.drawn) return window.Plotly.addFrames(place, frames);
  }).then(() => { figure.dataset.drawn = "yes"; });
}

function draw(figure) {
  if (figure.dataset.begun) return figure.drawing;
  figure.dataset.begun = "yes";
  const spec = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
  figure.drawing = show(figure, spec);
  return figure.drawing;
}

const inView = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    inView.unobserve(entry.target);
    draw(entry.target);
  }
}, { rootMargin: "600px 0px" });
for (const figure of document.querySelectorAll("figure.plot")) inView.observe(figure);
window.addEventListener("beforeprint", () => document.querySelectorAll("figure.plot").forEach(draw));

// One control moves at a time: what was drawn ahead holds the others where they were, so they go back there.
for (const widget of document.querySelectorAll(".widget")) {
  const held = widget.querySelector("script.moves");
  if (!held) continue;
  let moves;
  const sliders = [...widget.querySelectorAll("input[data-move]")];
  for (const slider of sliders) {
    slider.addEventListener("input", () => {
      moves ??= JSON.parse(held.textContent);
      for (const other of sliders) {
        const move = moves[other.dataset.move];
        if (other !== slider) other.value = move.at;
        other.nextElementSibling.textContent = move.positions[other.value].value;
      }
      const figure = widget.querySelector("figure.plot");
      const position = moves[slider.dataset.move].positions[slider.value];
      Promise.resolve(draw(figure)).then(() => show(figure, position.figure));
    });
  }
}

// On a narrow screen the navigation starts closed.
const menu = document.querySelector("nav.book details.menu");
if (menu && window.matchMedia("(max-width: 60rem)").matches) menu.open = false;
document.querySelector("nav.book [aria-current]")?.scrollIntoView?.({ block: "nearest" });
if (!location.hash) window.scrollTo(0, 0);
