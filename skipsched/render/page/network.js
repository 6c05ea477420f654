// Nodes by stage, and the links that microbatches travel: width for how many, colour for how long each takes.

const network = byId("network");
const NETWORK_EDGE = 34;
/** From quick to slow. */
const SPEEDS = ["#3f9e8f", "#8fae4a", "#d6a53a", "#d8703c", "#bf3b4a"];

/** Both directions of a link as one: what travels there comes back. */
const pairs = (() => {
  const found = new Map();
  for (const [from, to, count, time] of data.links) {
    const key = Math.min(from, to) * data.nodes.length + Math.max(from, to);
    const pair = found.get(key) || { ends: [Math.min(from, to), Math.max(from, to)], count: 0, time: 0 };
    pair.count += count;
    pair.time = Math.max(pair.time, time);
    found.set(key, pair);
  }
  return [...found.values()].sort((a, b) => a.time - b.time);
})();
const mostTravelled = pairs.reduce((most, pair) => Math.max(most, pair.count), 1);
const slowest = pairs.reduce((most, pair) => Math.max(most, pair.time), 1);
const quickest = pairs.reduce((least, pair) => Math.min(least, pair.time), slowest);

const members = Array.from({ length: data.stages }, (_, stage) => nodesByStage.filter((node) => data.nodes[node].stage === stage));
const largest = Math.max(...members.map((nodes) => nodes.length));
const networkHeight = Math.max(260, 56 + Math.max(15, Math.min(44, 520 / largest)) * largest);
let pointedNode = null;

/** Pixels for the ids to the right of the last column. */
const lastIds = (() => {
  const context = network.getContext("2d");
  context.font = "11px system-ui, sans-serif";
  const widest = members[members.length - 1].reduce((most, node) => Math.max(most, context.measureText(idOf(node)).width), 0);
  return Math.min(180, Math.ceil(widest)) + 4;
})();

/** Pixels between the first and the last column. */
function breadth(width) {
  return width - 2 * NETWORK_EDGE - lastIds;
}

function placeOfNode(node, width) {
  const stage = data.nodes[node].stage;
  const column = members[stage];
  const across = data.stages > 1 ? stage / (data.stages - 1) : 0.5;
  const x = NETWORK_EDGE + across * breadth(width);
  return [x, 40 + ((column.indexOf(node) + 0.5) / column.length) * (networkHeight - 48)];
}

/** By ratio, as links differ by orders of magnitude. */
function speedColor(time) {
  const share = slowest > quickest ? Math.log(time / quickest) / Math.log(slowest / quickest) : 0;
  return SPEEDS[Math.min(SPEEDS.length - 1, Math.floor(share * SPEEDS.length))];
}

function traceLink(context, [x1, y1], [x2, y2]) {
  const bend = (x2 - x1) * 0.4;
  context.moveTo(x1, y1);
  context.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2, y2);
}

function drawNetwork() {
  const { context, width } = wiped(network, networkHeight);
  const focus = pointedNode ?? (state.microbatches.size || state.action === null ? null : nodeOf[state.action]);
  for (const pair of pairs) {
    const touched = focus !== null && pair.ends.includes(focus);
    const quiet = state.microbatches.size > 0 || focus !== null;
    context.globalAlpha = touched ? 0.95 : quiet ? 0.07 : Math.max(0.15, Math.min(0.8, 60 / pairs.length));
    context.strokeStyle = speedColor(pair.time);
    context.lineWidth = 1 + (4 * pair.count) / mostTravelled;
    context.beginPath();
    traceLink(context, placeOfNode(pair.ends[0], width), placeOfNode(pair.ends[1], width));
    context.stroke();
  }
  context.globalAlpha = 1;
  for (const microbatch of state.microbatches) drawPath(context, width, microbatch);
  drawNodes(context, width);
}

/** The path of a microbatch, its nodes numbered in the order in which it visits them. */
function drawPath(context, width, microbatch) {
  const path = data.paths[microbatch];
  context.strokeStyle = themed().accent;
  context.lineWidth = 3;
  context.beginPath();
  path.slice(1).forEach((node, place) => traceLink(context, placeOfNode(path[place], width), placeOfNode(node, width)));
  context.stroke();
  context.setLineDash([4, 5]);
  context.lineWidth = 1.5;
  context.beginPath();
  traceLink(context, placeOfNode(path[path.length - 1], width), placeOfNode(path[0], width));
  context.stroke();
  context.setLineDash([]);
}

