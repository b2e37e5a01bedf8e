"""Microsoft School Data Sync CSV: V1 and its UK form (School.csv, Student.csv, ...), V2 and V2.1 (orgs.csv, users.csv, ...)."""

from rollbook.roster.connectors.sds.read import read_v1, read_v2
from rollbook.roster.connectors.sds.specs import V1_FILES, V1_UNUSED, V2_FILES

__all__ = ["V1_FILES", "V1_UNUSED", "V2_FILES", "read_v1", "read_v2"]
