"""Fidelity: the share of MLP outputs that the transcoders explain, by layer, and a warning where it is very low."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, SupportsIndex

from circuit_widget.arguments import has_entries, quoted
from circuit_widget.errors import PromptError
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.model.tokens.prompt import Prompt
from circuit_widget.nodes import PromptToken
from circuit_widget.progress import IsCancelled
from circuit_widget.system.warning import warn
from circuit_widget.tracing.generation import Generation
from circuit_widget.tracing.prompt_run import unexplained_by
from circuit_widget.tracing.unexplained import Unexplained
from circuit_widget.transcoder.per_layer import PerLayerTranscoders
from circuit_widget.transcoder.transcoder_set import TranscoderSet

if TYPE_CHECKING:
    import pandas

NOTHING = 1.0
"""Unexplained share from which a layer's features explain nothing: zero, or the mean, would be as good. Published
transcoders leave 0.1 to 0.6 of the variance unexplained on any text. Transcoders of another model leave 1 and more, about
2 where their output has the size of the MLP's.
"""

LAYERS = 0.25
"""Share of layers that explain nothing from which there is a warning; one such layer in a short prompt may be chance."""

WORSE_THAN_NOTHING = 2.0
"""Unexplained share at which one layer is enough for a warning: that of two unrelated outputs."""

FEWEST_POSITIONS, MOST_POSITIONS = 4, 256
"""Numbers of positions, over all prompts, from which the check is made and after which it ends."""


@dataclass(frozen=True)
class LayerFidelity:
    """One layer: fraction of the variance of its MLP's outputs that is unexplained, and mean number of active features."""

    layer: int
    fvu: float
    active_features: float


@dataclass(frozen=True, repr=False)
class Fidelity:
    """How much of a model's MLP outputs transcoders explain on some texts, by layer.

    `fvu`, the fraction of variance unexplained, is `sum |error|^2 / sum |output - mean|^2` over all tokens of all texts
    except those before the first position (BOS). `output` is the MLP output at the transcoders' output site, `error` its
    part that the transcoders do not reconstruct (in cross-layer transcoders: all layers that write there), and `mean` the
    mean output over the same tokens. It is NaN where outputs do not vary, as at a single token.
    """

    layers: tuple[LayerFidelity, ...]
    n_tokens: int

    def to_frame(self) -> pandas.DataFrame:
        """The layers as a pandas frame: layer, fvu, explained (1 - fvu), active_features (mean a token, L0), tokens."""
        import pandas

        rows = [[one.layer, one.fvu, 1 - one.fvu, one.active_features, self.n_tokens] for one in self.layers]
        return pandas.DataFrame(rows, columns=["layer", "fvu", "explained", "active_features", "tokens"])

    def __repr__(self) -> str:
        lines = [f"Fraction of variance unexplained (FVU) on {self.n_tokens} tokens, and active features a token:"]
        lines += [f"layer {one.layer:>3}  {one.fvu:>7.3f}  {one.active_features:>8.1f}" for one in self.layers]
        return "\n".join(lines)


def fidelity_on(
    model: LanguageModel,
    transcoders: TranscoderSet,
    prompts: Sequence[Prompt],
    *,
    progress: Callable[[float], None],
    cancelled: IsCancelled | None = None,
) -> Fidelity:
    """Return how much of the MLP outputs transcoders explain on at least one prompt.

    Raises:
        Cancelled: `cancelled()` became true between two layers.
    """
    total = unexplained_by(model, transcoders, prompts[0], cancelled=cancelled)
    for done, prompt in enumerate(prompts[1:], 1):
        progress(done / len(prompts))
        total = _sum(total, unexplained_by(model, transcoders, prompt, cancelled=cancelled))
    return Fidelity(
        tuple(LayerFidelity(layer, one.fvu, one.active_features) for layer, one in enumerate(total)),
        round(total[0].positions),
    )


def prompts_of(texts: object, read: Callable[[Any], Prompt]) -> list[Prompt]:
    """Return the prompts in one text, or in a list of prompts of any kind that `trace` accepts; `read` reads one of them.

    Raises:
        PromptError: there is none, or one cannot be used, which is named.
    """
    if isinstance(texts, str | Generation):
        return [read(texts)]
    if not has_entries(texts):
        raise PromptError(
            f"texts is {quoted(texts)}, expected one text, or a list of prompts: texts, token ids, messages, generations."
        )
    listed = list(texts)
    if not listed:
        raise PromptError("texts is empty, expected one text, or a list of prompts.")
    if all(map(_is_part, listed)):
        return [read(listed)]
    prompts = []
    for number, entry in enumerate(listed):
        try:
            prompts.append(read(entry))
        except PromptError as error:
            raise PromptError(f"texts[{number}]: {error}") from error
    return prompts


class FidelityCheck:
    """Checks the fidelity of transcoders in the first runs of a model, and gives one warning where it is very low.

    Layers without a transcoder are left out. Adapters beside the MLPs are not checked: they do not explain the MLPs.
    """

    def __init__(self, transcoders: TranscoderSet) -> None:
        self._transcoders = transcoders
        self._total: tuple[Unexplained, ...] | None = None
        self._active = not (isinstance(transcoders, PerLayerTranscoders) and transcoders.beside)

    def add(self, unexplained: tuple[Unexplained, ...]) -> None:
        """Add a run; give a CircuitWidgetWarning where the transcoders explain hardly anything."""
        if not self._active:
            return
        self._total = unexplained if self._total is None else _sum(self._total, unexplained)
        positions = round(self._total[0].positions)
        if positions < FEWEST_POSITIONS:
            return
        covered = [layer for layer in range(len(self._total)) if self._transcoders.n_features(layer)]
        shares = [self._total[layer].share for layer in covered]
        nothing = sum(share >= NOTHING for share in shares)
        worst = max(range(len(shares)), key=shares.__getitem__)
        if nothing >= LAYERS * len(shares) or shares[worst] >= WORSE_THAN_NOTHING:
            self._active = False
            which = "hardly explain" if nothing >= len(shares) / 2 else "fail at some of"
            warn(
                f"These transcoders {which} this model's MLPs. On the {positions} tokens run so far they leave "
                f"{statistics.median(shares):.3g} of the variance of MLP outputs at the median layer, all of it or more at "
                f"{nothing} of {len(shares)} layers, {shares[worst]:.3g} at layer {covered[worst]}; trained ones leave 0.1 to 0.6. "
                "Likely causes: they are those of another model, or of a base model where this is an instruct one; features "
                "read or write elsewhere (input_site=, output_site=); another activation function; logarithms as "
                "thresholds. model.fidelity(texts) shows every layer."
            )
        elif positions >= MOST_POSITIONS:
            self._active = False


def _sum(one: Sequence[Unexplained], other: Sequence[Unexplained]) -> tuple[Unexplained, ...]:
    return tuple(mine + theirs for mine, theirs in zip(one, other, strict=True))


def _is_part(entry: object) -> bool:
    """Return whether an entry of a list is a token, an id or a message, so that the list is one prompt."""
    is_id = isinstance(entry, SupportsIndex) and getattr(entry, "shape", ()) == ()
    return is_id or isinstance(entry, PromptToken | Mapping)
