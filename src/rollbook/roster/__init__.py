"""The roster: tenants, orgs, people, classes and who is in them; syncs that propose before they change."""

from typing import TYPE_CHECKING

from rollbook.kernel.doors import front_door

if TYPE_CHECKING:
    from rollbook.roster.actions.handed import Entry as Entry
    from rollbook.roster.actions.handed import hand_over as hand_over
    from rollbook.roster.actions.sandbox import ask_to_fill as ask_to_fill
    from rollbook.roster.actions.sandbox import make_sandbox as make_sandbox
    from rollbook.roster.actions.sync import undo as undo
    from rollbook.roster.jobs import fill_sandbox as fill_sandbox
    from rollbook.roster.jobs import sync_path as sync_path
    from rollbook.roster.models import Tenant as Tenant
    from rollbook.roster.queries import find_by_sourced_id as find_by_sourced_id
    from rollbook.roster.queries import last_applied as last_applied
    from rollbook.roster.queries import orphans as orphans
    from rollbook.roster.queries import sample_of as sample_of
    from rollbook.roster.queries import sample_pupils as sample_pupils
    from rollbook.roster.queries import set_aside_of as set_aside_of
    from rollbook.roster.queries.changes import changes as changes
    from rollbook.roster.queries.changes import images as images_before
    from rollbook.roster.queries.changes import last_change as last_change
    from rollbook.roster.queries.handed import entries as handed_over
    from rollbook.roster.queries.handed import people_called as people_called
    from rollbook.roster.queries.ids import one_and_the_same as one_and_the_same
    from rollbook.roster.queries.ids import survivor as survivor
    from rollbook.roster.queries.people import FIRST_NAMES as FIRST_NAMES
    from rollbook.roster.queries.people import children_of as children_of
    from rollbook.roster.queries.people import first_names as first_names
    from rollbook.roster.queries.people import names_of as names_of
    from rollbook.roster.queries.people import register as class_register
    from rollbook.roster.queries.people import school_choices as school_choices
    from rollbook.roster.queries.people import taught_in as taught_in
    from rollbook.roster.queries.person import explains_authority as explains_authority
    from rollbook.roster.queries.person import explains_deletion as explains_deletion
    from rollbook.roster.queries.sandbox import awkward_pupils as awkward_pupils
    from rollbook.roster.queries.sandbox import sandbox_state as sandbox_state
    from rollbook.roster.queries.standing import contacts_of as contacts_of
    from rollbook.roster.queries.standing import find_by_detail as find_by_detail
    from rollbook.roster.queries.standing import guardians_by as guardians_by
    from rollbook.roster.queries.standing import standing as standing
    from rollbook.roster.queries.syncs import syncs as recent_syncs
    from rollbook.roster.queries.tenants import school_named as school_named
    from rollbook.roster.rules.details import door_name as door_name
    from rollbook.roster.rules.details import in_words as columns_in_words
    from rollbook.roster.rules.details import kept_until as kept_until
    from rollbook.roster.rules.handed import ground_title as ground_title
    from rollbook.roster.rules.keep import parse_keep as parse_keep
    from rollbook.roster.rules.told import roster_changed as roster_changed

__getattr__ = front_door(__name__, __file__)
