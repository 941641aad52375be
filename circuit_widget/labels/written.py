"""Labels that a callable writes, from the card of each feature: a language model, or any function of the user's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from circuit_widget.arguments import first_line
from circuit_widget.errors import Cancelled, CircuitWidgetError
from circuit_widget.labels.features_to_label import Wanted
from circuit_widget.labels.label import FeatureLabel, LabelKind, checked_label
from circuit_widget.labels.store import LabelStore
from circuit_widget.nodes import Everywhere
from circuit_widget.progress import IsCancelled, ReportProgress

SECONDS_BETWEEN_SAVES = 5.0


def write_labels(
    wanted: Sequence[Wanted],
    card_of: Callable[[int, int], Any],
    labeller: Callable[[Any], str],
    store: LabelStore,
    report: ReportProgress,
    cancelled: IsCancelled | None,
) -> list[FeatureLabel]:
    """Label features with what `labeller` returns for their cards, keep the labels, and return them.

    `card_of` returns the FeatureCard of a layer and number. A feature of both signs has a label for each sign of which it
    has examples.

    Raises:
        CircuitWidgetError: the labeller failed or returned no label; names the feature. Labels until then are kept.
        Cancelled: `cancelled()` became true between two features; labels until then are kept.
    """
    source = name_of(labeller)
    found: list[FeatureLabel] = []
    kept, kept_at = 0, time.monotonic()
    try:
        for place, one in enumerate(wanted):
            report(place / len(wanted), f"Labelling feature {one.feature} of layer {one.layer}")
            if cancelled is not None and cancelled():
                raise Cancelled(f"Labelling was stopped; the labels of {place} of {len(wanted)} features are kept.")
            found.extend(_labels_of(one, card_of(one.layer, one.feature), labeller, source))
            if time.monotonic() - kept_at >= SECONDS_BETWEEN_SAVES:
                store.add(found[kept:])
                kept, kept_at = len(found), time.monotonic()
    finally:
        store.add(found[kept:])
    report(1.0, "Labelled")
    return found


def name_of(labeller: Any) -> str:
    """Return the name of a labeller: its own `name`, or that of the function or its class."""
    name = getattr(labeller, "name", None) or getattr(labeller, "__name__", None)
    text = name if isinstance(name, str) and name.isprintable() else type(labeller).__name__
    return text[:80]


def _labels_of(one: Wanted, card: Any, labeller: Callable[[Any], str], source: str) -> list[FeatureLabel]:
    signs = [False, True] if one.negative is None else [one.negative]
    if one.negative is None and not card.lowest:
        signs = [False]
    place = Everywhere(one.layer, one.feature)
    return [
        FeatureLabel(
            one.layer,
            one.feature,
            _written(labeller, card.at(-1.0 if negative else 1.0), place),
            LabelKind.WRITTEN,
            source,
            negative,
        )
        for negative in signs
    ]


def _written(labeller: Callable[[Any], str], card: Any, place: Everywhere) -> str:
    try:
        text = labeller(card)
    except CircuitWidgetError:
        raise
    except Exception as error:
        raise CircuitWidgetError(
            f"The labeller failed at feature {place.feature} of layer {place.layer}: {type(error).__name__}: "
            f"{first_line(error)[:200]}. The labels before it are kept."
        ) from error
    try:
        return checked_label(text, place)
    except CircuitWidgetError as error:
        raise CircuitWidgetError(f"The labeller returned no label. {error} The labels before it are kept.") from error
