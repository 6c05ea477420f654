// Microbatches in flight on the chosen node over time, against its slots; under the chart, on its axis.

const slots = byId("slots");
const SLOTS_HEIGHT = 92;
const [SLOTS_TOP, SLOTS_BOTTOM] = [18, 84];

function drawSlots() {
  // As wide as the chart, which may have a scroll bar beside it.
  const { context, width } = wiped(slots, SLOTS_HEIGHT, ganttBox.clientWidth);
  const limit = data.nodes[state.node].slots;
  const changes = inFlightOn(state.node);
  const most = changes.reduce((highest, [, held]) => Math.max(highest, held), 0);
  // Slots far beyond what is used would flatten everything.
  const top = limit <= 2 * most + 2 ? limit : most + 1;
  const yAt = (held) => SLOTS_BOTTOM - (held / Math.max(1, top)) * (SLOTS_BOTTOM - SLOTS_TOP);
  slots.setAttribute("aria-label", `In flight on ${idOf(state.node)}: at most ${most}, of ${counted(limit, "slot")}`);
  drawSlotsScale(context, width, yAt, top, limit, most);
  context.save();
  context.beginPath();
  context.rect(plotLeft, 0, width - plotLeft, SLOTS_HEIGHT);
  context.clip();
  drawHeld(context, width, yAt, changes);
  context.restore();
}

function drawSlotsScale(context, width, yAt, top, limit, most) {
  context.textAlign = "left";
  context.fillStyle = themed().text;
  const says = `in flight on ${idOf(state.node)}: at most ${most}, of ${counted(limit, "slot")}`;
  context.fillText(fitted(context, says, width - plotLeft), plotLeft, 8);
  context.textAlign = "right";
  context.fillStyle = themed().soft;
  context.fillText("0", plotLeft - 6, yAt(0));
  context.fillText(String(top), plotLeft - 6, yAt(top));
  context.strokeStyle = top === limit ? themed().strong : themed().grid;
  context.lineWidth = 1;
  context.setLineDash([5, 4]);
  context.beginPath();
  context.moveTo(plotLeft, yAt(top));
  context.lineTo(width, yAt(top));
  context.stroke();
  context.setLineDash([]);
}

/** The steps, filled down to none; darker where all slots are taken. */
function drawHeld(context, width, yAt, changes) {
  const limit = data.nodes[state.node].slots;
  context.fillStyle = themed().accent;
  changes.forEach(([time, held], place) => {
    const until = place + 1 < changes.length ? changes[place + 1][0] : time;
    if (held === 0 || until <= state.begin || time >= state.end) return;
    context.globalAlpha = held === limit ? 0.75 : 0.4;
    const left = xOf(Math.max(time, state.begin), width);
    context.fillRect(left, yAt(held), xOf(Math.min(until, state.end), width) - left, yAt(0) - yAt(held));
  });
  context.globalAlpha = 1;
}

function startSlots() {
  onChange(drawSlots);
}
