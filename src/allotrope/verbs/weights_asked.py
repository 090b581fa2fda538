"""What `--weights` may name, checked before anything is read or fetched."""

from __future__ import annotations

from pathlib import Path

from allotrope.errors import UsageError


def check_weights(network: str, file: Path | None, weights: str) -> None:
    """Raises UsageError for weights without their network, and for a hub without revision.

    Nothing is read or fetched yet.
    """
    from allotrope.network.zoo import NETWORKS
    from allotrope.network.zoo.hub import PREFIX, hub_name

    if file is not None:
        raise UsageError(f"--weights: {file.name} holds its own weights. Leave one of the two out.")
    if network not in NETWORKS:
        raise UsageError(
            f"--weights needs the network that they are of, and --network is {network}. Name one: "
            f"{', '.join(NETWORKS)}."
        )
    if weights.startswith(PREFIX):
        hub_name(weights)
    elif Path(weights).suffix != ".safetensors":
        raise UsageError(
            f"--weights '{weights}' is no .safetensors file, the only kind that is read: others "
            "may run code. Save them as safetensors, or name hub:NAME@REVISION."
        )
