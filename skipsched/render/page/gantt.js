// The chart: a row for each node, a bar for each action.

const gantt = byId("gantt");
const ganttBox = byId("gantt-box");
const AXIS = 26;
const GAP = 2;
const STAGE = 56;
const [LEAST_ROW, MOST_ROW] = [3, 40];
/** From this height on, rows have room for ids. */
const LABELLED = 12;

/** Where the plot begins: to the right of the longest id, which may take 180 pixels. */
const plotLeft = (() => {
  const context = gantt.getContext("2d");
  context.font = "11px system-ui, sans-serif";
  const widest = data.nodes.reduce((most, node) => Math.max(most, context.measureText(node.id).width), 0);
  return Math.ceil(STAGE + Math.min(180, widest) + 14);
})();

/** Rows as tall as they can be without scrolling, if one can still tell them apart. */
function heightThatFits() {
  const fits = Math.floor((ganttRoom() - AXIS) / state.rows.length);
  return fits >= 5 ? Math.min(fits, 20) : LABELLED;
}

function ganttRoom() {
  return Math.max(240, Math.round(window.innerHeight * 0.72));
}

function xOf(time, width) {
  return plotLeft + ((time - state.begin) / (state.end - state.begin)) * (width - plotLeft);
}

function yOf(row) {
  return AXIS + row * state.rowHeight - ganttBox.scrollTop;
}

function drawGantt() {
  const total = AXIS + state.rows.length * state.rowHeight;
  const height = Math.min(total, ganttRoom());
  ganttBox.style.height = `${height + 2}px`;
  byId("gantt-rest").style.height = `${total - height}px`;
  const { context, width } = wiped(gantt, height);
  const first = Math.max(0, Math.floor((ganttBox.scrollTop - AXIS) / state.rowHeight));
  const last = Math.min(state.rows.length, Math.ceil((ganttBox.scrollTop + height) / state.rowHeight));
  drawGround(context, width, first, last);
  drawGrid(context, width, height);
  context.save();
  context.beginPath();
  context.rect(plotLeft, AXIS, width - plotLeft, height - AXIS);
  context.clip();
  for (let row = first; row < last; row++) drawRow(context, width, row);
  for (const microbatch of state.microbatches) drawWalk(context, width, microbatch);
  if (state.critical) drawCritical(context, width);
  outlineChosen(context, width);
  context.restore();
  drawLabels(context, first, last);
  drawAxis(context, width);
}

/** Bands of stages, and the row of the chosen node. */
function drawGround(context, width, first, last) {
  for (let row = first; row < last; row++) {
    const node = state.rows[row];
    const color = node === state.node ? themed().mark : data.nodes[node].stage % 2 === 0 ? themed().band : null;
    if (color === null) continue;
    context.fillStyle = color;
    context.fillRect(0, yOf(row), width, state.rowHeight);
  }
}

