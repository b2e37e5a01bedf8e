"""The second wall: PostgreSQL's own roles, column grants and row policies, made from the same bundles and words as
the gate's WHERE clauses.

A role of the policy is a database role that may only SELECT: the columns that the gate would ever show it, the rows
that its relationship reaches. The web process itself works as `rollbook_web`, which owns nothing, sees the tables of
one tenant at a time and cannot change what only grows. The owner (migrations, command line, worker) is not bound.

Policies ask the context that the gate sets for each transaction; what was not set is an error, not an empty answer.
Reaches are views of ids that belong to the owner, because a policy on a table that reads the table again recurses.
They are tested as sets: a small one is worked out once for a query, a large one is hashed or probed by its indexes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.apps import apps
from django.db import connection, models, transaction

from rollbook.policy.bundles import all_bundles
from rollbook.policy.compiler import Bundle
from rollbook.policy.gate import Access, Actor, Guarded, Open, Reach, relationships, role_name
from rollbook.policy.gate.reach import RESTRICTED, RESTRICTED_VIEW, UNRESTRICTED, view_name
from rollbook.policy.gate.standing import CONTEXT, literal
from rollbook.policy.gate.tables import about, field_named

WEB = "rollbook_web"


@dataclass
class Grant:
    """What one role may read of one table. arms: reach (None: the whole tenant) -> the (policy, purpose) pairs it is for."""

    columns: set[str] = field(default_factory=set)
    arms: dict[Reach | None, set[tuple[str, str]]] = field(default_factory=dict)


def roles(bundles: list[Bundle]) -> list[str]:
    """Every role that some profile gives something to."""
    return sorted({role for bundle in bundles for role in bundle.roles})


def tables() -> list[type[models.Model]]:
    """Every model whose table is in the database, in a stable order."""
    there = set(connection.introspection.table_names())
    return sorted(
        (m for m in apps.get_models(include_auto_created=True) if m._meta.db_table in there),
        key=lambda m: m._meta.db_table,
    )


def grant(bundles: list[Bundle], role: str, model: type[models.Model]) -> Grant:
    """What a role may read of a guarded table under any profile and purpose, as the gate decides it."""
    found = Grant()
    if not _has_tenant(model):
        return found
    for bundle in bundles:
        for rule in (r for r in bundle.rules.values() if r.role == role):
            access = Access(
                Actor("app" if role == "app" else "staff", role, 0, role), rule.purpose, 0, bundle
            )
            if access.decide(model).allowed:
                found.columns |= {_column(model, name) for name in access.columns(model)}
                found.arms.setdefault(access.reach(model), set()).add((bundle.profile, rule.purpose))
    return found


def statements(bundles: list[Bundle] | None = None) -> list[str]:
    """The whole wall as SQL, for the current schema; roles must exist (`role_statements`)."""
    bundles = all_bundles() if bundles is None else bundles
    sql = [_take_down(), *_views(bundles)]
    everyone = ", ".join(map(quote, [WEB, *map(role_name, roles(bundles))]))
    sql.append(f"GRANT USAGE ON SCHEMA {quote(_schema())} TO {everyone}")
    for model in tables():
        table = quote(model._meta.db_table)
        if not issubclass(model, Guarded):
            sql.append(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {WEB}")
            if issubclass(model, Open):
                sql.append(f"GRANT SELECT ON {table} TO {everyone}")
            continue
        sql.append(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        sql += _web(model, table)
        for role in roles(bundles):
            found = grant(bundles, role, model)
            if found.arms:
                name = quote(role_name(role))
                columns = ", ".join(quote(c) for c in sorted(found.columns))
                sql.append(f"GRANT SELECT ({columns}) ON {table} TO {name}")
                using = "\n  AND ".join(_rows(model, role, found))
                sql.append(f"CREATE POLICY {name} ON {table} FOR SELECT TO {name} USING (\n  {using})")
    return sql


def role_statements(bundles: list[Bundle] | None = None) -> list[str]:
    """Roles and their memberships. They belong to the whole cluster, where others may be making them just now."""
    names = [role_name(role) for role in roles(all_bundles() if bundles is None else bundles)]
    sql = [
        _once(f"CREATE ROLE {quote(n)} NOLOGIN NOINHERIT", f"SELECT FROM pg_roles WHERE rolname = '{n}'")
        for n in (WEB, *names)
    ]
    for member, of in [*((WEB, n) for n in names), ("", WEB)]:
        who = f"'{member}'" if member else "session_user"
        exists = (
            "SELECT FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles w ON w.oid = m.member"
            f" WHERE r.rolname = '{of}' AND w.rolname = {who}"
        )
        if not member:  # the owner stands back into the web role; a superuser may without being a member
            exists += " UNION ALL SELECT FROM pg_roles WHERE rolname = session_user AND rolsuper"
        sql.append(_once(f"GRANT {quote(of)} TO {quote(member) if member else 'SESSION_USER'}", exists))
    return sql


def install() -> None:
    """Put the wall up, or put up anew what has changed; what the bundles no longer say is taken down. Idempotent.
    Run by the owner after each migration; nothing happens on SQLite, where the gate stands alone."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for statement in role_statements():
            cursor.execute(statement)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(";\n".join(statements()))


