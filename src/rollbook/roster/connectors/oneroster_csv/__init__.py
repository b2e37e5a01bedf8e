"""OneRoster CSV 1.1 and 1.2, bulk and delta, with or without a manifest."""

from rollbook.roster.connectors.oneroster_csv.read import read
from rollbook.roster.connectors.oneroster_csv.specs import FILES, UNUSED

__all__ = ["FILES", "UNUSED", "read"]
