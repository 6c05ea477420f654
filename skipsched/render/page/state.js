// What the page shows at the moment, and telling its parts when that changes.

const state = {
  begin: data.view.begin,
  end: data.view.end,
  rows: data.view.nodes.length ? nodesByStage.filter((node) => data.view.nodes.includes(node)) : nodesByStage,
  rowHeight: 0,
  colorBy: data.view.colorBy,
  microbatches: new Set(data.view.microbatches),
  node: null,
  action: null,
  critical: false,
  step: null,
};
state.node = state.rows[0];

const listeners = [];
let pending = null;

/** Call `draw` with the keys of `state` that changed, at most once a frame. */
function onChange(draw) {
  listeners.push(draw);
}

function change(values) {
  if (pending === null) {
    pending = new Set();
    requestAnimationFrame(() => {
      const keys = pending;
      pending = null;
      for (const draw of listeners) draw(keys);
    });
  }
  for (const [key, value] of Object.entries(values)) {
    if (state[key] !== value) pending.add(key);
    state[key] = value;
  }
}

/** Show a stretch of time, kept within the iteration and not shorter than ten microseconds. */
function look(begin, end) {
  const all = Math.max(1, data.iterationTime);
  const length = Math.min(Math.max(end - begin, Math.min(10, all)), all);
  begin = Math.min(Math.max(begin, 0), all - length);
  change({ begin, end: begin + length });
}

/** Show more or less time around a moment. */
function zoom(factor, around = (state.begin + state.end) / 2) {
  look(around - (around - state.begin) * factor, around + (state.end - around) * factor);
}

/** Move the view, if need be, so that a stretch of time is in it. */
function reveal(begin, end) {
  if (begin >= state.begin && end <= state.end) return;
  const half = Math.max(state.end - state.begin, 2 * (end - begin)) / 2;
  look((begin + end) / 2 - half, (begin + end) / 2 + half);
}

/** Show all rows again if one that has to be seen is not among them. */
function withRow(node) {
  return state.rows.includes(node) ? state.rows : nodesByStage;
}

function chooseNode(node) {
  change({ node, action: null, step: null, rows: withRow(node) });
}

/** Choose an action and its node; its microbatch is followed if asked for, beside others if `beside`. */
function chooseAction(action, follow = false, beside = false) {
  const node = nodeOf[action];
  change({ node, action, step: null, rows: withRow(node) });
  reveal(startOf[action], endOf[action]);
  if (follow) followMicrobatch(microbatchOf(action), beside);
}

function followMicrobatch(microbatch, beside = false) {
  const microbatches = new Set(beside ? state.microbatches : []);
  if (beside && microbatches.has(microbatch)) microbatches.delete(microbatch);
  else microbatches.add(microbatch);
  change({ microbatches });
}

function chooseNothing() {
  change({ microbatches: new Set(), action: null, step: null, critical: false });
}