function drawNodes(context, width) {
  const visited = new Set([...state.microbatches].flatMap((microbatch) => data.paths[microbatch]));
  const spacing = (networkHeight - 48) / largest;
  const room = Math.max(40, breadth(width) / Math.max(1, data.stages - 1) - 26);
  context.textAlign = "left";
  members.forEach((nodes, stage) => {
    const [x] = placeOfNode(nodes[0], width);
    context.fillStyle = themed().soft;
    context.fillText(`stage ${stage}`, x - 8, 16);
    for (const node of nodes) {
      const [, y] = placeOfNode(node, width);
      const stands = node === state.node || visited.has(node) || node === pointedNode;
      context.beginPath();
      context.arc(x, y, stands ? 6.5 : 5, 0, 2 * Math.PI);
      context.fillStyle = stands ? themed().accent : themed().soft;
      context.fill();
      context.strokeStyle = themed().ground;
      context.lineWidth = 1.5;
      context.stroke();
      if (spacing < 11 && !stands) continue;
      drawName(context, fitted(context, idOf(node), stage + 1 < data.stages ? room : lastIds), x + 11, y, stands);
    }
  });
}

/** An id on a ground that sets it off from the links. */
function drawName(context, text, x, y, stands) {
  context.fillStyle = themed().ground;
  context.globalAlpha = 0.75;
  context.fillRect(x - 2, y - 7, context.measureText(text).width + 4, 14);
  context.globalAlpha = 1;
  context.fillStyle = stands ? themed().accent : themed().text;
  context.fillText(text, x, y);
}

/** A node in words, with what it does and what travels to and from it. */
function describedUse(node) {
  const sequence = data.order[node];
  const lines = [describedNode(node), `${counted(data.nodes[node].slots, "slot")}, ${counted(sequence.length, "action")}, ${percent(busyOf(node))} of the iteration computing`];
  const ends = data.links.filter(([from, to]) => from === node || to === node);
  const transfers = ends.reduce((sum, [, , count]) => sum + count, 0);
  lines.push(`${counted(transfers, "transfer")} to and from it, ${bytes(transfers * data.activation)}`);
  return lines;
}

function busyOf(node) {
  const computing = data.order[node].reduce((sum, action) => sum + endOf[action] - startOf[action], 0);
  return data.iterationTime ? computing / data.iterationTime : 0;
}

function nearestNode(event) {
  const box = network.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  let [nearest, distance] = [null, 12];
  for (const node of nodesByStage) {
    const [nodeX, nodeY] = placeOfNode(node, box.width);
    const away = Math.hypot(x - nodeX, y - nodeY);
    if (away < distance) [nearest, distance] = [node, away];
  }
  return nearest;
}

function networkLegend() {
  const quick = legendKey(SPEEDS[0], `${quickest < slowest ? "quickest" : "every"} transfer ${seconds(quickest)}`);
  const slow = legendKey(SPEEDS[SPEEDS.length - 1], `slowest ${seconds(slowest)}`);
  const shown = quickest < slowest ? [quick, slow] : [quick];
  shown.push(element("span", "", "wider: more transfers"));
  if (data.allreduces.some(([begin, end]) => begin < end)) shown.push(element("span", "", "all-reduces are not counted"));
  return shown;
}

function startNetwork() {
  byId("network-legend").append(...networkLegend());
  network.addEventListener("pointermove", (event) => {
    const node = nearestNode(event);
    if (node !== pointedNode) {
      pointedNode = node;
      change({});
    }
    network.style.cursor = node === null ? "default" : "pointer";
    showTip(event, node === null ? [] : describedUse(node));
  });
  network.addEventListener("pointerleave", (event) => {
    pointedNode = null;
    change({});
    showTip(event, []);
  });
  network.addEventListener("click", (event) => {
    const node = nearestNode(event);
    if (node !== null) chooseNode(node);
  });
  onChange((keys) => {
    // Moving about in the chart does not change it; a change of nothing in `state` is one of the page's size.
    if (keys.size === 0 || ["microbatches", "node", "action"].some((key) => keys.has(key))) drawNetwork();
  });
}
