"""Compares docs/reference.md with the catalogue and the sources, and the options in docs/files.md with the parser's."""

import os
import re

from docs_server import ROOT, check, psql, rows
from docs_text import code, tables

# ---- reference ------------------------------------------------------------------------------------------------------

MEMBERS = """
    FROM pg_depend d JOIN pg_extension e
        ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
    WHERE e.extname = 'tinyquant' AND d.classid = '{}'::regclass"""
FUNCTIONS = f"""
    SELECT p.proname, array_to_string(ARRAY(
            SELECT concat_ws(' ', names[i], format_type(types[i], NULL))
                || coalesce(' = ' || regexp_replace(pg_get_function_arg_default(p.oid, i), '::[a-z]+(\[\])?$', ''), '')
            FROM generate_series(1, p.pronargs) i ORDER BY i), ', '),
        CASE WHEN p.prokind = 'p' THEN '' WHEN outs <> '' THEN 'table(' || outs || ')'
            ELSE pg_get_function_result(p.oid) END
    FROM pg_proc p,
        LATERAL (SELECT nullif(p.proargnames, '{{}}') AS names,
            coalesce(p.proallargtypes, ARRAY(SELECT unnest(p.proargtypes))) AS types) a,
        LATERAL (SELECT coalesce(
                string_agg(names[i] || ' ' || format_type(types[i], NULL), ', ' ORDER BY i), '') AS outs
            FROM generate_series(1, cardinality(types)) i WHERE p.proargmodes[i] IN ('o', 't')) o
    WHERE p.oid IN (SELECT d.objid {MEMBERS.format('pg_proc')}) ORDER BY 1, 2"""
OPERATORS = f"""
    SELECT oprname, oprleft::regtype, oprright::regtype FROM pg_operator
    WHERE oid IN (SELECT d.objid {MEMBERS.format('pg_operator')})"""
CASTS = f"""
    SELECT castsource::regtype, casttarget::regtype,
        CASE castcontext WHEN 'i' THEN 'implicit' WHEN 'a' THEN 'assignment' ELSE 'explicit' END
    FROM pg_cast WHERE oid IN (SELECT d.objid {MEMBERS.format('pg_cast')})"""
CLASSES = f"""
    SELECT opcname, amname FROM pg_opclass JOIN pg_am a ON a.oid = opcmethod
    WHERE pg_opclass.oid IN (SELECT d.objid {MEMBERS.format('pg_opclass')})"""


SETTINGS = """
    SELECT tq_version() \\g /dev/null
    SELECT name, vartype, coalesce(boot_val || coalesce(unit, ''), ''), context
    FROM pg_settings WHERE name LIKE 'tinyquant.%'"""


NUMBERS = "numbers[]"


def expanded(text, entries):
    """Entries with each of the types that the document has one word for."""
    words = re.search(r"`numbers\[\]` stands for (.*)\.", text)
    types = code(words[1]) if words else [NUMBERS]
    for entry in entries:
        if NUMBERS not in str(entry):
            yield entry
        elif isinstance(entry, str):
            yield from (entry.replace(NUMBERS, type_) for type_ in types)
        else:
            yield from (tuple(type_ if part == NUMBERS else part for part in entry) for type_ in types)


def both_ways(what, listed, there):
    listed, there = set(listed), set(there)
    check(bool(there), f"reference: {what}: something is there")
    for text, missing in (
        ("there, and not in the document", there - listed),
        ("in the document, and not there", listed - there),
    ):
        check(not missing, f"reference: {what}: nothing is {text}", "\n".join(sorted(map(str, missing))))


