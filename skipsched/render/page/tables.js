// Tables: of nodes, of links, of a microbatch's walk, of the critical path.

/**
 * Fill a table. A column has a `head`, the `value` of a row that is shown by `show`, and `text` if it is words.
 * `choose` is called with a row that is clicked, or whose first cell is pressed by key; `chosen` says which rows
 * stand out. With `sorted` the heads sort. Returns what marks the chosen rows anew.
 */
function fillTable(table, columns, rows, { choose, chosen, sorted = false, most = Infinity }) {
  const body = element("tbody");
  const made = new Map();
  const show = (list) => body.replaceChildren(...list.slice(0, most).map((row) => madeRow(row)));
  const madeRow = (row) => {
    if (!made.has(row)) made.set(row, tableRow(columns, row, choose));
    return made.get(row);
  };
  const head = element("tr", "", ...columns.map((column) => headCell(column, sorted && ((down) => show(inOrder(rows, column, down))))));
  table.replaceChildren(element("thead", "", head), body);
  show(rows);
  const mark = () => {
    for (const [row, line] of made) line.classList.toggle("chosen", chosen(row));
  };
  mark();
  return mark;
}

function tableRow(columns, row, choose) {
  const line = element("tr");
  columns.forEach((column, place) => {
    const text = (column.show || String)(column.value(row));
    const content = place === 0 ? element("button", "", text) : text;
    const cell = element("td", column.text ? "text name" : "", content);
    if (column.text) cell.title = text;
    line.append(cell);
  });
  line.addEventListener("click", () => choose(row));
  return line;
}

/** The head of a column; if it sorts, a button that turns the order round each time. */
function headCell(column, sort) {
  const cell = element("th", column.text ? "text" : "", sort ? "" : column.head);
  cell.scope = "col";
  if (sort) {
    const button = element("button", "", column.head);
    button.addEventListener("click", () => {
      // Figures from the largest first, words from the first.
      const down = cell.ariaSort === null ? !column.text : cell.ariaSort === "ascending";
      for (const other of cell.parentElement.children) other.ariaSort = null;
      cell.ariaSort = down ? "descending" : "ascending";
      for (const other of cell.parentElement.querySelectorAll("button")) other.textContent = other.textContent.replace(/ [↑↓]$/, "");
      button.textContent = `${column.head} ${down ? "↓" : "↑"}`;
      sort(down);
    });
    cell.append(button);
  }
  return cell;
}

function inOrder(rows, column, down) {
  const compared = (a, b) => (column.text ? String(a).localeCompare(String(b), undefined, { numeric: true }) : a - b);
  return [...rows].sort((a, b) => (down ? -1 : 1) * compared(column.value(a), column.value(b)));
}

function startNodes() {
  const columns = [
    { head: "node", text: true, value: idOf },
    { head: "stage", value: (node) => data.nodes[node].stage },
    { head: "location", text: true, value: (node) => data.nodes[node].location ?? "" },
    { head: "forward", value: (node) => data.nodes[node].forward, show: seconds },
    { head: "actions", value: (node) => data.order[node].length },
    { head: "computing", value: busyOf, show: percent },
    { head: "in flight", value: (node) => inFlightOn(node).reduce((most, [, held]) => Math.max(most, held), 0) },
    { head: "slots", value: (node) => data.nodes[node].slots },
  ];
  if (data.nodes.every((node) => node.location === null)) columns.splice(2, 1);
  const mark = fillTable(byId("nodes"), columns, nodesByStage, {
    choose: chooseNode,
    chosen: (node) => node === state.node,
    sorted: true,
  });
  onChange((keys) => keys.has("node") && mark());
}

/** Links shown at once: a page of tens of thousands of rows would be slow. */
const MOST_LINKS = 300;

function startLinks() {
  const columns = [
    { head: "from", text: true, value: ([from]) => idOf(from) },
    { head: "to", text: true, value: ([, to]) => idOf(to) },
    { head: "transfers", value: ([, , count]) => count },
    { head: "bytes", value: ([, , count]) => count * data.activation, show: bytes },
    { head: "each", value: ([, , , time]) => time, show: seconds },
    { head: "in all", value: ([, , count, time]) => count * time, show: seconds },
  ];
  const rows = inOrder(data.links, columns[5], true);
  const travelled = ([from, to]) =>
    [...state.microbatches].some((microbatch) => {
      const path = data.paths[microbatch];
      return path.some((node, place) => {
        const next = path[(place + 1) % path.length];
        return (node === from && next === to) || (node === to && next === from);
      });
    });
  const options = { choose: ([from]) => chooseNode(from), chosen: travelled, sorted: true };
  let mark = fillTable(byId("links"), columns, rows, { ...options, most: MOST_LINKS });
  const every = byId("every-link");
  every.hidden = rows.length <= MOST_LINKS;
  every.textContent = `${rows.length - MOST_LINKS} more: show all ${rows.length} links`;
  every.addEventListener("click", () => {
    mark = fillTable(byId("links"), columns, rows, options);
    every.hidden = true;
  });
  onChange((keys) => keys.has("microbatches") && mark());
}
