"""Schedules in other tools' formats."""
