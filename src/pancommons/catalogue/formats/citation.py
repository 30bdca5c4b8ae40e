"""A dataset as publications cite it: in a sentence, in BibTeX, RIS and CSL's JSON."""

from __future__ import annotations

import re
from datetime import UTC
from typing import Any

from pancommons.catalogue.formats.description import Agent, Description
from pancommons.catalogue.formats.xml import clean

_TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "%": r"\%", "&": r"\&", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def sentence(described: Description) -> str:
    """Write a citation as DataCite recommends: creators (year): title. Publisher. Kind. Identifier."""
    names = "; ".join(map(_inverted, described.creators))
    what = _line(described.title).rstrip(".")
    return (
        f"{names} ({_year(described)}): {what}. {described.publisher}. {described.kind_in_words} [Dataset]. "
        f"{_where(described)}"
    )


def bibtex(described: Description) -> str:
    """Write an entry for BibTeX."""
    fields = {
        "author": " and ".join(
            _tex(_inverted(agent)) if agent.person else f"{{{_tex(agent.name)}}}" for agent in described.creators
        ),
        "title": f"{{{_tex(described.title)}}}",
        "publisher": _tex(described.publisher),
        "year": str(_year(described)),
        "note": f"{_tex(described.kind_in_words)}, dataset",
    }
    if described.primary.scheme == "DOI":
        fields["doi"] = _plain(described.primary.value)
    fields["url"] = _plain(_where(described))
    first = described.creators[0]
    name = re.sub(r"[^A-Za-z]", "", first.family or first.name) or "dataset"
    lines = "".join(f"  {field} = {{{value}}},\n" for field, value in fields.items())
    return f"@misc{{{name}{_year(described)}-{described.identifier[-6:]},\n{lines}}}\n"


def ris(described: Description) -> str:
    """Write an entry for reference managers."""
    lines = [("TY", "DATA"), *(("AU", _inverted(agent)) for agent in described.creators)]
    lines += [("PY", str(_year(described))), ("TI", described.title), ("PB", described.publisher)]
    if described.summary:
        lines.append(("AB", described.summary))
    lines += [("KW", term.term) for term in (*described.techniques, *described.keywords)]
    if described.primary.scheme == "DOI":
        lines.append(("DO", described.primary.value))
    lines += [("UR", _where(described)), ("ER", "")]
    return "".join(f"{tag}  - {_line(value)}\r\n" for tag, value in lines)


def csl(described: Description) -> dict[str, Any]:
    """Write an item for processors of the Citation Style Language."""
    told: dict[str, Any] = {
        "id": described.identifier,
        "type": "dataset",
        "title": _line(described.title),
        "author": [_csl_name(agent) for agent in described.creators],
        "issued": {"date-parts": [[_year(described), described.published.month, described.published.day]]},
        "publisher": described.publisher,
        "URL": _where(described),
    }
    if described.primary.scheme == "DOI":
        told["DOI"] = described.primary.value
    if described.summary:
        told["abstract"] = described.summary
    return told


def _csl_name(agent: Agent) -> dict[str, str]:
    if agent.person and agent.family:
        return {"family": agent.family, **({"given": agent.given} if agent.given else {})}
    return {"literal": agent.name}


def _inverted(agent: Agent) -> str:
    if agent.person and agent.family:
        return f"{agent.family}, {agent.given}" if agent.given else agent.family
    return agent.name


def _year(described: Description) -> int:
    return described.published.astimezone(UTC).year


def _where(described: Description) -> str:
    return described.primary.url or described.landing_page


def _line(text: str) -> str:
    return " ".join(clean(text).split())


def _tex(text: str) -> str:
    return "".join(_TEX.get(sign, sign) for sign in _line(text))


def _plain(text: str) -> str:
    """Keep an address from ending its field."""
    return re.sub(r"[{}\\\s]", "", text)
