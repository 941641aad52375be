"""Where the results and marks of an effect stand beside the boxes of a circuit: clear of boxes and of each other."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from circuit_widget.figure.layout.circuit_layout import CARD, PlacedBox
from circuit_widget.figure.layout.map_labels import Area
from circuit_widget.figure.scene.circuit_picture import CircuitPicture
from circuit_widget.wording.text import text_width

RESULT_GAP = 5.0
"""Between a box and the result at its right."""
RESULT_INSET = 2.0
"""At either side of a result, on its white ground."""
RESULT_LINE = 4.0
"""What the ground of a result is higher than its text."""
MARK_GAP = 7.0
"""Between a box and the mark at its left."""
MARK_HEIGHT = 19.0
MARK_PADDING = 14.0
CORNER = 3.0
"""How far above the upper edge of a box the middle of a mark on its corner is."""


class Places(NamedTuple):
    """Where the result of a box and the mark of an intervention on it stand; None where there is none."""

    result: Area | None
    mark: Area | None


def outcome_places(picture: CircuitPicture) -> tuple[tuple[Places, ...], tuple[Area, ...]]:
    """Return the places beside each box of the circuit, and those of the probabilities of new answers.

    Each takes the first of its candidates that covers nothing, else the one that covers least. Marks go first, since
    they belong at the left of their boxes.
    """
    size, page = picture.layout.text_size, Area(0.0, 0.0, picture.width, picture.height)
    boxes = (*picture.layout.boxes, *picture.brought)
    taken = [_whole(box) for box in boxes]
    marks: list[Area | None] = []
    for box, outcome in zip(picture.layout.boxes, picture.outcomes, strict=True):
        place = None
        if outcome.mark:
            place = _best(_mark_candidates(box, text_width(outcome.mark, size) + MARK_PADDING), taken, page, box)
            taken.append(place)
        marks.append(place)
    results: list[Area | None] = []
    texts = [outcome.text for outcome in picture.outcomes] + [answer.text for answer in picture.answers]
    for box, text in zip((*picture.layout.boxes, *picture.answer_boxes), texts, strict=True):
        place = None
        if text:
            room = text_width(text, size) + 2 * RESULT_INSET
            place = _best(_result_candidates(box, room, size + RESULT_LINE), taken, page, box)
            taken.append(place)
        results.append(place)
    own = len(picture.layout.boxes)
    return (
        tuple(Places(result, mark) for result, mark in zip(results[:own], marks, strict=True)),
        tuple(place for place in results[own:] if place is not None),
    )


def covered(picture: CircuitPicture) -> float:
    """Return how many square pixels of boxes, results and marks cover others."""
    places, answers = outcome_places(picture)
    boxes = [_whole(box) for box in (*picture.layout.boxes, *picture.brought)]
    texts = [*(place.result for place in places if place.result), *answers]
    marks = [(at, place.mark) for at, place in enumerate(places) if place.mark]
    areas = [*boxes, *texts]
    total = sum(_shared(one, other) for at, one in enumerate(areas) for other in areas[:at])
    total += sum(_shared(mark, area) for at, mark in marks for number, area in enumerate(areas) if number != at)
    total += sum(_shared(one, other) for at, (_, one) in enumerate(marks) for _, other in marks[:at])
    return round(total, 3)


def _whole(box: PlacedBox) -> Area:
    """Return the area of a box and the cards behind it."""
    behind = CARD * box.cards
    return Area(box.x - box.w / 2, box.y - box.h / 2 - behind, box.x + box.w / 2 + behind, box.y + box.h / 2)


def _mark_candidates(box: PlacedBox, room: float) -> list[Area]:
    left, top, half = box.x - box.w / 2, box.y - box.h / 2, MARK_HEIGHT / 2
    corner = top - CORNER
    starts = (left - room / 2, left - room + RESULT_GAP, left)
    return [
        Area(left - MARK_GAP - room, box.y - half, left - MARK_GAP, box.y + half),
        *(Area(x, corner - half, x + room, corner + half) for x in starts),
    ]


def _result_candidates(box: PlacedBox, room: float, height: float) -> list[Area]:
    whole, half = _whole(box), height / 2
    above, below = whole.y0 - half - 1, whole.y1 + half + 1
    starts = (box.x - room / 2, whole.x1 - room, whole.x0)
    return [
        Area(whole.x1 + RESULT_GAP, box.y - half, whole.x1 + RESULT_GAP + room, box.y + half),
        *(Area(x, middle - half, x + room, middle + half) for middle in (above, below) for x in starts),
    ]


def _best(candidates: Sequence[Area], taken: Iterable[Area], page: Area, box: PlacedBox) -> Area:
    """Return the first candidate that covers least; a mark may cover the corner of its own box."""
    others = [area for area in taken if area != _whole(box)]

    def cost(area: Area) -> float:
        covered = sum(_shared(area, other) for other in others) + 4 * _hidden(area, box)
        return round(covered + _outside(area, page), 3)

    return _moved_inside(min(candidates, key=cost), page)


def _outside(area: Area, page: Area) -> float:
    """Return how far an area is outside the page."""
    return max(0.0, page.x0 - area.x0, area.x1 - page.x1) + max(0.0, page.y0 - area.y0, area.y1 - page.y1)


def _moved_inside(area: Area, page: Area) -> Area:
    """Return the area moved into the page."""
    across = min(max(area.x0, page.x0), page.x1 - (area.x1 - area.x0)) - area.x0
    down = max(area.y0, page.y0) - area.y0
    return Area(area.x0 + across, area.y0 + down, area.x1 + across, area.y1 + down)


def _hidden(area: Area, box: PlacedBox) -> float:
    """Return how much of the middle of its own box an area covers: there is its name."""
    return _shared(area, Area(box.x - box.w / 2 + 6, box.y - box.h / 2 + 7, box.x + box.w / 2, box.y + box.h / 2))


def _shared(one: Area, other: Area) -> float:
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    down = min(one.y1, other.y1) - max(one.y0, other.y0)
    return across * down if across > 0 and down > 0 else 0.0
