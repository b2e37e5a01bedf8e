"""Writes to the roster: one verb, one transaction, audit and events with it."""
