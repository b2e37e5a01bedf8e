"""Scripts of the Makefile, and the checks of the house style that `tests/architecture` runs."""
