"""Who hears that the roster changed."""

from django.dispatch import Signal

# Sent with `tenant` (its id) inside the transaction of each change: what a receiver writes is undone with it.
roster_changed = Signal()
