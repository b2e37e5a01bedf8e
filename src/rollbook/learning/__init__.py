"""Learning: what is worked on and how it went. So far the gradebook: line items, and the results that apps send."""

from typing import TYPE_CHECKING

from rollbook.kernel.doors import front_door

if TYPE_CHECKING:
    from rollbook.learning.actions import Older as Older
    from rollbook.learning.actions import add_line_item as add_line_item
    from rollbook.learning.actions import change_line_item as change_line_item
    from rollbook.learning.actions import remove_line_item as remove_line_item
    from rollbook.learning.actions import take_score as take_score
    from rollbook.learning.queries import RESULT_COLUMNS as RESULT_COLUMNS
    from rollbook.learning.queries import line_items as line_items
    from rollbook.learning.queries import results as results
    from rollbook.learning.rules import Item as Item
    from rollbook.learning.rules import Score as Score
    from rollbook.learning.rules import scaled as scaled

__getattr__ = front_door(__name__, __file__)
