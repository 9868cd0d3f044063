"""A law as MathML, which browsers draw by themselves: no fonts, no scripts, nothing from the net."""

from __future__ import annotations

from html import escape

from markupsafe import Markup

from allometry.fitting import Fit


def formula(fit: Fit) -> Markup:
    """The fitted law as an equation, with its LaTeX as annotation for those who copy it."""
    import sympy
    from sympy.printing.mathml import mathml

    law = fit.law
    inputs = [sympy.Symbol(name, positive=True) for name in law.symbols]
    opened = {name: sympy.Symbol(name, positive=True) for name in law.names}
    right = mathml(sympy.sympify(law.function(*inputs, **opened)), printer="presentation")
    left = f"<mtext>{escape(fit.output.replace('_', ' '))}</mtext><mo>=</mo>"
    latex = escape(law.latex())
    return Markup(
        f'<math display="block"><semantics><mrow>{left}{right}</mrow>'
        f'<annotation encoding="application/x-tex">{latex}</annotation></semantics></math>'
    )