LOCK = 7_266_305_541  # any number that nothing else here locks


def take_down() -> None:
    """Before migrations: policies and views would hold columns that a migration changes. Row-level security itself
    stays on, so the web role sees nothing until the wall stands again."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(_take_down())


def verify() -> list[str]:
    """What differs between the database and what the compiler emits: a sentence each, nothing when the wall stands.

    Puts the wall up in a transaction, compares the catalogue before and after, and undoes it. Raises
    OperationalError when somebody works on the tables for more than two seconds.
    """
    if connection.vendor != "postgresql":
        return []
    wrong = list(_wrong_roles())
    if wrong:
        return wrong
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '2s'")
        before = _catalogue()
        cursor.execute(";\n".join(statements()))
        after = _catalogue()
        transaction.set_rollback(True)
    changed = [what for what, state in after.items() if before.get(what) != state]
    found = [
        f"{what}: the policy says “{after[what]}”, the database says “{before.get(what, 'nothing')}”."
        for what in changed
    ]
    return sorted(
        [*found, *(f"{what} is in the database, but not in the policy." for what in set(before) - set(after))]
    )


# ---- Parts.


def quote(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def setting(name: str) -> str:
    """What the context says, as SQL. Unset and empty are errors."""
    kind = CONTEXT[name]
    return f"current_setting('rollbook.{name}')" + ("" if kind == "text" else f"::{kind}")


def _has_tenant(model: type[models.Model]) -> bool:
    return any(f.column == "tenant_id" for f in model._meta.concrete_fields)


def _column(model: type[models.Model], name: str) -> str:
    return str(next(f.column for f in model._meta.concrete_fields if f.attname == name))


def _schema() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        return str(cursor.fetchone()[0])


def _once(statement: str, exists: str) -> str:
    """Run a statement unless what it makes is there, or somebody else makes it in the same moment."""
    return (
        f"DO $$ BEGIN IF NOT EXISTS ({exists}) THEN {statement}; END IF;"
        " EXCEPTION WHEN duplicate_object OR unique_violation OR internal_error THEN NULL; END $$"
    )


def view_select(reach: Reach) -> str:
    """A reach as a SELECT of ids whose values come from the context."""
    sql = reach.ids
    for name in reach.names:
        sql = sql.replace("%s", setting(name), 1)
    if "%s" in sql:
        raise ValueError(f"a reach in a policy may ask only for {', '.join(CONTEXT)}: {reach.select}")
    return sql


def _views(bundles: list[Bundle]) -> Iterator[str]:
    every = {RESTRICTED_VIEW: RESTRICTED}
    labels = {m._meta.label: m for m in tables()}
    for found in relationships().values():
        for label, reach in found.reaches.items():
            if reach is not None and label in labels:
                every[view_name(found.name, labels[label])] = reach
    needed = {role: _views_of(bundles, role) for role in roles(bundles)}
    for name, reach in sorted(every.items()):
        yield f"CREATE VIEW {quote(name)} (id) AS {view_select(reach)}"
        uses = [role for role in needed if name in needed[role]]
        if uses:
            yield f"GRANT SELECT ON {quote(name)} TO {', '.join(quote(role_name(role)) for role in uses)}"


def _views_of(bundles: list[Bundle], role: str) -> set[str]:
    restricted = set() if role in UNRESTRICTED else {RESTRICTED_VIEW}
    return restricted | {
        r.view for m in tables() if issubclass(m, Guarded) for r in grant(bundles, role, m).arms if r
    }


def _rows(model: type[models.Model], role: str, found: Grant) -> Iterator[str]:
    """The conditions on a row, all of which must hold."""
    arms = []
    for reach, purposes in sorted(found.arms.items(), key=lambda arm: sorted(arm[1])):
        arm = f"tenant_id = {_tenant_for(purposes)}"
        if reach is not None:
            arm += f"\n  AND {_holds(model, reach, reach.column)}"
        arms.append(arm)
    yield arms[0] if len(arms) == 1 else "(" + " OR ".join(f"({arm})" for arm in arms) + ")"
    for column in about(model) if role not in UNRESTRICTED else ():
        yield f"NOT ({_holds(model, RESTRICTED.through(RESTRICTED_VIEW), column)})"


def _tenant_for(purposes: set[tuple[str, str]]) -> str:
    """The tenant of the context when its policy and purpose are among these, else none: one value for a whole query,
    so that the index of the tenant serves and the planner does not take the purpose for a property of the row."""
    cases: dict[str, list[str]] = {}
    for policy, purpose in sorted(purposes):
        cases.setdefault(policy, []).append(literal(purpose))
    when = " OR ".join(
        f"{setting('policy')} = {literal(policy)} AND {setting('purpose')} IN ({', '.join(names)})"
        for policy, names in cases.items()
    )
    return f"CASE WHEN {when} THEN {setting('tenant')} END"


def _holds(model: type[models.Model], reach: Reach, column: str) -> str:
    row = f"{quote(model._meta.db_table)}.{quote(_column(model, field_named(model, column).attname))}"
    return reach.condition.replace("{row}", row)


def _web(model: type[models.Model], table: str) -> Iterator[str]:
    """What the web process itself may do: everything in one tenant, except to change what only grows."""
    assert issubclass(model, Guarded)
    tenant = f"tenant_id = {setting('tenant')}" if _has_tenant(model) else "true"
    see = "true" if model.found_before_tenant else tenant
    add = "true" if model.written_for_many else tenant
    verbs = {"SELECT": f"USING ({see})", "INSERT": f"WITH CHECK ({add})"}
    if not model.only_grows:
        verbs |= {"UPDATE": f"USING ({tenant}) WITH CHECK ({tenant})", "DELETE": f"USING ({tenant})"}
    yield f"GRANT {', '.join(verbs)} ON {table} TO {WEB}"
    for verb, rows in verbs.items():
        yield f"CREATE POLICY {WEB}_{verb.lower()} ON {table} FOR {verb} TO {WEB} {rows}"


def _take_down() -> str:
    """Every policy and view of the wall, and every right of its roles, gone: also those of bundles long past."""
    return r"""DO $$ DECLARE it record; BEGIN
  FOR it IN SELECT p.polname, p.polrelid::regclass::text AS rel FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
             WHERE c.relnamespace = current_schema()::regnamespace LOOP
    EXECUTE format('DROP POLICY %I ON %s', it.polname, it.rel);
  END LOOP;
  FOR it IN SELECT oid::regclass::text AS rel FROM pg_class
             WHERE relkind = 'v' AND relname LIKE 'reach\_%' AND relnamespace = current_schema()::regnamespace LOOP
    EXECUTE format('DROP VIEW %s', it.rel);
  END LOOP;
  EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM PUBLIC', current_schema());
  FOR it IN SELECT rolname FROM pg_roles WHERE rolname LIKE 'rollbook\_%' AND NOT rolcanlogin LOOP
    EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM %I', current_schema(), it.rolname);
  END LOOP;
