"""Constants of activations, which frameworks may have no way to say."""

from __future__ import annotations

from allotrope.conversion.core.site import Site
from allotrope.conversion.core.source import shortest

ALPHA, GAMMA = 1.67326319217681884765625, 1.05070102214813232421875
"""Of Selu (Klambauer et al. 2017), as ONNX has them in float32."""


def selu_constants(site: Site) -> tuple[float, float] | None:
    """Alpha and gamma of Selu if they are not those that every framework has."""
    alpha, gamma = site.attribute("alpha", ALPHA), site.attribute("gamma", GAMMA)
    if abs(alpha - ALPHA) < 1e-6 and abs(gamma - GAMMA) < 1e-6:
        return None
    return shortest(alpha), shortest(gamma)


def hard_sigmoid_constants(site: Site) -> tuple[float, float] | None:
    """Alpha and beta of HardSigmoid if they are not 1/6 and 1/2, the only ones of frameworks."""
    alpha, beta = site.attribute("alpha", 0.2), site.attribute("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-7 and beta == 0.5:
        return None
    return shortest(alpha), shortest(beta)
