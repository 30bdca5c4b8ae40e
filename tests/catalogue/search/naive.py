"""The search API in plain Python over dictionaries: slow, and written from the contract alone.

A world is a dictionary of models to lists of objects. An object holds its fields by their API names, ``_id`` for
the order of entry, and its relations as lists of objects.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

FIELDS = {
    "Dataset": ["pid", "title", "isPublic", "creationDate", "size"],
    "Document": [
        "pid", "type", "title", "summary", "doi", "license", "isPublic", "startDate", "endDate", "releaseDate",
        "keywords",
    ],
    "Instrument": ["pid", "name", "facility"],
    "File": ["id", "name", "path", "size"],
    "Sample": ["pid", "name", "description"],
    "Technique": ["pid", "name", "panetId"],
    "Parameter": ["id", "name", "unit", "value"],
    "Member": ["id", "role"],
    "Person": ["id", "fullName", "orcid", "researcherId", "firstName", "lastName"],
    "Affiliation": ["id", "name", "address", "city", "country"],
}  # fmt: skip
LEADS = {
    "Dataset": {
        "documents": "Document", "document": "Document", "techniques": "Technique", "instrument": "Instrument",
        "files": "File", "parameters": "Parameter", "samples": "Sample",
    },
    "Document": {"datasets": "Dataset", "members": "Member", "parameters": "Parameter"},
    "Instrument": {"datasets": "Dataset"},
    "File": {"dataset": "Dataset"},
    "Sample": {"datasets": "Dataset"},
    "Technique": {"datasets": "Dataset"},
    "Parameter": {"dataset": "Dataset", "document": "Document"},
    "Member": {"document": "Document", "person": "Person", "affiliation": "Affiliation"},
    "Person": {"members": "Member"},
    "Affiliation": {"members": "Member"},
}  # fmt: skip
SINGLE = {"document", "instrument", "dataset", "person", "affiliation"}
SEARCHED = {
    "Dataset": ["title"], "Document": ["title", "summary"], "File": ["name"], "Instrument": ["name", "facility"],
    "Sample": ["name", "description"], "Technique": ["name"],
}  # fmt: skip
SCORED = {"Dataset", "Document", "Instrument"}
DATES = {"creationDate", "startDate", "endDate", "releaseDate"}
NEGATIVE = {"neq": "eq", "nin": "inq", "nlike": "like", "nilike": "ilike"}

# unit: kind, to SI, from SI
EV = 1.602176634e-19
UNITS = {
    "eV": ("energy", lambda v: v * EV, lambda v: v / EV),
    "keV": ("energy", lambda v: v * EV * 1e3, lambda v: v / EV / 1e3),
    "meV": ("energy", lambda v: v * EV / 1e3, lambda v: v / EV * 1e3),
    "J": ("energy", lambda v: v, lambda v: v),
    "nm": ("length", lambda v: v * 1e-9, lambda v: v / 1e-9),
    "angstrom": ("length", lambda v: v * 1e-10, lambda v: v / 1e-10),
    "K": ("temperature", lambda v: v, lambda v: v),
    "celsius": ("temperature", lambda v: v + 273.15, lambda v: v - 273.15),
    "fahrenheit": ("temperature", lambda v: (v + 459.67) * 5 / 9, lambda v: v * 9 / 5 - 459.67),
    "bar": ("pressure", lambda v: v * 1e5, lambda v: v / 1e5),
}
H, C, MN = 6.62607015e-34, 299792458.0, 1.67492749804e-27


def find(world, model, query=None):
    """Answer a search without a free-text query."""
    query = query or {}
    includes = _includes(query)
    rows = [row for row in world[model] if _passes(row, model, query.get("where"), includes)]
    rows = _ordered(rows, query.get("order"))
    skip, limit = int(query.get("skip") or query.get("offset") or 0), int(query.get("limit") or 0)
    rows = rows[skip : skip + limit if limit else None]
    return [_object(row, model, query.get("fields"), includes, [query], top=True, whole=True) for row in rows]


def count(world, model, where=None):
    return sum(_passes(row, model, where, []) for row in world[model])


def get(world, model, pid, query=None):
    query = query or {}
    for row in world[model]:
        if row["pid"] == pid:
            return _object(row, model, query.get("fields"), _includes(query), [query], top=True, whole=False)
    return None


def _includes(query):
    given = query.get("include") or []
    given = given if isinstance(given, list) else [given]
    return [{"relation": one} if isinstance(one, str) else one for one in given]


def _passes(row, model, where, includes):
    if where and not _holds(where, row, model, None):
        return False
    return all(any(_fits(child, one, model) for child in _partners(row, one)) for one in includes if _asks(one))


def _partners(row, include):
    return row.get(include["relation"], [])


def _fits(child, include, model):
    scope = include.get("scope") or {}
    return _passes(child, LEADS[model][include["relation"]], scope.get("where"), _includes(scope))


def _asks(include):
    scope = include.get("scope") or {}
    return bool(scope.get("where")) or any(_asks(one) for one in _includes(scope))


def _object(row, model, fields, includes, scopes, *, top=False, whole=False):
    shown = _shown_fields(model, fields)
    found = {name: row[name] for name in FIELDS[model] if name in shown and row.get(name) is not None}
    if model == "Document" and not row["keywords"]:
        found.pop("keywords", None)
    if model == "Parameter":
        _in_the_unit_asked_for(row, found, scopes, shown)
    if top and model in SCORED and "score" in shown:
        found["score"] = 0.0
    for relation in dict.fromkeys(one["relation"] for one in includes):
        same = [one for one in includes if one["relation"] == relation]
        children = sorted(row.get(relation, []), key=lambda child: child["_id"])
        if all(_asks(one) for one in same) and not (whole and model == "Dataset" and relation == "parameters"):
            children = [child for child in children if any(_fits(child, one, model) for one in same)]
        inner = [one.get("scope") or {} for one in same]
        orders = [scope["order"] for scope in inner if scope.get("order")]
        children = _ordered(children, orders[0] if orders else None)
        limits = [int(scope["limit"]) for scope in inner if scope.get("limit")]
        fields = [scope.get("fields") for scope in inner]
        union = None if None in fields else set().union(*(_shown_fields(LEADS[model][relation], f) for f in fields))
        children = children[: limits[0] if limits else None]
        nested = [one for scope in inner for one in _includes(scope)]
        objects = [_object(child, LEADS[model][relation], union, nested, inner) for child in children]
        found[relation] = objects if relation not in SINGLE else objects[0] if objects else None
    return found


def _shown_fields(model, fields):
    names = {*FIELDS[model], "score"}
    if not fields:
        return names
    if isinstance(fields, dict):
        return {name for name, keep in fields.items() if keep} or names - set(fields)
    return {fields} if isinstance(fields, str) else set(fields)


def _ordered(rows, order):
    rows = sorted(rows, key=lambda row: row["_id"])
    orders = [order] if isinstance(order, str) else order or []
    if orders and orders[-1].upper().endswith(" DESC"):
        rows.reverse()
    for one in reversed(orders):
        name, _, direction = one.partition(" ")
        there = [row for row in rows if row.get(name) is not None]
        missing = [row for row in rows if row.get(name) is None]
        rows = sorted(there, key=lambda row, by=name: row[by], reverse=direction.upper() == "DESC") + missing
    return rows


def _flat(where):
    for key, value in where.items():
        if key == "and":
            for one in value:
                yield from _flat(one)
        else:
            yield key, value


def _unit_of(where):
    for key, value in _flat(where):
        if key == "unit":
            value = value["eq"] if isinstance(value, dict) and list(value) == ["eq"] else value
            if isinstance(value, str) and value in UNITS:
                return value
    return None


def _names_of(where):
    names = None
    for key, value in _flat(where):
        if key == "name":
            if isinstance(value, dict) and list(value) in (["eq"], ["inq"]):
                value = next(iter(value.values()))
            if isinstance(value, (str, list)):
                these = {value} if isinstance(value, str) else set(value)
                names = these if names is None else names & these
    return names


def _holds(where, row, model, unit):
    if model == "Parameter" and _unit_of(where) is not None:
        unit = (_unit_of(where), _names_of(where))
        mine = True
    else:
        mine = False
    for key, value in _flat(where):
        if key == "or":
            fine = any(_holds(one, row, model, unit) for one in value)
        elif key == "text":
            fine = _text(value, row, model)
        elif mine and key == "unit" and value in (unit[0], {"eq": unit[0]}):
            fine = _read(row, unit) is not None
        else:
            conditions = value if isinstance(value, dict) else {"eq": value}
            fine = all(_compare(key, op, operand, row, model, unit) for op, operand in conditions.items())
        if not fine:
            return False
    return True


def _text(text, row, model):
    if model == "Technique":
        return any(text.lower() in name.lower() for one in row["_above"] for name in [one["name"], *one["_synonyms"]])
    return any(text.lower() in row[name].lower() for name in SEARCHED[model] if row.get(name) is not None)


def _compare(key, op, operand, row, model, unit):
    if op in NEGATIVE:
        return not _compare(key, NEGATIVE[op], operand, row, model, unit)
    if op == "between":
        low, high = operand
        return _compare(key, "gte", low, row, model, unit) and _compare(key, "lte", high, row, model, unit)
    if op == "inq":
        return any(_compare(key, "eq", one, row, model, unit) for one in operand)
    if model == "Technique" and op not in ("gt", "gte", "lt", "lte") and operand is not None:
        values = [
            v for one in row["_above"] for v in ([one["name"], *one["_synonyms"]] if key == "name" else [one[key]])
        ]
        return any(_plain(op, value, operand) for value in values if value is not None)
    if key == "keywords":
        return not row["keywords"] if operand is None else any(_plain(op, one, operand) for one in row["keywords"])
    value = row.get(key)
    if key == "unit" and operand == "" and op == "eq":
        return value in (None, "")
    if operand is None:
        return value is None
    if value is None:
        return False
    if key == "value":
        return _compare_value(op, operand, row, value, unit)
    if key == "isPublic":
        return value == (operand in (True, "true"))
    if key == "size":
        return _plain(op, float(value), float(operand))
    if key in DATES:
        return _plain(op, value, _date(operand))
    return _plain(op, value, _spelled(operand))


def _spelled(operand):
    return str(operand) if isinstance(operand, (int, float)) else operand


def _date(text):
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _plain(op, value, operand):
    if op == "eq":
        return value == operand
    if op == "like":
        return operand.strip("%") in value
    if op == "ilike":
        return operand.strip("%").lower() in value.lower()
    if op == "regexp":
        found = re.fullmatch(r"/(.*)/([ig]*)", operand, re.DOTALL)
        body, flags = (found[1], found[2]) if found else (operand, "")
        return re.search(body, value, re.IGNORECASE if "i" in flags else 0) is not None
    return {"gt": value > operand, "gte": value >= operand, "lt": value < operand, "lte": value <= operand}[op]


def _number(operand):
    if isinstance(operand, (int, float)):
        return float(operand)
    try:
        return float(operand)
    except ValueError:
        return None


def _compare_value(op, operand, row, value, unit):
    if op in ("like", "ilike", "regexp"):
        return isinstance(value, str) and _plain(op, value, operand)
    number = _number(operand)
    if isinstance(value, str):
        if op == "eq":
            return isinstance(operand, str) and value == operand
        return number is None and _plain(op, value, operand)
    if number is None:
        return False
    if unit is None:
        return _plain(op, value, number)
    to_si = UNITS[unit[0]][1]
    read = _read(row, unit)
    if read is None:
        return False
    asked = to_si(number)
    same = math.isclose(read, asked, rel_tol=1e-12, abs_tol=0)
    if op == "eq":
        return same
    if op in ("gte", "lte"):
        return same or _plain(op, read, asked)
    return not same and _plain(op, read, asked)


def _read(row, unit):
    """Return a parameter in SI in the dimension of the unit asked for; None where it cannot be read so."""
    if isinstance(row["value"], str) or row["value"] is None or row.get("unit") not in UNITS:
        return None
    kind, to_si, _ = UNITS[row["unit"]]
    asked = UNITS[unit[0]][0]
    si = to_si(row["value"])
    if kind == asked:
        return si
    particle = _particle(row["name"], unit[1])
    if particle is None or {kind, asked} != {"energy", "length"} or si <= 0:
        return None
    if row["name"].endswith("energy") != (kind == "energy"):
        return None
    if particle == "photon":
        return H * C / si
    return H * H / (2 * MN * si * si) if kind == "length" else H / math.sqrt(2 * MN * si)


def _particle(name, names):
    for particle in ("photon", "neutron"):
        if particle in name:
            return particle
    told = {particle for one in names or () for particle in ("photon", "neutron") if particle in one}
    return told.pop() if len(told) == 1 and name in names else None


def _in_the_unit_asked_for(row, found, scopes, shown):
    for where in [scope["where"] for scope in scopes if scope.get("where")]:
        unit = _matching_unit(where, row)
        if unit is not None:
            if "value" in shown and row["unit"] != unit[0]:
                found["value"] = UNITS[unit[0]][2](_read(row, unit))
            if "unit" in shown:
                found["unit"] = unit[0]
            return


def _matching_unit(where, row):
    """Find the innermost condition with a unit that a parameter fulfils."""
    for key, value in _flat(where):
        if key == "or":
            for one in value:
                unit = _matching_unit(one, row)
                if unit is not None:
                    return unit
    unit = _unit_of(where)
    if unit is not None and _holds(where, row, "Parameter", None):
        return unit, _names_of(where)
    return None
