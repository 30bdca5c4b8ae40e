"""What the analyses of a curve gave, in NeXus: each an NXdata to look at and an NXprocess with its numbers."""

from __future__ import annotations

from collections.abc import Mapping

from pancommons.nexus.write import Field, Writer
from pancommons.techniques.sans.analysis import Curves, Law, kratky

_SQUARE, _FOURTH = "1/(cm angstrom^2)", "1/(cm angstrom^4)"


def write_laws(nexus: Writer, name: str, laws: Mapping[str, Law], curve: Curves) -> None:
    """Write a collection with ``guinier``, ``distances``, ``distances_fit``, ``porod``, ``model`` and ``kratky``.

    Beside each stands ``NAME_process`` with its quantities, their errors, and chi square per degree of freedom.

    Parameters
    ----------
    name
        The group's path below the entry.
    laws
        By name.
    curve
        The whole curve, of which Kratky's plot is made.
    """
    nexus.group(name, "NXcollection").attrs["canSAS_class"] = "SASnote"
    for key, law in laws.items():
        if law.distances is not None:
            r, p, error = law.distances
            nexus.data(
                f"{name}/{key}", title=law.title, default=False,
                signal=Field("p", p, _SQUARE.replace("^2", ""), errors=error, long_name="p(r) (1/(cm angstrom))"),
                axes=[Field("r", r, "angstrom")],
            )  # fmt: skip
        _write_fit(nexus, f"{name}/{key}_fit" if law.distances is not None else f"{name}/{key}", law)
        process = nexus.process(
            f"{name}/{key}_process", method=law.method, chi_square=(law.chi_square, ""), points=law.points.q.size
        )
        for quantity_name, quantity in law.quantities.items():
            nexus.field(
                process,
                Field(quantity_name, quantity.value, quantity.unit, errors=quantity.error, long_name=quantity.label),
            )
    values, errors = kratky(curve)
    nexus.data(
        f"{name}/kratky", title="Kratky's plot", default=False,
        signal=Field("Q2_I", values, _SQUARE, errors=errors, long_name="Q^2 I(Q)"),
        axes=[Field("Q", curve.q, "1/angstrom")],
    )  # fmt: skip


def _write_fit(nexus: Writer, name: str, law: Law) -> None:
    points = law.points
    nexus.data(
        name, title=law.title, default=False, log=True, log_axes=True,
        signal=Field("I", points.intensity, "1/cm", errors=points.error),
        axes=[Field("Q", points.q, "1/angstrom")],
        auxiliary=[Field("fit", law.curve, "1/cm")],
    )  # fmt: skip
    nexus.field(name, Field("residuals", (points.intensity - law.curve) / points.error, ""))
