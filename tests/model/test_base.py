"""The base: folding a person into plain convolutions changes nothing but the cost."""

from __future__ import annotations

import torch

from bianlian.model.autoencoder import Autoencoder, Decoder, DeepfakeConfig
from bianlian.model.base import IDENTITY_NUMBERS, Base, fold_base
from bianlian.model.blocks import init_weights
from bianlian.model.deepfake import Deepfake

CONFIG = DeepfakeConfig(size=64, width="light")


def fresh_base() -> Base:
    base = Base(CONFIG)
    init_weights(base, torch.Generator().manual_seed(2))
    return base.eval()


def test_a_folded_decoder_draws_what_the_modulated_one_draws() -> None:
    base = fresh_base()
    g = torch.Generator().manual_seed(4)
    code, identity = torch.randn(2, CONFIG.widths.inner, 8, 8, generator=g), torch.randn(IDENTITY_NUMBERS, generator=g)
    plain = Decoder(CONFIG)
    plain.load_state_dict(base.decoder.folded(identity))
    with torch.no_grad():
        torch.testing.assert_close(plain(code), base.decoder(code, identity.expand(2, -1)), rtol=1e-4, atol=1e-5)


def test_folding_leaves_the_base_as_it_was() -> None:
    base = fresh_base()
    before = {k: v.clone() for k, v in base.state_dict().items()}
    base.decoder.folded(torch.ones(IDENTITY_NUMBERS))
    for name, value in base.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_a_new_run_starts_as_the_base_would_swap() -> None:
    base = fresh_base()
    g = torch.Generator().manual_seed(6)
    faces = [torch.rand(3, 3, 64, 64, generator=g), torch.rand(5, 3, 64, 64, generator=g)]
    model = Deepfake(CONFIG, ("ana", "ben"), torch.Generator().manual_seed(0))
    model.start_from({k: v.half() for k, v in base.state_dict().items()}, faces)  # weights ship in half precision
    with torch.no_grad():
        mean = base.identity(faces[1]).mean(0)
        expected = base.decoder(base.encoder(faces[0]), mean.expand(3, -1))
        torch.testing.assert_close(model.path(1)(faces[0]), expected, rtol=0.02, atol=0.02)


def test_the_base_has_exactly_the_encoder_of_the_model() -> None:
    states = fold_base(CONFIG, fresh_base().state_dict(), [torch.rand(1, 3, 64, 64)])
    net = Autoencoder(CONFIG, 1)
    net.encoder.load_state_dict(states[0])
    net.decoders[0].load_state_dict(states[1])
