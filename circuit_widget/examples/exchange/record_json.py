"""The document of one feature in circuit-tracer's files, and the record of a card.

Fields: `index`; `examples_quantiles`, each with a `quantile_name` and `examples` of `tokens`, `tokens_acts_list`,
`train_token_ind` (the position of the peak) and `is_repeated_datapoint`; `act_min`, `act_max`, `activation_frequency`,
`top_logits`, `bottom_logits`. What `histogram` and `quantile_values` count is not documented, so they are not read, and not
written. This package adds what other tools ignore: `least`, `most` and `share` of a range, and the `origin` of the texts.
"""

from __future__ import annotations

from typing import Any

from circuit_widget.arguments import quoted
from circuit_widget.examples.exchange.published import Unusable, example_of, index_of, label_of, optional_number
from circuit_widget.examples.record import AT_FIRST_TOKENS, CardRecord, Example, Level

STRONGEST = "Top activations"
LOWEST = "Lowest activations"


def record_of(document: dict[str, Any], origin: str) -> CardRecord:
    """Return the record in a document; a quantile whose name begins with "top", else the first, has the strongest examples.

    Raises:
        Unusable: a field is missing or malformed.
    """
    quantiles = document.get("examples_quantiles")
    if not isinstance(quantiles, list) or not all(isinstance(one, dict) for one in quantiles):
        raise Unusable(f"examples_quantiles is a list of objects, found {quoted(quantiles)}")
    read = [(_name(one), one, _examples(one)) for one in quantiles]
    first = next((place for place, (name, _, _) in enumerate(read) if name.lower().startswith("top")), 0)
    others = [one for place, one in enumerate(read) if place != first and one[2]]
    minimum = optional_number(document, "act_min")
    return CardRecord(
        frequency=_frequency(document),
        maximum=optional_number(document, "act_max"),
        minimum=minimum if minimum is not None and minimum < 0 else None,
        examples=read[first][2] if read and read[first][0] != LOWEST else (),
        lowest=tuple(example for name, _, examples in read if name == LOWEST for example in examples),
        levels=tuple(_level(*one) for one in others if one[0] != LOWEST),
        origin=_origin(document) or origin,
    )


def document_of(
    record: CardRecord, feature: int, transcoder: str, promoted: tuple[str, ...], suppressed: tuple[str, ...]
) -> dict[str, Any]:
    """Return the document of a feature."""
    quantiles = [_quantile(STRONGEST, record.examples)]
    for level in record.levels:
        own = level.name in (None, AT_FIRST_TOKENS)
        extra = {"least": level.least, "most": level.most, "share": level.share} if own else {}
        quantiles.append({**_quantile(level.name or name_of(level), level.examples), **extra})
    if record.lowest:
        quantiles.append(_quantile(LOWEST, record.lowest))
    known = {
        "act_min": record.minimum if record.minimum is not None else 0.0,
        "act_max": record.maximum,
        "activation_frequency": record.frequency,
    }
    return {
        "transcoder_id": transcoder,
        "index": feature,
        "examples_quantiles": quantiles,
        "top_logits": list(promoted),
        "bottom_logits": list(suppressed),
        **{name: value for name, value in known.items() if value is not None},
        **({} if record.origin is None else {"origin": record.origin}),
    }


def name_of(level: Level) -> str:
    """Return the name of a range of activations as a quantile."""
    return f"Activations {level.least:.4g} to {level.most:.4g}"


def peak_of(activations: tuple[float, ...]) -> int:
    """Return the position of the activation of largest size, 0 where there is none."""
    return max(range(len(activations)), key=lambda place: abs(activations[place]), default=0)


def named_level(name: str, examples: tuple[Example, ...]) -> Level:
    """Return the examples of a quantile that has a name; its range is that of their peaks."""
    peaks = [example.activations[peak_of(example.activations)] for example in examples if example.activations] or [0.0]
    return Level(min(peaks), max(peaks), None, examples, name)


def _name(quantile: dict[str, Any]) -> str:
    name = quantile.get("quantile_name")
    if not isinstance(name, str):
        raise Unusable(f"quantile_name is a text, found {quoted(name)}")
    return label_of(name) or "Examples"


def _examples(quantile: dict[str, Any]) -> tuple[Example, ...]:
    examples = quantile.get("examples")
    if not isinstance(examples, list) or not all(isinstance(one, dict) for one in examples):
        raise Unusable(f"the examples of a quantile are a list of objects, found {quoted(examples)}")
    return tuple(example_of(one.get("tokens"), one.get("tokens_acts_list")) for one in examples)


def _level(name: str, quantile: dict[str, Any], examples: tuple[Example, ...]) -> Level:
    least, most, share = (optional_number(quantile, field) for field in ("least", "most", "share"))
    if least is None or most is None:
        return named_level(name, examples)
    return Level(least, most, share, examples, AT_FIRST_TOKENS if name == AT_FIRST_TOKENS else None)


def _origin(document: dict[str, Any]) -> str | None:
    origin = document.get("origin")
    return label_of(origin) if isinstance(origin, str) else None


def _frequency(document: dict[str, Any]) -> float | None:
    frequency = optional_number(document, "activation_frequency")
    if frequency is not None and not 0 <= frequency <= 1:
        raise Unusable(f"activation_frequency is a share between 0 and 1, found {quoted(frequency)}")
    return frequency


def _quantile(name: str, examples: tuple[Example, ...]) -> dict[str, Any]:
    return {
        "quantile_name": name,
        "examples": [
            {
                "tokens": list(example.tokens),
                "tokens_acts_list": list(example.activations),
                "train_token_ind": peak_of(example.activations),
                "is_repeated_datapoint": False,
            }
            for example in examples
        ],
    }


def index_agrees(document: dict[str, Any], feature: int, number: int) -> bool:
    """Return whether the `index` of a document is that of a feature; some files have the feature's whole number there."""
    given = document.get("index")
    return given is None or index_of(given, "index") in (feature, number)
