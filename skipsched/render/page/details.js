// What is chosen, in words: an action or a node, the walk of a microbatch, the critical path.

function drawDetails() {
  const lines = state.action === null ? describedUse(state.node) : describedAction(state.action);
  byId("details").replaceChildren(...lines.map((line) => element("p", "", line)));
}

const WALK = [
  { head: "action", text: true, value: (action) => `${operationOf(action)}${microbatchOf(action)}` },
  { head: "node", text: true, value: (action) => idOf(nodeOf[action]) },
  { head: "stage", value: (action) => data.nodes[nodeOf[action]].stage },
  { head: "arrived", value: (action) => readyOf[action], show: seconds },
  { head: "waited", value: (action) => startOf[action] - readyOf[action], show: seconds },
  { head: "start", value: (action) => startOf[action], show: seconds },
  { head: "end", value: (action) => endOf[action], show: seconds },
];

/** The actions of the microbatches followed, in order. */
function drawWalkTable() {
  const actions = [...state.microbatches].flatMap((microbatch) =>
    Array.from({ length: perMicrobatch }, (_, position) => microbatch * perMicrobatch + position),
  );
  if (!actions.length) {
    byId("walk").replaceChildren();
    byId("walk-hint").hidden = false;
    return () => {};
  }
  byId("walk-hint").hidden = true;
  return fillTable(byId("walk"), WALK, actions, {
    choose: (action) => chooseAction(action),
    chosen: (action) => action === state.action,
  });
}

function startDetails() {
  let mark = () => {};
  onChange((keys) => {
    if (keys.has("action") || keys.has("node")) drawDetails();
    if (keys.has("microbatches")) {
      mark = drawWalkTable();
      // The field shows one; several are in the table.
      byId("microbatch").value = state.microbatches.size === 1 ? [...state.microbatches][0] : "";
    }
    if (keys.has("action")) mark();
  });
}

const STEP_COLORS = { ...data.colors.kinds, transfer: "#7f8ccf" };

function describedStep([kind, action]) {
  if (kind === "all-reduce") return `all-reduce of stage ${data.nodes[nodesInAllreduce(action)[0]].stage}`;
  if (kind === "overhead") return `after ${NAMES[operationOf(action)]} of ${microbatchOf(action)}`;
  if (kind === "transfer") return `from ${idOf(nodeOf[action - 1])}`;
  return `microbatch ${microbatchOf(action)}`;
}

const CAUSES = { ".": "", i: "input", n: "node", s: "slot" };

const STEPS = [
  { head: "step", text: true, value: ([kind]) => NAMES[kind] },
  { head: "what", text: true, value: describedStep },
  { head: "node", text: true, value: ([kind, action]) => (action === null || kind === "all-reduce" ? "" : idOf(nodeOf[action])) },
  { head: "waited for", text: true, value: ([kind, action]) => (kind in DURATION ? CAUSES[data.causes[action]] : "") },
  { head: "from", value: ([, , begin]) => begin, show: seconds },
  { head: "takes", value: ([, , begin, end]) => end - begin, show: seconds },
];

/** Go to a step: its stretch of time, its node, and the action it is part of, leads to or follows. */
function chooseStep(step) {
  const [kind, action, begin, end] = data.critical[step];
  const node = kind === "all-reduce" ? nodesInAllreduce(action)[0] : nodeOf[action];
  change({ step, node, rows: withRow(node), action: kind === "all-reduce" ? null : action, critical: true });
  const around = Math.max(4 * (end - begin), data.iterationTime / 12) / 2;
  look((begin + end) / 2 - around, (begin + end) / 2 + around);
}

function startCritical() {
  const sums = new Map();
  for (const [kind, , begin, end] of data.critical) sums.set(kind, (sums.get(kind) || 0) + end - begin);
  const parts = [...sums].filter(([, time]) => time > 0).sort((a, b) => b[1] - a[1]);
  const all = Math.max(1, data.iterationTime);
  const said = parts.map(([kind, time]) => `${NAMES[kind]} ${seconds(time)} (${percent(time / all)})`).join(", ");
  byId("critical-says").textContent =
    `${counted(data.critical.length, "step")} that follow each other without a gap and add up to the iteration time: ${said}.`;
  byId("critical-shares").setAttribute("aria-label", said);
  byId("critical-shares").append(
    ...parts.map(([kind, time]) => {
      const share = element("span");
      share.style.cssText = `background: ${STEP_COLORS[kind]}; width: ${(100 * time) / all}%`;
      share.title = `${NAMES[kind]} ${seconds(time)}`;
      return share;
    }),
  );
  const places = new Map(data.critical.map((step, place) => [step, place]));
  const mark = fillTable(byId("critical"), STEPS, data.critical, {
    choose: (step) => chooseStep(places.get(step)),
    chosen: (step) => places.get(step) === state.step,
  });
  onChange((keys) => keys.has("step") && mark());
}
