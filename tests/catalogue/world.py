"""A seeded generator of synthetic catalogues, of any size in bounded memory, for tests and benchmarks.

Words follow Zipf's law with exponent 1 over made-up words; ``sample`` stands in a sixth of all titles and
summaries, ``rareNNNN`` in one of a thousand. Record N is the same whatever the number of records.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from pancommons.catalogue.quantities import parameter
from pancommons.catalogue.records import (
    Affiliation,
    Dataset,
    Document,
    File,
    Instrument,
    Member,
    Parameter,
    Person,
    Record,
    Relation,
    Sample,
    Technique,
    Terms,
)

COMMON, COMMON_SHARE = "sample", 1 / 6
RARE_EVERY = 1000
BEGIN = datetime(2010, 1, 1, tzinfo=UTC)
FACILITIES = ("Alpha Light Source", "Beta Spallation Source", "Gamma Laser")
PURL = "http://purl.org/pan-science/PaNET/PaNET9"

_ONSETS, _VOWELS = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z"], ["a", "e", "i", "o", "u"]
_SYLLABLES = [onset + vowel for onset in _ONSETS for vowel in _VOWELS]
_VOCABULARY = [
    _SYLLABLES[n % 70] + _SYLLABLES[n // 70 % 70] + (_SYLLABLES[n // 4900] if n >= 4900 else "") + "x"
    for n in range(20_000)
]
_WEIGHTS = list(accumulate(1 / rank for rank in range(1, len(_VOCABULARY) + 1)))
_RANGES = {  # name: unit, lowest, highest
    "sample_temperature": ("K", 4.0, 400.0),
    "incident_photon_energy": ("keV", 5.0, 40.0),
    "incident_wavelength": ("angstrom", 0.5, 12.0),
    "sample_pressure": ("bar", 0.1, 100.0),
}


def techniques(count: int = 60) -> list[Technique]:
    """Make techniques that form a graph: each has one or two parents before it, but for the first."""
    made = []
    for number in range(count):
        random_ = random.Random(f"technique {number}")
        parents = sorted({random_.randrange(number) for _ in range(random_.choice([1, 1, 2]))}) if number else []
        made.append(
            Technique(
                pid=_technique(number),
                name=f"{_VOCABULARY[-1 - number]} technique",
                synonyms=(f"synonym {number}",) if number % 3 == 0 else (),
                parents=tuple(_technique(parent) for parent in parents),
            )
        )
    return made


def records(datasets: int, seed: int = 0, *, technique_count: int = 60) -> Iterator[Record]:
    """Make instruments, documents, samples and datasets, each after those it refers to.

    There are 30 instruments, a proposal for every 50 datasets and a publication for every second proposal, a
    sample for every 10 datasets and three parameters for each dataset. Every tenth dataset is processed,
    derived from the one before it.
    """
    for number in range(30):
        yield Instrument(
            pid=f"instrument/{number}", name=f"Beamline {number}", facility=FACILITIES[number % 3], description=None
        )
    for number in range(datasets // 50 + 1):
        yield _proposal(number, seed)
        if number % 2:
            yield _publication(number, seed)
    for number in range(datasets // 10 + 1):
        yield Sample(
            pid=f"sample/{number}",
            name=f"{_words(random.Random(f'{seed} sample {number}'), 2)} {number}",
            terms=Terms(proposal=f"proposal/{number // 5}"),
        )
    for number in range(datasets):
        yield dataset(number, seed, technique_count=technique_count)


def dataset(number: int, seed: int = 0, *, technique_count: int = 60) -> Dataset:
    """Make one dataset."""
    chance = random.Random(f"{seed} dataset {number}")
    proposal = number // 50
    derived = number % 10 == 9
    when = BEGIN + timedelta(minutes=8 * number + chance.randrange(8))
    title, summary = _words(chance, 6), _words(chance, 20)
    if chance.random() < COMMON_SHARE:
        title = f"{COMMON} {title}"
    if number % RARE_EVERY == 17:
        summary += f" rare{number // RARE_EVERY:04d}"
    return Dataset(
        pid=f"dataset/{number}",
        kind="processed" if derived else "raw",
        title=title,
        summary=summary,
        creation_date=when,
        size=chance.randrange(10**6, 10**11),
        instrument=f"instrument/{proposal % 30}",
        documents=(f"proposal/{proposal}", *([f"publication/{proposal}"] if proposal % 2 else [])),
        techniques=(_technique(chance.randrange(technique_count)),),
        samples=(f"sample/{number // 10}",),
        parameters=_parameters(chance),
        files=(
            File(
                root="raw",
                path=f"{when.year}/{proposal}/{number}.nxs",
                size=chance.randrange(10**6, 10**11),
                mtime=when,
            ),
        ),
        relations=(Relation(kind="derived from", target=f"dataset/{number - 1}"),) if derived else (),
        terms=Terms(proposal=f"proposal/{proposal}"),
    )


def _parameters(chance: random.Random) -> tuple[Parameter, ...]:
    made = []
    for name in chance.sample(sorted(_RANGES), 2):
        unit, low, high = _RANGES[name]
        made.append(parameter(name, round(chance.uniform(low, high), 4), unit))
    return (*made, parameter("sample_chemical_formula", f"{chance.choice('BCNOFS')}{chance.randrange(1, 40)}"))


def _proposal(number: int, seed: int) -> Document:
    chance = random.Random(f"{seed} proposal {number}")
    start = BEGIN + timedelta(minutes=8 * 50 * number)
    people = [chance.randrange(number // 2 + 5) for _ in range(2)]
    return Document(
        pid=f"proposal/{number}",
        type="proposal",
        title=_words(chance, 8),
        summary=_words(chance, 40),
        start_date=start,
        keywords=tuple(_words(chance, 3).split()),
        members=tuple(
            Member(
                person=Person(pid=f"person/{who}", full_name=f"Person {who}"),
                affiliation=Affiliation(pid=f"institute/{who % 20}", name=f"Institute {who % 20}", country="Utopia"),
                role="principal investigator" if place == 0 else "member",
                public=place == 0,
            )
            for place, who in enumerate(dict.fromkeys(people))
        ),
    )


def _publication(number: int, seed: int) -> Document:
    chance = random.Random(f"{seed} publication {number}")
    return Document(
        pid=f"publication/{number}",
        type="publication",
        title=_words(chance, 10),
        summary=_words(chance, 60),
        doi=f"10.5072/{number}",
        release_date=BEGIN + timedelta(minutes=8 * 50 * number, days=200),
    )


def _technique(number: int) -> str:
    return f"{PURL}{number:04d}"


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choices(_VOCABULARY, cum_weights=_WEIGHTS, k=count))
