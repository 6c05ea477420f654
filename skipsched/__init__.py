"""skipsched: path schedules for training language models over uneven networks."""
