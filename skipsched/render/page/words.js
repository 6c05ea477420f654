// Figures and elements for people to read.

function seconds(microseconds) {
  if (microseconds > 0 && microseconds < 1e5) return `${Number((microseconds / 1e3).toPrecision(3))} ms`;
  return `${(microseconds / 1e6).toFixed(2)} s`;
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1024 && unit + 1 < units.length) {
    count /= 1024;
    unit += 1;
  }
  return `${Number(count.toPrecision(count < 1000 ? 3 : 4))} ${units[unit]}`;
}

function counted(number, what) {
  return `${number} ${what}${number === 1 ? "" : what.endsWith("ch") ? "es" : "s"}`;
}

/** An element with a class and with children; texts become text, whatever stands in them. */
function element(tag, name = "", ...children) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...children);
  return made;
}

function byId(id) {
  return document.getElementById(id);
}

/** A sample of a colour and what it stands for. */
function legendKey(color, text) {
  const sample = element("i");
  sample.style.background = color;
  return element("span", "key", sample, text);
}
