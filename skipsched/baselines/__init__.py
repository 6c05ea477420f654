"""Published methods, each a real scheduler whose schedules replay and checker accept."""