/** The place in a node's order of the first action that does not end before a time. */
function firstAfter(sequence, time) {
  let [low, high] = [0, sequence.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (endOf[sequence[middle]] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

function drawRow(context, width, row) {
  const node = state.rows[row];
  const sequence = data.order[node];
  let painted = -1;
  for (let place = firstAfter(sequence, state.begin - data.overhead); place < sequence.length; place++) {
    const action = sequence[place];
    if (startOf[action] > state.end) break;
    const right = xOf(endOf[action], width);
    // Thousands of bars in one pixel look like one.
    if (right - painted < 0.25) continue;
    painted = Math.max(right, drawBar(context, width, row, action));
    if (place + 1 < sequence.length) drawOverhead(context, width, row, action);
  }
  const [begin, end] = data.allreduces[data.nodes[node].stage];
  if (begin < end) drawAllreduce(context, width, row, begin, end);
}

/** Returns the right end of what was painted. */
function drawBar(context, width, row, action) {
  const left = xOf(startOf[action], width);
  const wide = Math.max(xOf(endOf[action], width) - left, 0.8);
  const [top, tall] = [yOf(row) + GAP / 2, Math.max(1, state.rowHeight - GAP)];
  context.globalAlpha = isFaint(microbatchOf(action)) ? 0.15 : 1;
  context.fillStyle = colorOf(action);
  context.fillRect(left, top, wide, tall);
  const label = `${state.colorBy === "kind" ? "" : operationOf(action)}${microbatchOf(action)}`;
  if (tall >= 10 && wide > label.length * 6.5 + 3) {
    context.fillStyle = themed()["on-bar"];
    context.textAlign = "center";
    // In the middle of what is in view.
    const [from, to] = [Math.max(left, plotLeft), Math.min(left + wide, width)];
    context.fillText(label, (from + to) / 2, top + tall / 2 + 0.5);
  }
  context.globalAlpha = 1;
  return left + wide;
}

function drawOverhead(context, width, row, action) {
  if (!data.overhead) return;
  const left = xOf(endOf[action], width);
  const wide = xOf(endOf[action] + data.overhead, width) - left;
  if (wide < 0.5) return;
  context.globalAlpha = isFaint(microbatchOf(action)) ? 0.15 : 1;
  context.fillStyle = data.colors.kinds.overhead;
  context.fillRect(left, yOf(row) + state.rowHeight / 3, wide, state.rowHeight / 3);
  context.globalAlpha = 1;
}

function drawAllreduce(context, width, row, begin, end) {
  const left = xOf(begin, width);
  const wide = Math.max(xOf(end, width) - left, 0.8);
  context.fillStyle = data.colors.kinds["all-reduce"];
  context.fillRect(left, yOf(row) + GAP / 2, wide, Math.max(1, state.rowHeight - GAP));
}

/** The middle of a node's row; null if it has none. */
function middleOf(node) {
  const row = state.rows.indexOf(node);
  return row < 0 ? null : yOf(row) + state.rowHeight / 2;
}

/** A transfer: from the end of an action to where its output arrives. */
function drawTransfer(context, width, action) {
  const [from, to] = [middleOf(nodeOf[action - 1]), middleOf(nodeOf[action])];
  if (from === null || to === null || from === to) return;
  context.moveTo(xOf(endOf[action - 1], width), from);
  context.lineTo(xOf(readyOf[action], width), to);
}

/** A followed microbatch: its bars over all others, its transfers, and dashes where it waits. */
function drawWalk(context, width, microbatch) {
  const first = microbatch * perMicrobatch;
  for (const [dashes, draw] of [
    [[], drawTransfer],
    [[2, 3], drawWaiting],
  ]) {
    context.beginPath();
    context.setLineDash(dashes);
    for (let action = first + 1; action < first + perMicrobatch; action++) draw(context, width, action);
    context.strokeStyle = themed().accent;
    context.lineWidth = 1.5;
    context.stroke();
  }
  context.setLineDash([]);
  for (let action = first; action < first + perMicrobatch; action++) {
    const row = state.rows.indexOf(nodeOf[action]);
    if (row >= 0) drawBar(context, width, row, action);
  }
}

function drawWaiting(context, width, action) {
  const middle = middleOf(nodeOf[action]);
  if (middle === null || startOf[action] === readyOf[action]) return;
  context.moveTo(xOf(readyOf[action], width), middle);
  context.lineTo(xOf(startOf[action], width), middle);
}

/** The critical path: lines for its transfers, outlines around everything else on it. */
function drawCritical(context, width) {
  context.strokeStyle = themed().strong;
  context.lineWidth = 2;
  for (const step of data.critical) drawStep(context, width, step);
}

function drawStep(context, width, [kind, action, begin, end]) {
  if (kind === "transfer") {
    context.beginPath();
    drawTransfer(context, width, action);
    context.stroke();
  } else {
    const nodes = kind === "all-reduce" ? nodesInAllreduce(action) : [nodeOf[action]];
    for (const node of nodes) outline(context, width, node, begin, end);
  }
}

/** The nodes that average together after an action; without one, those of the stage that takes longest. */
function nodesInAllreduce(action) {
  const longest = data.allreduces.findIndex(([, end]) => end === data.iterationTime);
  const stage = action === null ? longest : data.nodes[nodeOf[action]].stage;
  return nodesByStage.filter((node) => data.nodes[node].stage === stage);
}

function outline(context, width, node, begin, end) {
  const row = state.rows.indexOf(node);
  if (row < 0) return;
  const left = xOf(begin, width);
  context.strokeRect(left, yOf(row) + 1, Math.max(2, xOf(end, width) - left), Math.max(2, state.rowHeight - 2));
}

/** The chosen step of the critical path, else the chosen action. */
function outlineChosen(context, width) {
  if (state.step !== null) {
    context.lineWidth = 4;
    context.strokeStyle = themed().strong;
    drawStep(context, width, data.critical[state.step]);
  } else if (state.action !== null) {
    context.lineWidth = 2;
    context.strokeStyle = themed().accent;
    outline(context, width, nodeOf[state.action], startOf[state.action], endOf[state.action]);
  }
}

/** Ids where they fit, and each stage once, at its first row in view. */
function drawLabels(context, first, last) {
  context.textAlign = "left";
  let stage = null;
  for (let row = first; row < last; row++) {
    const node = state.rows[row];
    const middle = yOf(row) + state.rowHeight / 2;
    if (state.rowHeight >= LABELLED) {
      context.fillStyle = themed().text;
      context.fillText(fitted(context, idOf(node), plotLeft - STAGE - 10), STAGE, middle);
    }
    if (data.nodes[node].stage !== stage) {
      stage = data.nodes[node].stage;
      context.fillStyle = themed().soft;
      context.fillText(`stage ${stage}`, 8, Math.max(yOf(row) + Math.max(6, state.rowHeight / 2), AXIS + 6));
    }
  }
}

function drawGrid(context, width, height) {
  context.strokeStyle = themed().grid;
  context.lineWidth = 1;
  context.beginPath();
  for (const [time] of ticksOf(state.begin, state.end, width - plotLeft)) {
    const x = Math.round(xOf(time, width)) + 0.5;
    context.moveTo(x, AXIS - 6);
    context.lineTo(x, height);
  }
  context.stroke();
}

function drawAxis(context, width) {
  context.clearRect(0, 0, width, AXIS - 6);
  context.textAlign = "left";
  context.fillStyle = themed().soft;
  for (const [time, label] of ticksOf(state.begin, state.end, width - plotLeft)) {
    const x = xOf(time, width) - 3;
    if (x + context.measureText(label).width < width) context.fillText(label, x, AXIS / 2 - 3);
  }
}

/** What lies under the pointer: the node, the time, and the action or all-reduce there. */
function underPointer(event) {
  const box = gantt.getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  const node = y < AXIS ? undefined : state.rows[Math.floor((y - AXIS + ganttBox.scrollTop) / state.rowHeight)];
  if (node === undefined || x < plotLeft) return { node, time: null, action: null };
  const scale = (state.end - state.begin) / (box.width - plotLeft);
  const time = state.begin + (x - plotLeft) * scale;
  return { node, time, action: nearestAction(node, time, 3 * scale) };
}

/** The action at a time on a node, or the nearest one within some tolerance; null if there is none. */
function nearestAction(node, time, tolerance) {
  const sequence = data.order[node];
  let [nearest, distance] = [null, tolerance];
  for (let place = firstAfter(sequence, time - tolerance); place < sequence.length; place++) {
    const action = sequence[place];
    const away = Math.max(startOf[action] - time, time - endOf[action], 0);
    if (startOf[action] - time > tolerance) break;
    if (away <= distance && (nearest === null || away < distance)) [nearest, distance] = [action, away];
  }
  return nearest;
}

/** A line down the chart and the slots at a place in the window; none for null. */
function pointAt(clientX) {
  const line = byId("pointed");
  line.hidden = clientX === null;
  line.style.left = `${clientX - line.parentElement.getBoundingClientRect().left}px`;
}

function hoverGantt(event) {
  const { node, time, action } = underPointer(event);
  pointAt(time === null ? null : event.clientX);
  if (node === undefined) return showTip(event, []);
  if (action !== null) return showTip(event, describedAction(action));
  const [begin, end] = data.allreduces[data.nodes[node].stage];
  if (time !== null && begin < end && time >= begin && time <= end) {
    return showTip(event, [`all-reduce of stage ${data.nodes[node].stage}`, `${seconds(begin)} to ${seconds(end)}, ${seconds(end - begin)}`]);
  }
  return showTip(event, time === null ? describedUse(node) : [describedNode(node), `idle at ${seconds(time)}`]);
}

/** Dragging moves the view; a press that does not move is a click. */
function listenToPointer() {
  let pressed = null;
  gantt.addEventListener("pointerdown", (event) => {
    pressed = { x: event.clientX, y: event.clientY, begin: state.begin, end: state.end, top: ganttBox.scrollTop, moved: false };
    gantt.setPointerCapture(event.pointerId);
  });
  gantt.addEventListener("pointermove", (event) => {
    if (pressed === null) return hoverGantt(event);
    const [dx, dy] = [event.clientX - pressed.x, event.clientY - pressed.y];
    if (!pressed.moved && Math.hypot(dx, dy) < 5) return undefined;
    pressed.moved = true;
    gantt.classList.add("moving");
    showTip(event, []);
    const shift = (dx * (pressed.end - pressed.begin)) / (gantt.clientWidth - plotLeft);
    look(pressed.begin - shift, pressed.end - shift);
    ganttBox.scrollTop = pressed.top - dy;
    return undefined;
  });
  gantt.addEventListener("pointerup", (event) => {
    if (pressed !== null && !pressed.moved) clickGantt(event);
    pressed = null;
    gantt.classList.remove("moving");
  });
  gantt.addEventListener("pointercancel", () => (pressed = null));
  gantt.addEventListener("pointerleave", (event) => {
    pointAt(null);
    showTip(event, []);
  });
}

function clickGantt(event) {
  const { node, action } = underPointer(event);
  if (action !== null) chooseAction(action, true, event.shiftKey);
  else if (node !== undefined) chooseNode(node);
}

function listenToWheel() {
  gantt.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      if (event.shiftKey) {
        ganttBox.scrollTop += event.deltaY || event.deltaX;
        return;
      }
      const { time } = underPointer(event);
      zoom(Math.exp(event.deltaY * 0.0015), time ?? undefined);
    },
    { passive: false },
  );
}

/** Keys of the chart, by their name. */
const KEYS = {
  ArrowDown: () => stepNode(1),
  ArrowUp: () => stepNode(-1),
  ArrowRight: () => stepAction(1),
  ArrowLeft: () => stepAction(-1),
  Enter: () => state.action !== null && followMicrobatch(microbatchOf(state.action)),
  "+": () => zoom(0.7),
  "=": () => zoom(0.7),
  "-": () => zoom(1 / 0.7),
  0: () => look(0, data.iterationTime),
  c: () => change({ critical: !state.critical }),
  Escape: chooseNothing,
};

function stepNode(by) {
  const row = Math.min(Math.max(state.rows.indexOf(state.node) + by, 0), state.rows.length - 1);
  chooseNode(state.rows[row]);
}

/** The next action of the chosen node; the first in view if none is chosen. */
function stepAction(by) {
  const sequence = data.order[state.node];
  const place = state.action === null ? firstAfter(sequence, state.begin) : placeOf[state.action] + by;
  if (sequence[place] !== undefined) chooseAction(sequence[place]);
}

function listenToKeys() {
  gantt.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
    event.preventDefault();
    KEYS[event.key]();
  });
}

/** Scroll the chosen node's row into view. */
function revealRow() {
  const top = state.rows.indexOf(state.node) * state.rowHeight;
  const room = ganttBox.clientHeight - AXIS - state.rowHeight;
  if (top < ganttBox.scrollTop) ganttBox.scrollTop = top;
  else if (top > ganttBox.scrollTop + room) ganttBox.scrollTop = top - room;
}

function startGantt() {
  change({ rowHeight: heightThatFits() });
  onChange((keys) => {
    if (keys.has("node") || keys.has("rows") || keys.has("rowHeight")) revealRow();
    drawGantt();
  });
  ganttBox.addEventListener("scroll", () => change({}));
  listenToPointer();
  listenToWheel();
  listenToKeys();
}
