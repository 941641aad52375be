"""The traits that the widget shares with its frontend, and who is right when both change them.

The frontend may write the circuit, the selection, the settings, and None for the effect; the rest is the kernel's.
Every change of the circuit raises its revision. Each side takes the other's document if its revision is higher, and
the frontend also if it is the same: so both end with the same one, whatever crosses on the way. A document that breaks
the rules is answered by the last good one under a higher revision.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from circuit_widget.arguments import quoted
from circuit_widget.circuit.document import Circuit
from circuit_widget.errors import CircuitWidgetError, MessageError
from circuit_widget.graph import Graph
from circuit_widget.widget.wire.messages import Capabilities, Notice, Settings
from circuit_widget.widget.wire.schema import parse, shown
from circuit_widget.widget.wire.sending import sendable, sentence, tell
from circuit_widget.widget.wire.snapshot import pack, shown_nodes

LOG = logging.getLogger(__name__)

BUNDLE = Path(__file__).parents[1] / "static" / "widget.js"
HEIGHTS = range(120, 4001)
HIGHEST_REVISION = 2**53 - 2
LONGEST_NOTICE = 2_000


class SharedWidget(anywidget.AnyWidget):
    """A graph's traits in step with the frontend; see the module."""

    # A path, so that anywidget watches the file in a checkout with ANYWIDGET_HMR=1.
    _esm = BUNDLE if BUNDLE.is_file() else ""

    snapshot = traitlets.Bytes(read_only=True).tag(sync=True)
    circuit = traitlets.Instance(Circuit, ()).tag(
        sync=True,
        echo_update=False,
        to_json=lambda circuit, _: circuit.to_json(),
        from_json=lambda document, _: Circuit.from_json(document),
    )
    # Echoed, so that a selection made here and one made there at the same moment end up the same.
    selected: traitlets.List[str] = traitlets.List().tag(sync=True)
    effect = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True, echo_update=False)
    study = traitlets.Dict(allow_none=True, default_value=None, read_only=True).tag(sync=True)
    experiments: traitlets.List[dict[str, Any]] = traitlets.List(read_only=True).tag(sync=True)
    settings = traitlets.Dict().tag(sync=True, echo_update=False)
    capabilities = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, graph: Graph, circuit: Circuit, settings: Mapping[str, Any], capabilities: Capabilities) -> None:
        _check_bundle(str(self._esm))
        self.graph = graph
        self._shown = frozenset[str]()
        self._frontend_speaks = False
        self._show(_nodes_in(circuit.check(graph)), always=True)
        self.set_trait("capabilities", asdict(capabilities))
        super().__init__(circuit=circuit, settings=settings)

    def setup_instance(self, *args: Any, **kwargs: Any) -> None:
        """Prepare the instance before its traits are set."""
        object.__setattr__(self, "_state_lock", threading.RLock())
        super().setup_instance(*args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        # Cells, message handlers and the worker set traits from threads of their own.
        with self._state_lock:
            _check_trait(name, value)
            super().__setattr__(name, value)

    def set_state(self, sync_data: Mapping[str, Any]) -> None:
        """Take over what the frontend set, as far as it may and as it makes sense; send back the rest as it is here."""
        taken, returned = {}, []
        with self._state_lock:
            for name, value in sync_data.items():
                try:
                    if self._takes(name, value):
                        taken[name] = value
                    elif name in self.keys and value != getattr(self, name):
                        returned.append(name)
                except CircuitWidgetError as error:
                    self._say(f"A change of the {name} was not taken over: {error}")
                    returned.append(name)
                    if name == "circuit":
                        self._outrank(value)
            if "effect" in taken:
                # An effect that came while this message was on its way is taken off the page too.
                returned.append("effect")
            self._frontend_speaks = True
            try:
                super().set_state(taken)
            finally:
                self._frontend_speaks = False
            if returned:
                self.send_state(returned)

    def _say(self, message: str) -> None:
        """Show a sentence in the widget's message line."""
        tell(self.send, Notice(message=sentence(message, LONGEST_NOTICE)))

    def _send(self, msg: Any, buffers: Any = None) -> None:
        try:
            super()._send(msg, buffers)
        except Exception:
            # Of a request the page has to hear; of state it asks again, and what comes after must not be lost with it.
            if msg.get("method") == "custom":
                raise
            LOG.exception("A change could not be sent to the page.")

    def _takes(self, name: str, value: object) -> bool:
        if name == "circuit":
            circuit = Circuit.from_json(value).check(self.graph)
            return circuit == self.circuit or circuit.revision > self.circuit.revision
        if name == "selected":
            if not isinstance(value, list):
                raise MessageError(f"It is {shown(value)}; expected a list of node ids.")
            self.graph.resolve(value)
            return True
        if name == "settings":
            _checked_settings(value)
            return True
        # The effect is the kernel's; the frontend can only take it off the screen.
        return name == "effect" and value is None

    def _outrank(self, document: object) -> None:
        """Raise the revision of the circuit over that of a document which cannot be taken."""
        claimed = document.get("revision") if isinstance(document, dict) else None
        theirs = claimed if type(claimed) is int and claimed < HIGHEST_REVISION else 0
        super().__setattr__("circuit", replace(self.circuit, revision=max(self.circuit.revision, theirs) + 1))

    @traitlets.validate("circuit")
    def _valid_circuit(self, proposal: Any) -> Circuit:
        circuit: Circuit = proposal.value.check(self.graph)
        self._show(_nodes_in(circuit))
        if self._frontend_speaks or circuit == self.circuit:
            return circuit
        return replace(circuit, revision=max(circuit.revision, self.circuit.revision + 1))

    @traitlets.validate("selected")
    def _valid_selection(self, proposal: Any) -> list[str]:
        nodes = [self.graph.node_ids[place] for place in self.graph.resolve(proposal.value)]
        self._show(frozenset(nodes))
        return list(dict.fromkeys(nodes))

    @traitlets.validate("settings")
    def _valid_settings(self, proposal: Any) -> dict[str, Any]:
        return _checked_settings(proposal.value)

    @traitlets.validate("effect", "study", "experiments", "capabilities")
    def _valid_message(self, proposal: Any) -> Any:
        return sendable(f"The {proposal.trait.name}", proposal.value)

    @traitlets.observe("comm")
    def _answer_where_asked(self, _: object) -> None:
        # ipykernel 7.4 delivers a comm's messages where it last published from, which may be behind a running cell,
        # instead of where the frontend asked for. Should be able to remove once it no longer does (2026-11).
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = None

    def _show(self, nodes: frozenset[str], *, always: bool = False) -> None:
        """Send the graph's snapshot again if nodes are needed that it leaves out."""
        if always or not nodes <= self._shown:
            asked = nodes | self._shown
            self._shown = frozenset(self.graph.node_ids[place] for place in shown_nodes(self.graph, asked))
            self.set_trait("snapshot", pack(self.graph, asked))

    def _handle_msg(self, msg: Mapping[str, Any]) -> None:
        data = msg["content"].get("data")
        method = data.get("method") if isinstance(data, dict) else None
        state_fits = method != "update" or (isinstance(data.get("state"), dict) and not data.get("buffer_paths"))
        if method not in ("update", "custom", "request_state") or not state_fits:
            self._say("A message from the page was ignored: it is not one that this widget knows.")
            return
        super()._handle_msg(msg)


WRITABLE: Mapping[str, tuple[type | tuple[type, ...], str]] = {
    "circuit": (Circuit, "a Circuit"),
    "selected": ((list, tuple), "a list of node ids"),
    "settings": (dict, "a dictionary of theme and height"),
    "effect": (type(None), "set to None, which takes it off the screen; recall() puts another one there"),
}
"""What a user may set each trait to."""

READABLE = ("snapshot", "study", "experiments", "capabilities")


def _check_trait(name: str, value: object) -> None:
    """Check what a user sets a trait to, before traitlets quotes it. Raises CircuitWidgetError."""
    if name in READABLE:
        raise CircuitWidgetError(f"The {name} of a widget can only be read; given {quoted(value)}.")
    if name in WRITABLE:
        kind, words = WRITABLE[name]
        if not isinstance(value, kind):
            raise CircuitWidgetError(f"The {name} of a widget is {words}; given {quoted(value)}.")


def _nodes_in(circuit: Circuit) -> frozenset[str]:
    grouped = (node for supernode in circuit.supernodes for node in supernode.nodes)
    return frozenset([*grouped, *circuit.pinned, *circuit.labels])


def _checked_settings(value: object) -> dict[str, Any]:
    settings = parse(Settings, value, "The settings")
    if settings.height not in HEIGHTS:
        raise MessageError(f"The height is {HEIGHTS[0]} to {HEIGHTS[-1]} pixels; given {shown(settings.height)}.")
    return asdict(settings)


def _check_bundle(code: str) -> None:
    if not code:
        raise CircuitWidgetError(
            f"The widget's frontend is missing: there is no {BUNDLE.name} in {BUNDLE.parent}. In a source checkout "
            "build it with `npm ci && npm run build` in the folder js; otherwise install the package again. "
            "Then restart the kernel."
        )
