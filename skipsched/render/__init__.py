"""Schedules for people who look rather than read: in the terminal, as SVG, as a page."""
