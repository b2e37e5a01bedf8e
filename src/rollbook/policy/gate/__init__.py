"""The one gate for reads.

    access = Access(actor, purpose="teaching", tenant=tenant.id, bundle=bundle)
    with access.open():
        pupils = access.select(Person).filter(klass...).values_list("id", "given_name")

`select` compiles role, relationship, purpose, tenant and restriction into the WHERE clause and the allowed
categories into the column list. A column that is not granted is absent; touching it raises `Refused` with the
reason, in whichever part of the query it is named. A guarded model's own manager refuses outside `unguarded`.

On PostgreSQL `open()` also puts up the second wall for the transaction: the database role of the actor's role,
and the context that the row policies read (see `policy.walls`).
"""

from rollbook.policy.gate.access import Access as Access
from rollbook.policy.gate.access import Actor as Actor
from rollbook.policy.gate.reach import Reach as Reach
from rollbook.policy.gate.reach import Relationship as Relationship
from rollbook.policy.gate.reach import Via as Via
from rollbook.policy.gate.reach import also_reaches as also_reaches
from rollbook.policy.gate.reach import find_relationship as find_relationship
from rollbook.policy.gate.reach import relationship as relationship
from rollbook.policy.gate.reach import relationships as relationships
from rollbook.policy.gate.selection import Param as Param
from rollbook.policy.gate.standing import role_name as role_name
from rollbook.policy.gate.statements import prepared as prepared
from rollbook.policy.gate.tables import Guarded as Guarded
from rollbook.policy.gate.tables import Open as Open
from rollbook.policy.gate.tables import UnneededExemption as UnneededExemption
from rollbook.policy.gate.tables import raw as raw
from rollbook.policy.gate.tables import unguarded as unguarded
