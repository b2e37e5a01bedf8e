"""The privacy engine: words beside columns, a compiled policy, one gate for reads, records that only grow."""

from typing import TYPE_CHECKING

from rollbook.kernel.doors import front_door

if TYPE_CHECKING:
    from rollbook.policy.bundles import all_bundles as all_bundles
    from rollbook.policy.bundles import bundle_for as bundle_for
    from rollbook.policy.bundles import bundle_recorded as bundle_recorded
    from rollbook.policy.bundles import compile_text as compile_text
    from rollbook.policy.bundles import from_text as from_text
    from rollbook.policy.bundles import record as record_bundle
    from rollbook.policy.bundles import recorded as recorded_bundle
    from rollbook.policy.compiler import SOURCES as SOURCES
    from rollbook.policy.compiler import Bundle as Bundle
    from rollbook.policy.compiler import PolicyError as PolicyError
    from rollbook.policy.compiler import diff as diff
    from rollbook.policy.exemptions import exemptions as list_exemptions
    from rollbook.policy.exemptions import page as exemptions_page
    from rollbook.policy.gate import Access as Access
    from rollbook.policy.gate import Actor as Actor
    from rollbook.policy.gate import Guarded as Guarded
    from rollbook.policy.gate import Open as Open
    from rollbook.policy.gate import Param as Param
    from rollbook.policy.gate import Reach as Reach
    from rollbook.policy.gate import Relationship as Relationship
    from rollbook.policy.gate import Via as Via
    from rollbook.policy.gate import also_reaches as also_reaches
    from rollbook.policy.gate import find_relationship as find_relationship
    from rollbook.policy.gate import prepared as prepared
    from rollbook.policy.gate import raw as raw
    from rollbook.policy.gate import relationship as relationship
    from rollbook.policy.gate import unguarded as unguarded
    from rollbook.policy.models import Audit as Audit
    from rollbook.policy.models import Disclosure as Disclosure
    from rollbook.policy.models import Gap as Gap
    from rollbook.policy.models import HandedOver as HandedOver
    from rollbook.policy.models import Restriction as Restriction
    from rollbook.policy.records import audit as audit
    from rollbook.policy.records import column_list as column_list
    from rollbook.policy.records import disclose as disclose
    from rollbook.policy.records import disclose_by_hand as disclose_by_hand
    from rollbook.policy.records import disclosures_about as disclosures_about
    from rollbook.policy.records import held as held
    from rollbook.policy.records import note_gap as note_gap
    from rollbook.policy.walls import verify as second_wall_problems
    from rollbook.policy.words import BOOKKEEPING as BOOKKEEPING
    from rollbook.policy.words import LINK as LINK
    from rollbook.policy.words import ORGANISATION as ORGANISATION
    from rollbook.policy.words import not_personal as not_personal
    from rollbook.policy.words import personal as personal
    from rollbook.policy.words import word_of as word_of

__getattr__ = front_door(__name__, __file__)