def reference():
    text = (ROOT / "docs/reference.md").read_text()
    functions = rows(FUNCTIONS)
    there = {f"{name}({given})" + (f" → {result}" if result else "") for name, given, result in functions}
    listed = list(expanded(text, [span for row in tables(text, "## Functions") for span in code(row[0])]))
    check(len(listed) == len(set(listed)), "reference: functions: none is listed twice")
    both_ways("functions", listed, there)
    listed = [tuple(code(c)[0] for c in row[:3]) for row in tables(text, "## Operators")]
    both_ways("operators", expanded(text, listed), [tuple(row) for row in rows(OPERATORS)])
    listed = [(code(row[0])[0], code(row[1])[0], row[2].split()[0].strip(":,;")) for row in tables(text, "## Casts")]
    both_ways("casts", expanded(text, listed), [tuple(row) for row in rows(CASTS)])
    listed = [(code(row[0])[0], code(row[1])[0]) for row in tables(text, "## Operator classes")]
    both_ways("operator classes", listed, [tuple(row) for row in rows(CLASSES)])

    listed = [
        (code(row[0])[0], row[1].split(",")[0].split()[0], code(row[2])[0], code(row[3])[0])
        for row in tables(text, "## Settings")
    ]
    settings = rows(SETTINGS)
    both_ways("settings", listed, [tuple(row) for row in settings])

    used = set()
    for path in [ROOT / "src/error.rs", *sorted((ROOT / "src/error").rglob("*.rs"))]:
        if path.exists():
            used |= {name.lower() for name in re.findall(r"\bERRCODE_(\w+)", path.read_text())}
    used -= {"successful_completion", "warning"}
    # PL/pgSQL, which is asked for the codes, has other names for two of them.
    other = {
        "array_element_error": "array_subscript_error",
        "e_r_i_e_trigger_protocol_violated": "trigger_protocol_violated",
    }
    used = {other.get(name, name) for name in used}
    states = {}
    for name in sorted(used):
        done = psql(["-v", "VERBOSITY=sqlstate"], "postgres", f"DO $$ BEGIN RAISE {name}; END $$")
        states[name] = done.split(":")[-1].strip()
    listed = [(code(row[0])[0], code(row[1])[0]) for row in tables(text, "## Errors")]
    both_ways("classes of errors", listed, [(state, name) for name, state in states.items()])


# ---- options --------------------------------------------------------------------------------------------------------

FORMATS = ["tqcv", "qvec", "ztensor", "burnpack", "npy", "npz", "safetensors", "gguf", "torch"]
FORMATS += ["fvecs", "bvecs", "ivecs", "fbin", "u8bin", "i8bin"]


def hint(sql):
    found = re.search(r"HINT: +(.*)", psql([], "docs_options", sql))
    return found[1] if found else ""


def names(text):
    """Names in a list; none of it if it says so."""
    found = {name.strip().strip('"').lower() for name in re.split(r",| and ", text) if name.strip()}
    return found - {"none"}


def formats(text):
    """The formats that a row of the table is about."""
    if text == "all":
        return set(FORMATS)
    if text.startswith("all but "):
        return set(FORMATS) - names(text.removeprefix("all but "))
    return names(text)


def options():
    """COPY's hint at an unknown option lists them for both directions; that of a function, its own as well."""
    there = set()
    psql([], "postgres", "CREATE DATABASE docs_options")
    psql([], "docs_options", "CREATE EXTENSION tinyquant; CREATE TABLE t (e tqvec(8, 4))")
    for format_ in FORMATS:
        told = hint(f"COPY t FROM '/nowhere' WITH (FORMAT {format_}, NONSENSE 1)")
        from_, to = re.fullmatch(r"Options of FORMAT \w+ are (.*) for COPY FROM, (.*) for COPY TO\.", told).groups()
        there |= {(format_, name, "from") for name in names(from_)} | {(format_, name, "to") for name in names(to)}
    text = (ROOT / "docs/files.md").read_text()
    listed = set()
    for row in tables(text, "## Options of COPY"):
        for format_ in formats(row[1]):
            for direction in ("from", "to") if row[2] == "both" else (row[2],):
                listed.add((format_, code(row[0])[0].split()[0].lower(), direction))
    both_ways("options of COPY", listed, there)

    there, source = set(), f"{os.environ['DOCS_DATA']}/nowhere"
    for function, sql in {
        "tq_import": "SELECT tq_import('t', '{0}', '{{\"format\": \"{1}\", \"nonsense\": 1}}')",
        "tq_export": "SELECT tq_export('SELECT e FROM t', '{0}', '{{\"format\": \"{1}\", \"nonsense\": 1}}')",
        "tq_convert": "SELECT tq_convert('{0}', '{0}x', '{{\"format\": \"{1}\", \"nonsense\": 1}}')",
    }.items():
        own = set()
        for format_ in FORMATS:
            told = re.match(r"Options of \w+ for format \w+ are (.*)\.$", hint(sql.format(source, format_)))
            direction = "from" if function == "tq_import" else "to"
            shared = {(format_, name) for format_, name, way in listed if way == direction}
            own |= {(format_, name) for name in names(told[1] if told else "")} - shared
        there |= {(function, name) for _, name in own}
    own = tables(text, "## Options of the functions")
    listed = {(function, code(row[0])[0].strip('"')) for row in own for function in code(row[1])}
    both_ways("options of functions", {row for row in listed if row[0] != "tq_merge"}, there)
