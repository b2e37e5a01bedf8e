"""From the files of a OneRoster bundle to the staging tables."""

from __future__ import annotations

from collections.abc import Mapping

from rollbook.roster.connectors.oneroster_csv.manifest import Manifest, parse
from rollbook.roster.connectors.oneroster_csv.specs import FILES, REQUIRED, UNUSED
from rollbook.roster.connectors.reading.header import plain
from rollbook.roster.connectors.reading.pipeline import DIGESTED, Raw, Reader
from rollbook.roster.connectors.reading.source import Entry
from rollbook.roster.connectors.reading.staging import GUARDIAN_ROLES
from rollbook.roster.rules.bundle import ReadWhole, Refused

MANIFEST_LIMIT = 1 << 20


def read(reader: Reader, files: Mapping[str, Entry]) -> tuple[str, frozenset[str]]:
    """Stage the files (by published name); the version and the kinds that the bundle speaks about. Raises Refused."""
    manifest = _manifest(reader, files)
    modes = _modes(reader, files, manifest)
    raws: dict[str, Raw] = {}
    # Without roles.csv a user's row makes roles too.
    reader.digested = DIGESTED if "roles.csv" in modes else DIGESTED - {"person"}
    for name, spec in FILES.items():
        if name not in modes:
            continue
        raw = reader.load(files[name], spec, FILES, mode=modes[name], required=name in REQUIRED)
        if raw is not None:
            raws[name] = raw
    if not raws:
        raise Refused(
            "The bundle holds no roster file that may be read.", mend="Check manifest.csv, and export again."
        )
    version = _version(reader, manifest, raws)
    _check_roles(reader, raws)
    reader.clean()
    kinds = _fill(reader, raws)
    return version, kinds


def _manifest(reader: Reader, files: Mapping[str, Entry]) -> Manifest | None:
    entry = files.get("manifest.csv")
    if entry is not None and entry.size > MANIFEST_LIMIT:
        raise Refused(
            f"'{entry.name}' is {entry.size >> 10} KB; a manifest has some twenty lines.", entry.name,
            mend="Check that the files have their own names.",
        )  # fmt: skip
    text = reader.head(entry) if entry is not None else ""
    if entry is None or not text.strip():
        reader.warn(
            "missing-manifest", entry.name if entry else None,
            "There is no manifest.csv with content; every file found was taken as bulk (whole).",
            "Add manifest.csv, which says bulk or delta for each file.",
        )  # fmt: skip
        return None
    manifest = parse(entry.name, text)
    reader.notices += manifest.notices
    if not manifest.modes:
        reader.warn("missing-manifest", entry.name, "The manifest names no file; every file found was taken as bulk (whole).",
                    "Write a line such as file.users,bulk for each file.")  # fmt: skip
    return manifest


def _modes(reader: Reader, files: Mapping[str, Entry], manifest: Manifest | None) -> dict[str, str]:
    """The files to read, each with its mode."""
    said = manifest.modes if manifest else {}
    modes: dict[str, str] = {}
    for name in FILES:
        stated = said.get(plain(name.removesuffix(".csv")))
        entry = files.get(name)
        if entry is None:
            _missing(reader, name, stated, bool(said))
            continue
        if stated == "absent":
            reader.warn("manifest-absent", entry.name, "The manifest says that this file is absent; it was not read.",
                        "Remove the file, or write bulk or delta in the manifest.")  # fmt: skip
            continue
        if said and not stated:
            reader.warn(
                "blank-manifest-mode", entry.name,
                "The manifest does not say whether this file is bulk or delta; it was taken as bulk (whole).",
                f"Write file.{name.removesuffix('.csv')},bulk in the manifest.",
            )  # fmt: skip
        modes[name] = stated or "bulk"
    for name in UNUSED:
        if name in files:
            reader.warn(
                "file-not-used",
                files[name].name,
                "The file holds no roster; it was not read.",
                "Nothing to do.",
            )
    return modes


