"""What labelling needs of a model."""

from __future__ import annotations

import threading
from typing import Protocol

from circuit_widget.labels.store import LabelStore
from circuit_widget.model.language_model import LanguageModel
from circuit_widget.transcoder.transcoder_set import TranscoderSet


class LabelledCards(Protocol):
    """Where labels are; see FeatureCards."""

    labels: LabelStore


class LabellingModel(Protocol):
    """The parts of a ReplacementModel that labels are made with."""

    model: LanguageModel
    transcoders: TranscoderSet
    lock: threading.RLock

    @property
    def _cards(self) -> LabelledCards: ...
