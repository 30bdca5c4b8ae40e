"""Projector and normal operator against explicit matrices."""

import numpy as np
import pytest

from pancommons.techniques.tomography.iterative.normal import Buffers, NormalOperator
from pancommons.techniques.tomography.iterative.projector import Projector
from pancommons.techniques.tomography.quality.truth import inside
from pancommons.techniques.tomography.simulation import phantom

SETS = {
    "even": np.arange(12) * np.pi / 12,
    "wedge": np.linspace(0.3, 0.3 + 2 * np.pi / 3, 9),
    "uneven": np.random.default_rng(3).uniform(-4, 9, 14),
}


def matrix(angles, width, centre, ring):
    """The model of `projector`, written down: [angle and column, pixel]."""
    position = np.arange(width) - (width - 1) / 2
    x, y = (axis.ravel() for axis in np.meshgrid(position, -position))
    k = np.arange(1 - ring // 2, ring // 2)
    back = np.exp(2j * np.pi / ring * np.outer(np.arange(ring) - centre, k)) / ring
    rows = [(back @ np.exp(-2j * np.pi / ring * np.outer(k, x * np.cos(a) + y * np.sin(a)))).real for a in angles]
    return np.concatenate(rows)


def applied(operator, image):
    out = np.empty_like(image)
    operator(image, out, Buffers(operator.width))
    return out


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("width", [16, 17, 27, 32])
def test_operators_equal_matrices(name, width):
    angles, centre = SETS[name], width / 2 - 2.3
    projector, normal = Projector(angles, width, centre=centre), NormalOperator(angles, width)
    full = matrix(angles, width, centre, projector.ring)
    random = np.random.default_rng(width)
    image = random.normal(size=(width, width)).astype(np.float32)
    sinogram = random.normal(size=(angles.size, width)).astype(np.float32)
    projected = (full @ image.ravel()).reshape(angles.size, -1)
    # float32 and the gridding's 1e-6, the larger at the corners of an image
    assert np.abs(projector.project_on_ring(image) - projected).max() < 1e-5 * np.abs(projected).max()
    padded = np.zeros(projected.shape)
    padded[:, :width] = sinogram
    transposed = (full.T @ padded.ravel()).reshape(width, width)
    assert np.abs(projector.back_project(sinogram) - transposed).max() < 1e-5 * np.abs(transposed).max()
    product = (full.T @ (full @ image.ravel())).reshape(width, width)
    assert np.abs(applied(normal, image) - product).max() < 2e-5 * np.abs(product).max()
    within = full[:, inside(width, 1.0).ravel()]
    assert normal.norm == pytest.approx(np.linalg.norm(within, 2) ** 2, rel=0.02)


@pytest.mark.parametrize("width", [40, 63])
def test_projection_and_back_projection_are_adjoint(width):
    angles = SETS["uneven"]
    projector = Projector(angles, width, centre=21.4)
    random = np.random.default_rng(0)
    image = random.random((width, width), np.float32)
    sinogram = random.random((angles.size, width), np.float32)
    one = np.vdot(projector.project(image).astype(float), sinogram)
    other = np.vdot(image.astype(float), projector.back_project(sinogram))
    assert one == pytest.approx(other, rel=2e-6)


def test_projector_agrees_with_analytic_projections():
    # A smooth body: a disc's edge is not band-limited, so that pixels and columns differ by the edge's ringing.
    width, angles, centre = 96, SETS["uneven"], 44.6
    ellipses = [phantom.Ellipse(1 / 24, r, 0.7 * r, 0.1, 0.05, 0.4) for r in np.linspace(0.3, 0.7, 24)]
    analytic = phantom.sinogram(ellipses, angles, width, centre=centre)
    image = phantom.image(ellipses, width, supersampling=8)
    projected = Projector(angles, width, centre=centre).project(image)
    assert np.abs(projected - analytic).max() < 0.005 * analytic.max()


def test_normal_operator_may_work_in_place_and_is_symmetric():
    angles, width = SETS["wedge"], 33
    normal, random = NormalOperator(angles, width), np.random.default_rng(5)
    a, b = (random.normal(size=(width, width)).astype(np.float32) for _ in range(2))
    product = applied(normal, a)
    assert np.vdot(b, product) == pytest.approx(np.vdot(applied(normal, b), a), rel=1e-4)
    normal(a, a, Buffers(width))
    np.testing.assert_array_equal(a, product)


def test_memory_is_as_announced():
    for width in (20, 33, 64):
        buffers = Buffers(width)
        held = sum(part.nbytes for part in vars(buffers).values())
        assert held == Buffers.bytes_of(width)
        assert NormalOperator(SETS["even"], width)._kernel.nbytes == NormalOperator.bytes_of(width)[0]
        assert Projector(SETS["even"], width)._phases.nbytes == Projector.bytes_of(width, 12)[0]
