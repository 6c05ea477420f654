// What the drawings share: a sharp canvas, the page's colours, a time axis.

let palette = null;

/** The page's colours as the style sheet has them, light or dark. */
function themed() {
  if (palette === null) {
    const style = getComputedStyle(document.documentElement);
    const names = ["ground", "panel", "line", "band", "text", "soft", "accent", "strong", "grid", "on-bar", "mark"];
    palette = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }
  return palette;
}

/** A canvas made to fit its place on this screen, wiped; returns its context and its size in CSS pixels. */
function wiped(canvas, height, width = canvas.parentElement.clientWidth) {
  const sharpness = window.devicePixelRatio || 1;
  const size = [Math.round(width * sharpness), Math.round(height * sharpness)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) {
    [canvas.width, canvas.height] = size;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(sharpness, 0, 0, sharpness, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  return { context, width, height };
}

/** A text cut to fit some pixels. */
function fitted(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let length = Math.max(1, Math.floor((text.length * width) / context.measureText(text).width));
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > width) length -= 1;
  return `${text.slice(0, length)}…`;
}

/** Round times and their labels, no closer than `pixels` of `width`. */
function ticksOf(begin, end, width, pixels = 90) {
  const least = ((end - begin) * pixels) / width;
  const power = Math.floor(Math.log10(Math.max(1, least)));
  const step = [1, 2, 5, 10].map((digit) => digit * 10 ** power).find((candidate) => candidate >= least);
  const [per, zeros, unit] = end >= 1e6 ? [1e6, 6, "s"] : end >= 1e3 ? [1e3, 3, "ms"] : [1, 0, "us"];
  const decimals = Math.max(0, zeros - Math.floor(Math.log10(step)));
  const found = [];
  for (let time = Math.ceil(begin / step) * step; time < end; time += step) {
    found.push([time, `${(time / per).toFixed(decimals)} ${unit}`]);
  }
  return found;
}

function colorOf(action) {
  const { kinds, microbatches } = data.colors;
  return state.colorBy === "kind" ? kinds[operationOf(action)] : microbatches[microbatchOf(action) % microbatches.length];
}

/** Whether a microbatch is to be drawn as if it were not there. */
function isFaint(microbatch) {
  return state.microbatches.size > 0 && !state.microbatches.has(microbatch);
}

const tip = byId("tip");

/** Show some lines beside the pointer; nothing if there are none. */
function showTip(event, lines) {
  tip.hidden = lines.length === 0;
  if (tip.hidden) return;
  tip.replaceChildren(...lines.map((line) => element("p", "", line)));
  const [right, bottom] = [window.innerWidth - tip.offsetWidth - 8, window.innerHeight - tip.offsetHeight - 8];
  tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, right))}px`;
  tip.style.top = `${Math.max(8, event.clientY + 16 > bottom ? event.clientY - tip.offsetHeight - 12 : event.clientY + 16)}px`;
}
