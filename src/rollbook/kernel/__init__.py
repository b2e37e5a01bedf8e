"""The kernel: database, clock, ids, jobs, files, http, errors, progress. It knows no school word."""
