"""The messages about the picture in the notebook: for a page that was loaded after its outputs were made."""

from __future__ import annotations

from circuit_widget.widget.wire.schema import Listed, message


@message
class PictureState:
    """How often the picture in the notebook was drawn; its outputs have the same id and the number that they are of."""

    id: str
    number: int


@message
class NotebookOutput:
    """An output of the notebook: its media types with their data, and its metadata."""

    id: str
    data: dict[str, object]
    metadata: dict[str, object]


@message
class PictureReply:
    """The outputs of the picture as it was drawn last."""

    outputs: Listed[NotebookOutput]
