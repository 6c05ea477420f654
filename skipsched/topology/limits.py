"""How large a topology the program handles. Beyond these it is refused, the limit named."""

MAX_NODES = 2_000
MAX_STAGES = 64
MAX_LAYERS = 100_000
#: Microbatches of one data node, and actions of a whole iteration.
MAX_MICROBATCHES = 10_000
MAX_ACTIONS = 1_000_000
#: Any single count, such as samples or slots.
MAX_COUNT = 10**9
#: Seeds of random choices: fits whatever will take one.
MAX_SEED = 2**31 - 1
#: Any single duration, transfer or all-reduce in seconds (some 11 days): sums stay far within 64 bits.
MAX_SECONDS = 10**6
#: Ratios of durations.
MAX_RATIO = 10**6
#: Sizes in bytes and rates in bytes per second.
MAX_BYTES = 10**18
#: Rows of a `links_file` and its size.
MAX_LINK_ROWS = 250_000
MAX_LINKS_FILE_BYTES = 32 * 2**20
#: States of the automaton of allowed stage orders.
MAX_ORDER_STATES = 50_000
#: Characters of an id, a location or a name, and of the path of a `links_file`.
MAX_NAME = 200
MAX_PATH = 4096
