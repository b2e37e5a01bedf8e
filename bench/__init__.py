"""Benchmarks, each beside a peer or a physical floor in the same run. `make bench`, or `python -m bench NAME`."""