def _missing(reader: Reader, name: str, stated: str | None, has_manifest: bool) -> None:
    if stated in ("bulk", "delta"):
        if name in REQUIRED:
            raise Refused(
                f"The manifest says that '{name}' is there ({stated}), and it is not.", name,
                mend="Export the bundle again, and check that every file was uploaded.",
            )  # fmt: skip
        reader.warn(
            "manifest-missing-file", name,
            f"The manifest says that '{name}' is there ({stated}), and it is not; what is stored of it stays as it is.",
            "Export the bundle again, or write absent in the manifest.",
        )  # fmt: skip
    elif not has_manifest and name in REQUIRED:
        raise Refused(
            f"There is no '{name}', and no manifest that says it is left out on purpose.", name,
            mend=f"Add '{name}', or a manifest.csv with the line file.{name.removesuffix('.csv')},absent.",
        )  # fmt: skip


def _version(reader: Reader, manifest: Manifest | None, raws: Mapping[str, Raw]) -> str:
    stated = manifest.version if manifest else None
    users = raws.get("users.csv")
    looks = "1.1" if "roles.csv" not in raws and users is not None and "k_role" in users.columns else "1.2"
    if stated is None:
        return looks
    known = stated[:3] if stated[:3] in ("1.1", "1.2") else "1.1" if stated.startswith("1.0") else None
    if known is None:
        reader.warn("version", "manifest.csv", f"The version '{stated[:20]}' is not known; the files look like {looks}.",
                    "Write oneroster.version,1.2 (or 1.1).")  # fmt: skip
        return looks
    if users is not None and known != looks:
        reader.warn("version", "manifest.csv", f"The manifest says {stated[:20]}; the files look like {looks}.",
                    f"Write oneroster.version,{looks}.")  # fmt: skip
        return looks
    return known


def _check_roles(reader: Reader, raws: Mapping[str, Raw]) -> None:
    users = raws.get("users.csv")
    if users is None or "k_role" not in users.columns or "roles.csv" not in raws:
        return
    reader.warn("legacy-role", users.entry.name, "Roles stand in users.csv and in roles.csv; those of roles.csv were taken.",
                "Leave role and orgSourcedIds out of users.csv.", "role")  # fmt: skip


def _fill(reader: Reader, raws: Mapping[str, Raw]) -> frozenset[str]:
    con = reader.con
    kinds: set[str] = set()
    noticed = len(reader.notices)

    def speaks(raw: Raw, kind: str) -> None:
        kinds.add(kind)
        reader.put_file(raw, kind)

    for name in ("orgs.csv", "academicSessions.csv", "courses.csv", "classes.csv", "demographics.csv"):
        if name in raws:
            reader.keep(raws[name], raws[name].spec.kind)
            speaks(raws[name], raws[name].spec.kind)
    if "roles.csv" in raws:
        raw = raws["roles.csv"]
        _synthesise(reader, raw, "user_sourced_id || ':' || org_sourced_id || ':' || role")
        reader.keep(raw, "role")
        speaks(raw, "role")
    if "enrollments.csv" in raws:
        raw = raws["enrollments.csv"]
        # One that names no school is at the school of its class, whose row may change.
        if con.execute(f"SELECT 1 FROM {raw.table} WHERE school_sourced_id IS NULL LIMIT 1").fetchone():
            reader.regular.pop("enrollment", None)
        _synthesise(reader, raw, "class_sourced_id || ':' || user_sourced_id || ':' || role")
        reader.keep(raw, "enrollment")
        speaks(raw, "enrollment")
    users = raws.get("users.csv")
    if users is not None:
        if "roles.csv" not in raws and {"k_role", "k_orgs"} <= users.columns:
            reader.fill("role", [_roles_of_users(users.table)])
            speaks(users, "role")
            if "primary_org_sourced_id" not in users.columns:
                con.execute(
                    f"UPDATE {users.table} SET primary_org_sourced_id = nullif(split_part(k_orgs, ',', 1), '') "
                    f"WHERE k_orgs IS NOT NULL"
                )
        if "role" in kinds:
            reader.administrators()
        if "k_agents" in users.columns:
            pairs, roles = users.table, "s_role" if "role" in kinds else ""
            if users.part:
                pairs = "raw_agents"
                reader.column_again(users, ("sourced_id", "k_agents"), pairs, "k_agents <> ''")
            if "roles.csv" in raws and raws["roles.csv"].part:
                roles = "raw_ends"
                reader.column_again(raws["roles.csv"], ("user_sourced_id", "role"), roles, "true")
            reader.fill("guardianship", [_guardianship(pairs, roles)])
            speaks(users, "guardianship")
        reader.keep(users, "person")
        speaks(users, "person")
    elif "role" in kinds:
        reader.administrators()
    if len(reader.notices) > noticed:
        if reader.part:
            raise ReadWhole
        reader.regular.clear()
    return frozenset(kinds)