END $$"""


def _wrong_roles() -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolname, rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolinherit,"
            " EXISTS (SELECT FROM pg_tables WHERE tableowner = rolname AND schemaname = current_schema())"
            r" FROM pg_roles WHERE rolname LIKE 'rollbook\_%'"
        )
        have = {name: (powerful, owner) for name, powerful, owner in cursor.fetchall()}
    for name in (WEB, *(role_name(role) for role in roles(all_bundles()))):
        powerful, owner = have.get(name, (False, False))
        if name not in have:
            yield f"The database has no role {name}."
        if powerful:
            yield f"The role {name} may do too much: it must not be superuser, bypass row security, create, or inherit."
        if owner:
            yield f"The role {name} owns tables, so row security does not bind it."


_CATALOGUE = r"""
SELECT 'policy ' || tablename || '.' || policyname,
       concat_ws(' ', permissive, cmd, roles::text, 'USING', qual, 'CHECK', with_check)
  FROM pg_policies WHERE schemaname = current_schema()
UNION ALL
SELECT 'view ' || c.relname, concat_ws(' ', pg_get_viewdef(c.oid), c.reloptions::text, c.relacl::text)
  FROM pg_class c WHERE c.relkind = 'v' AND c.relname LIKE 'reach\_%' AND c.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'rights on ' || c.relname,
       concat_ws(' ', CASE WHEN c.relrowsecurity THEN 'by row' END,
                 (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(c.relacl) a))
  FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'rights on ' || c.relname || '.' || a.attname, (SELECT string_agg(r::text, ' ' ORDER BY r::text) FROM unnest(a.attacl) r)
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE cardinality(a.attacl) > 0 AND c.relnamespace = current_schema()::regnamespace
"""


def _catalogue() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(_CATALOGUE)
        return {str(what): str(state) for what, state in cursor.fetchall()}
