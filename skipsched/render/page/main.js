// The page's head, its buttons, and the start of everything.

function startHead() {
  byId("name").textContent = data.name;
  const allreduce = data.allreduces.reduce((most, [begin, end]) => Math.max(most, end - begin), 0);
  const figures = [
    ["iteration time", seconds(data.iterationTime)],
    ...(data.lowerBound === null ? [] : [["no schedule is faster than", seconds(data.lowerBound)]]),
    ...(allreduce ? [["makespan", seconds(data.makespan)], ["longest all-reduce", seconds(allreduce)]] : []),
    ["bubble ratio", percent(data.bubbleRatio)],
    ["nodes", data.nodes.length],
    ["stages", data.stages],
    ["microbatches", data.paths.length],
    ["path length", pathLength],
  ];
  byId("figures").append(
    ...figures.map(([term, figure]) => element("div", "", element("dt", "", term), element("dd", "", String(figure)))),
  );
}

function drawLegend() {
  const { kinds } = data.colors;
  const shown = [];
  if (state.colorBy === "kind") shown.push(...["F", "L", "B"].map((kind) => legendKey(kinds[kind], NAMES[kind])));
  else shown.push("colours in turn, F forward, L loss, B backward");
  if (data.overhead) shown.push(legendKey(kinds.overhead, "overhead"));
  if (data.allreduces.some(([begin, end]) => begin < end)) shown.push(legendKey(kinds["all-reduce"], "all-reduce"));
  byId("legend").replaceChildren(...shown);
}

function startBar() {
  const onClick = (id, act) => byId(id).addEventListener("click", act);
  onClick("zoom-in", () => zoom(0.6));
  onClick("zoom-out", () => zoom(1 / 0.6));
  onClick("fit", () => look(0, data.iterationTime));
  const taller = (factor) => change({ rowHeight: Math.min(MOST_ROW, Math.max(LEAST_ROW, Math.round(state.rowHeight * factor))) });
  onClick("taller", () => taller(1.4));
  onClick("flatter", () => taller(1 / 1.4));
  onClick("every-node", () => change({ rows: nodesByStage }));
  byId("color-by").value = state.colorBy;
  byId("color-by").addEventListener("change", (event) => change({ colorBy: event.target.value }));
  byId("show-critical").addEventListener("change", (event) => change({ critical: event.target.checked, step: null }));
  byId("microbatch").max = data.paths.length - 1;
  byId("microbatch").addEventListener("change", (event) => {
    const number = event.target.valueAsNumber;
    if (Number.isInteger(number) && number in data.paths) followMicrobatch(number);
    else change({ microbatches: new Set() });
  });
  onChange((keys) => {
    if (keys.has("colorBy")) drawLegend();
    byId("show-critical").checked = state.critical;
    byId("every-node").hidden = state.rows.length === data.nodes.length;
    byId("every-node").textContent = `all ${data.nodes.length} nodes`;
  });
}

function start() {
  startHead();
  startBar();
  startGantt();
  startSlots();
  startNetwork();
  startNodes();
  startLinks();
  startDetails();
  startCritical();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    palette = null;
    change({});
  });
  new ResizeObserver(() => change({})).observe(document.body);
  onChange(() => performance.mark("drawn"));
  for (const key of Object.keys(state)) pending.add(key);
}

start();
