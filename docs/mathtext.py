"""Formulas as vector graphics in the page, set by matplotlib: no network, no script, the page's own colour."""

from __future__ import annotations

from functools import cache
from html import escape

from docutils import nodes
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from matplotlib.textpath import TextToPath
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

SIZE = 100.0
_COMMANDS = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}
_LETTERS = FontProperties(family="serif", size=SIZE, math_fontfamily="stix")


@cache
def svg(formula: str) -> str:
    """Return a formula in TeX as an SVG element that stands on the line of text."""
    text = f"${' '.join(formula.split())}$"
    width, height, depth, _, _ = MathTextParser("path").parse(text, 72, _LETTERS)
    points, codes = TextToPath().get_text_path(_LETTERS, text, ismath=True)
    words, last, left = [], 0, 0
    for (x, y), code in zip(points, codes, strict=True):
        # Points that continue a curve carry its code again and no command of their own.
        begins = code in (1, 2, 79) or code != last
        left = {3: 2, 4: 3}.get(int(code), 1) if begins else left - 1
        words.append(("" if not begins else _COMMANDS[int(code)]) + ("" if code == 79 else f"{x:.1f} {-y:.1f} "))
        last = 0 if left == 1 else int(code)
    box = f"0 {-height:.1f} {width:.1f} {height + depth:.1f}"
    style = f"height:{1.06 * (height + depth) / SIZE:.3f}em;vertical-align:{-1.06 * depth / SIZE:.3f}em"
    return (
        f'<svg role="img" aria-label="{escape(formula, quote=True)}" viewBox="{box}" style="{style}">'
        f'<path fill="currentColor" d="{"".join(words)}"/></svg>'
    )


def inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in a line."""
    translator.body.append(svg(node.astext()))
    raise nodes.SkipNode


def block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula of its own line."""
    translator.body.append(f'<div class="math" style="text-align:center;margin:1em 0">{svg(node.astext())}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.add_html_math_renderer("mathtext", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
