// The schedule: what the page was given, and what follows from it. Times are microseconds.

const data = JSON.parse(byId("schedule").textContent);

const NAMES = { F: "forward", L: "loss", B: "backward", overhead: "overhead", transfer: "transfer", "all-reduce": "all-reduce" };

const pathLength = data.paths[0].length;
const perMicrobatch = 2 * pathLength + 1;
const actionCount = data.starts.length;
/** Nodes by index, stage by stage: the rows of the chart. */
const nodesByStage = data.nodes.map((_, node) => node).sort((a, b) => data.nodes[a].stage - data.nodes[b].stage || a - b);
const transferTimes = new Map(data.links.map(([from, to, , time]) => [from * data.nodes.length + to, time]));

function operationOf(action) {
  const position = action % perMicrobatch;
  return position < pathLength ? "F" : position === pathLength ? "L" : "B";
}

function microbatchOf(action) {
  return Math.floor(action / perMicrobatch);
}

function isFirst(action) {
  return action % perMicrobatch === 0;
}

function isLast(action) {
  return action % perMicrobatch === perMicrobatch - 1;
}

function computeNodes() {
  const nodes = new Int32Array(actionCount);
  for (let action = 0; action < actionCount; action++) {
    const path = data.paths[microbatchOf(action)];
    const position = action % perMicrobatch;
    nodes[action] = position === pathLength ? path[0] : path[Math.min(position, 2 * pathLength - position)];
  }
  return nodes;
}
const nodeOf = computeNodes();
const startOf = Float64Array.from(data.starts);

const DURATION = { F: "forward", L: "loss", B: "backward" };
const endOf = startOf.map((start, action) => start + data.nodes[nodeOf[action]][DURATION[operationOf(action)]]);

/** How long the input of an action travels. */
function lagOf(action) {
  const [from, to] = [nodeOf[action - 1], nodeOf[action]];
  return from === to ? 0 : transferTimes.get(from * data.nodes.length + to);
}

/** When the input of an action has arrived; 0 for the first of a microbatch. */
const readyOf = startOf.map((_, action) => (isFirst(action) ? 0 : endOf[action - 1] + lagOf(action)));

/** The place of an action in the order of its node. */
const placeOf = new Int32Array(actionCount);
data.order.forEach((sequence) => sequence.forEach((action, place) => (placeOf[action] = place)));

function nameOf(action) {
  return `${NAMES[operationOf(action)]} of microbatch ${microbatchOf(action)}`;
}

function idOf(node) {
  return data.nodes[node].id;
}

/** A node in words, with its stage and its place. */
function describedNode(node) {
  const { id, stage, location } = data.nodes[node];
  return `${id} (stage ${stage}${location === null ? "" : `, ${location}`})`;
}

/** Why an action starts when it does, in a sentence. `causes` has a letter for each action: see content.py. */
function whyOf(action) {
  const waited = startOf[action] - readyOf[action];
  const before = data.order[nodeOf[action]][placeOf[action] - 1];
  const since = isFirst(action) ? "since the iteration began" : `since its input arrived at ${seconds(readyOf[action])}`;
  const full = data.full[action] ? `; all slots were taken for ${seconds(data.full[action])} of that` : "";
  switch (data.causes[action]) {
    case "i": {
      const lag = lagOf(action);
      const travelled = lag ? `, which travelled for ${seconds(lag)}` : "";
      return `started as its input came from ${idOf(nodeOf[action - 1])}${travelled}`;
    }
    case "n":
      return `waited ${seconds(waited)} for its node, busy until the end of ${nameOf(before)}, ${since}${full}`;
    case "s":
      return `waited ${seconds(waited)} for a slot, freed by ${nameOf(before)}, ${since}${full}`;
    default:
      return "started as the iteration began";
  }
}

/** An action in sentences. */
function describedAction(action) {
  const lines = [
    `${nameOf(action)} on ${describedNode(nodeOf[action])}`,
    `${seconds(startOf[action])} to ${seconds(endOf[action])}, ${seconds(endOf[action] - startOf[action])}`,
    whyOf(action),
  ];
  if (!isLast(action)) lines.push(`its output goes to ${idOf(nodeOf[action + 1])}`);
  return lines;
}

/** The changes of the number of microbatches in flight on a node, in order of time. */
function inFlightOn(node) {
  const changes = [];
  for (const action of data.order[node]) {
    if (operationOf(action) === "F") changes.push([startOf[action], 1]);
    if (operationOf(action) === "B") changes.push([endOf[action], -1]);
  }
  let held = 0;
  return changes.map(([time, change]) => [time, (held += change)]);
}
