"""The networks of one person, in two halves: what describes any face, and what draws theirs from that."""

from __future__ import annotations

from torch import Tensor, nn


class PersonPath(nn.Module):
    """Draw one person in any pose: (B, 3, S, S) in [0, 1] -> the same shape.

    encoder: describes anybody's face; decoder: draws the person.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, x: Tensor) -> Tensor:
        """Draw the person as the face in a picture is."""
        return self.draw(self.encoder(x))

    def draw(self, codes: Tensor) -> Tensor:
        """Draw what the encoder described: its codes -> (B, 3, S, S)."""
        drawn: Tensor = self.decoder(codes)
        return drawn
