"""Reading NXDL: what a definition says, and what an XML file may not do to us."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pancommons.base.errors import BadInput
from pancommons.nexus.validation.definitions import Definitions
from pancommons.nexus.validation.nxdl import DEEPEST, read_definition

OURS = """<?xml version="1.0"?>
<definition xmlns="http://definition.nexusformat.org/nxdl/3.1" name="NXours" extends="NXobject" category="{category}"
    type="group" ignoreExtraFields="true">
  <symbols><symbol name="n"/></symbols>
  <group type="NXentry">
    <field name="speed" type="NX_FLOAT" units="NX_LENGTH"><dimensions rank="2">
      <dim index="2" value="3"/><dim index="1" value="n"/></dimensions></field>
    <field name="NAME_log" nameType="partial" optional="true" deprecated="use another"/>
    <field name="mode" recommended="true">
      <enumeration open="true"><item value="a"/><item value="''"/></enumeration></field>
    <group type="NXdata" minOccurs="2" maxOccurs="unbounded"><attribute name="signal"/></group>
    <choice name="shape"><group type="NXbox"/><group type="NXball"/></choice>
    <link name="data" target="/NXentry/NXdata/data"/>
  </group>
</definition>
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_what_a_definition_says(tmp_path: Path) -> None:
    ours = read_definition(write(tmp_path / "a.xml", OURS.format(category="application")))
    assert (ours.name, ours.application, ours.extends, ours.symbols) == ("NXours", True, "NXobject", {"n"})
    assert ours.content.lenient == {"fields"}
    (entry,) = ours.content.groups
    speed, log, mode = entry.fields
    assert (speed.type, speed.units, speed.presence) == ("NX_FLOAT", "NX_LENGTH", "required")
    assert speed.dimensions is not None and (speed.dimensions.rank, speed.dimensions.sizes) == (2, ("n", "3"))
    assert (log.name_type, log.presence, log.deprecated) == ("partial", "optional", "use another")
    assert mode.presence == "recommended"
    assert mode.enumeration is not None and (mode.enumeration.items, mode.enumeration.open) == (("a", ""), True)
    data, box, ball = entry.groups
    assert (data.name, data.name_type, data.least, data.attributes[0].presence) == ("", "any", 2, "required")
    assert (box.name, box.choice, ball.type, ball.presence) == ("shape", "shape", "NXball", "optional")
    assert entry.links[0].target == "/NXentry/NXdata/data"


def test_a_base_class_requires_nothing_by_itself(tmp_path: Path) -> None:
    ours = read_definition(write(tmp_path / "a.xml", OURS.format(category="base")))
    assert [one.presence for one in ours.content.groups[0].fields] == ["optional", "optional", "recommended"]


BOMB = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no XML at all", "is no XML"),
        ("", "is no XML"),
        ("<other/>", "is no NeXus definition"),
        (f'<!DOCTYPE d [<!ENTITY a0 "ha">{BOMB}]><definition name="&a9;"/>', "document type"),
        ('<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/hostname">]><d>&x;</d>', "document type"),
        ("<a>" * (DEEPEST + 5) + "</a>" * (DEEPEST + 5), "too deep"),
    ],
)  # fmt: skip
def test_hostile_xml_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read_definition(write(tmp_path / "a.xml", text))


@pytest.mark.real
def test_every_published_definition_can_be_read(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("nexus-definitions")
    for path in folder.glob("*/*.nxdl.xml"):
        assert read_definition(path).name == path.name.removesuffix(".nxdl.xml")
    known = Definitions(folder)
    assert known.version == "v2026.01" and "NXtomo" in known.names()
    assert [one.name for one in known.lineage("NXmpes_arpes")] == ["NXmpes_arpes", "NXmpes", "NXobject"]
    assert known.is_a("NXdetector", "NXcomponent") and not known.is_a("NXdetector", "NXsource")
