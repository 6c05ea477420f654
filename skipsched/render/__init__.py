"""Pictures of a schedule: in the terminal, as SVG, as a page."""
