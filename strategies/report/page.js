"use strict";
// A vertical line through the charts of one time axis, and what stood there. Without it the page
// lacks nothing but that.
const data = JSON.parse(document.getElementById("curves").textContent);
const plots = [...document.querySelectorAll(".timed .plot")];
const nearest = (moment) => {
  let low = 0, high = data.at.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (data.at[middle] > moment) high = middle; else low = middle;
  }
  return moment - data.at[low] < data.at[high] - moment ? low : high;
};
const clear = () => document.querySelectorAll(".cursor, .tip").forEach((old) => old.remove());
const show = (plot, share) => {
  clear();
  const first = data.at[0], last = data.at[data.at.length - 1];
  const k = nearest(first + share * (last - first));
  const left = (100 * (data.at[k] - first)) / (last - first || 1);
  for (const each of plots) {
    const line = each.appendChild(document.createElement("div"));
    line.className = "cursor";
    line.style.left = `${left}%`;
  }
  const tip = plot.appendChild(document.createElement("div"));
  tip.className = "tip";
  tip.style[left < 55 ? "left" : "right"] = `calc(${left < 55 ? left : 100 - left}% + 8px)`;
  const when = new Date(data.at[k]).toISOString().slice(0, 16).replace("T", " ");
  const say = (kind, text) => {
    tip.appendChild(document.createElement(kind)).textContent = text;
  };
  say("em", `${when} UTC`);
  for (const [word, name] of data.says) {
    const value = data[name][k];
    say("span", word);
    say("b", `${value > 0 ? "+" : ""}${value.toFixed(2).replace("-", "\u2212")} %`);
  }
};
for (const plot of plots) {
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    show(plot, Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
  });
  plot.addEventListener("pointerleave", clear);
}
