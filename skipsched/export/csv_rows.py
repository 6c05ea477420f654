"""CSV for spreadsheets and data frames: one row an action, as RFC 4180 has it."""

from __future__ import annotations

import csv
from io import StringIO

from skipsched.opened import Opened
from skipsched.schedule.document import action_row

#: `arrival` is when the action's input has arrived; times are microseconds from the start of the iteration.
COLUMNS = ("node", "stage", "op", "microbatch", "data_node", "start", "end", "from", "to", "arrival")


def text(opened: Opened) -> str:
    """The rows, node by node in the order of execution; what an action does not have stays empty."""
    instance, scheduled = opened.instance, opened.scheduled
    paths, lag = scheduled.plan.routes.paths, scheduled.actions.lag
    written = StringIO()
    writer = csv.DictWriter(written, COLUMNS)
    writer.writeheader()
    for node_id, sequence in zip(instance.node_ids, scheduled.plan.order, strict=True):
        for action in sequence:
            row = action_row(instance, scheduled, action)
            if "from" in row:
                row["arrival"] = scheduled.end[action - 1] + lag[action]
            data_node = instance.node_ids[paths[row["microbatch"]][0]]
            writer.writerow({"node": node_id, "data_node": data_node, **row})
    return written.getvalue()