def _synthesise(reader: Reader, raw: Raw, made: str) -> None:
    """Give rows without a sourcedId one that is the same in every sync."""
    row = reader.con.execute(
        f"SELECT count(*), min(_row) FROM {raw.table} WHERE sourced_id IS NULL AND ({made}) IS NOT NULL"
    ).fetchone()
    if not row or not row[0]:
        return
    reader.con.execute(f"UPDATE {raw.table} SET sourced_id = {made} WHERE sourced_id IS NULL")
    reader.warn("made-id", raw.entry.name, "Rows without a sourcedId got one made of their references and role.",
                "Export the sourcedId of every row.", "sourcedId", int(row[1]), int(row[0]))  # fmt: skip


def _roles_of_users(table: str) -> str:
    """One role a user and org, as OneRoster 1.1 means users.role with users.orgSourcedIds; the first org is primary."""
    return (
        "SELECT sourced_id || ':' || org || ':' || k_role AS sourced_id, status, sourced_id AS user_sourced_id, "
        "CASE WHEN i = 1 THEN 'primary' ELSE 'secondary' END AS role_type, k_role AS role, org AS org_sourced_id, _file, _row "
        f"FROM (SELECT sourced_id, status, k_role, _file, _row, unnest(orgs) AS org, generate_subscripts(orgs, 1) AS i FROM "
        f"(SELECT sourced_id, status, k_role, _file, _row, string_split(k_orgs, ',') AS orgs FROM {table} "
        f"WHERE sourced_id IS NOT NULL AND k_role IS NOT NULL AND k_orgs IS NOT NULL)) WHERE org <> '' "
        "QUALIFY row_number() OVER (PARTITION BY _row, org ORDER BY i) = 1"
    )


def _guardianship(table: str, roles_of: str) -> str:
    """Guardians from users.agentSourcedIds: the agent of a pupil is a guardian; the agents of a guardian are pupils."""
    roles = (
        "SELECT user_sourced_id AS id, max(role) FILTER (WHERE role IN "
        f"({', '.join(repr(r) for r in GUARDIAN_ROLES)})) AS guards, count(*) FILTER (WHERE role = 'student') AS learns "
        f"FROM {roles_of} WHERE user_sourced_id IN (SELECT id FROM ends) GROUP BY user_sourced_id"
        if roles_of
        else "SELECT NULL::VARCHAR AS id, NULL::VARCHAR AS guards, 0 AS learns WHERE false"
    )
    return (
        f"WITH pairs AS (SELECT sourced_id AS owner, unnest(string_split(k_agents, ',')) AS agent, _file, _row FROM {table} "
        "WHERE k_agents IS NOT NULL AND sourced_id IS NOT NULL), "
        "ends AS (SELECT owner AS id FROM pairs UNION SELECT agent FROM pairs), "
        f"roles AS ({roles}), "
        "told AS (SELECT owner, agent, _file, _row, o.guards AS owner_guards, coalesce(o.learns, 0) AS owner_learns, "
        "o.id IS NULL AS owner_unknown, a.guards AS agent_guards FROM pairs LEFT JOIN roles o ON o.id = owner "
        "LEFT JOIN roles a ON a.id = agent WHERE agent <> '' AND agent <> owner), "
        "turned AS (SELECT CASE WHEN owner_guards IS NOT NULL AND owner_learns = 0 AND agent_guards IS NULL THEN owner ELSE "
        "agent END AS guardian, CASE WHEN owner_guards IS NOT NULL AND owner_learns = 0 AND agent_guards IS NULL THEN agent "
        "ELSE owner END AS child, coalesce(agent_guards, owner_guards) AS relationship, _file, _row FROM told "
        "WHERE owner_learns > 0 OR owner_unknown OR owner_guards IS NOT NULL OR agent_guards IS NOT NULL) "
        "SELECT guardian AS guardian_sourced_id, child AS child_sourced_id, max(relationship) AS relationship, "
        "arg_min(_file, _row) AS _file, min(_row) AS _row FROM turned GROUP BY guardian, child"
    )
