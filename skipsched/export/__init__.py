"""A schedule in the formats of other tools, one file a format; what a format cannot express is refused."""
