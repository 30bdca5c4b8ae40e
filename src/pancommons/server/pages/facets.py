"""Facets as the page of a search shows them: what each choice is called, what it would leave, where it leads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from pancommons.catalogue.ontology.graph import PANET, Ontology
from pancommons.catalogue.search.choosing import ACCESS, KINDS, purl
from pancommons.catalogue.search.facets import Counting, Tally
from pancommons.server.pages.chosen import Chosen
from pancommons.server.pages.frame import Page
from pancommons.server.pages.technique_tree import Node, size, tree

_MOST = 12
_NO_VALUE = "\0"
"""What no value holds that was read from an address."""


@dataclass
class Option:
    """One choice of a facet; its address takes it or, where it is taken, gives it back."""

    value: str
    label: str
    count: int
    address: str
    taken: bool = False
    beneath: list[Option] = field(default_factory=list)
    open: bool = False


@dataclass
class Facet:
    """A facet: its options, some of them folded away, and whether all datasets could be counted in time."""

    name: str
    title: str
    options: list[Option]
    more: list[Option]
    exact: bool = True


class Facets:
    """Makes the facets of one search."""

    def __init__(self, page: Page, chosen: Chosen, counting: Counting, ontology: Ontology) -> None:
        self.page, self.chosen, self.counting, self.ontology = page, chosen, counting, ontology
        self._beside: dict[str, tuple[str, str]] = {}

    def all(self) -> list[Facet]:
        """Count and name every facet."""
        _ = self.page.gettext
        counted, places = self.counting.instruments()
        names = {pid: f"{one.name} ({one.facility})" for pid, one in places.items()}
        return [
            self._techniques(),
            self._facet("facility", _("Facility"), self.counting.facilities()),
            self._facet("instrument", _("Instrument"), counted, names),
            self._listed("access", _("Access"), self.counting.access(), ACCESS),
            self._years(),
            self._listed("kind", _("Kind"), self.counting.kinds(), KINDS),
            self._facet("sample", _("Sample"), self.counting.samples()),
        ]

    def called(self, facet: str, value: str) -> str:
        """Return what a value is called."""
        if facet == "technique":
            known = self.ontology.get(purl(value))
            return known.name if known else value
        return self._words().get(value, value)

    def _words(self) -> Mapping[str, str]:
        _ = self.page.gettext
        return {
            "open": _("open"),
            "embargoed": _("embargoed"),
            "restricted": _("restricted"),
            "mine": _("mine"),
            "raw": _("raw"),
            "processed": _("processed"),
            "simulated": _("simulated"),
        }

    def _facet(self, name: str, title: str, counted: Tally, labels: Mapping[str, str] | None = None) -> Facet:
        """Make a facet with the most frequent values first, those taken before all."""
        taken = self.chosen.choice.of(name)
        order = sorted(counted.counts, key=lambda value: (-counted.counts[value], value))
        values = list(dict.fromkeys([*taken, *order]))
        options = [self._option(name, value, counted, labels) for value in values]
        visible = max(_MOST, len(taken))
        return Facet(name, title, options[:visible], options[visible:], counted.exact)

    def _listed(self, name: str, title: str, counted: Tally, values: Iterable[str]) -> Facet:
        taken = self.chosen.choice.of(name)
        shown = [one for one in values if counted.counts.get(one) or one in taken]
        return Facet(name, title, [self._option(name, one, counted) for one in shown], [], counted.exact)

    def _years(self) -> Facet:
        counted = self.counting.years()
        years = sorted({*counted.counts, *self.chosen.choice.year}, reverse=True)
        options = [self._option("year", one, counted) for one in years]
        return Facet("year", self.page.gettext("Year"), options[:_MOST], options[_MOST:], counted.exact)

    def _option(self, name: str, value: str, counted: Tally, labels: Mapping[str, str] | None = None) -> Option:
        taken = self.chosen.choice.of(name)
        values = tuple(one for one in taken if one != value) if value in taken else (*taken, value)
        label = (labels or {}).get(value) or self.called(name, value)
        return Option(value, label, counted.counts.get(value, 0), self._address(name, values), value in taken)

    def _address(self, name: str, values: tuple[str, ...]) -> str:
        """Return the address of this search with other values of a facet; of hundreds but these differ."""
        if not values:
            return self.page.to("/datasets", self.chosen.query(**{name: ()}))
        if name not in self._beside:
            before, _, after = self.page.to("/datasets", self.chosen.query(**{name: (_NO_VALUE,)})).partition(
                urlencode({name: _NO_VALUE})
            )
            self._beside[name] = before, after
        before, after = self._beside[name]
        return before + urlencode([(name, one) for one in values]) + after

    def _techniques(self) -> Facet:
        counted = self.counting.techniques()
        taken = {purl(one) for one in self.chosen.choice.technique}
        roots = tree(self.ontology, counted.counts, taken)
        while len(roots) == 1 and roots[0].beneath and not roots[0].taken:
            roots = roots[0].beneath
        every = size(roots) <= _MOST
        options = [self._technique(node, every=every) for node in roots]
        return Facet("technique", self.page.gettext("Technique"), options[:_MOST], options[_MOST:], counted.exact)

    def _technique(self, node: Node, *, every: bool) -> Option:
        short = node.pid.removeprefix(PANET)
        address = self._address("technique", () if node.taken else (short,))
        beneath = [self._technique(one, every=every) for one in node.beneath]
        return Option(short, node.name, node.count, address, node.taken, beneath, every or node.open)


@dataclass(frozen=True)
class Bar:
    """A year in the chart: where its bar stands and how high."""

    year: str
    count: int
    x: float
    height: float
    taken: bool


def bars(facet: Facet, width: float = 240, height: float = 48) -> list[Bar]:
    """Lay out a bar for every year from the first to the last."""
    options = {one.value: one for one in (*facet.options, *facet.more)}
    if not options:
        return []
    first, last = int(min(options)), int(max(options))
    if last - first > 120:
        return []
    highest = max(one.count for one in options.values()) or 1
    step = width / (last - first + 1)
    made = []
    for place, year in enumerate(range(first, last + 1)):
        option = options.get(str(year))
        count = option.count if option else 0
        tall = max(2.0, height * count / highest) if count else 0.0
        made.append(Bar(str(year), count, round(place * step, 2), round(tall, 2), bool(option and option.taken)))
    return made


def chips(chosen: Chosen, facets: Facets, page: Page) -> list[tuple[str, str, str]]:
    """List what is chosen: the facet's name, the value's, and the address without it."""
    _ = page.gettext
    titles = {
        "technique": _("Technique"), "facility": _("Facility"), "instrument": _("Instrument"), "year": _("Year"),
        "access": _("Access"), "kind": _("Kind"), "sample": _("Sample"),
    }  # fmt: skip
    made = []
    for name, title in titles.items():
        values = chosen.choice.of(name)
        for value in values:
            rest = tuple(one for one in values if one != value)
            made.append((title, facets.called(name, value), page.to("/datasets", chosen.query(**{name: rest}))))
    for one in chosen.written:
        rest_ranges = tuple(other for other in chosen.written if other is not one)
        ends = " – ".join((one.low or "…", one.high or "…")) if one.low or one.high else _("any value")
        made.append((one.name, f"{ends} {one.unit}".strip(), page.to("/datasets", chosen.query(written=rest_ranges))))
    return made
