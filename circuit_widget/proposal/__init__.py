"""Groups and circuits proposed on a graph, each with its reason and its evidence."""

from circuit_widget.proposal.proposal import Proposal, Proposals
from circuit_widget.proposal.proposed_circuit import ProposedCircuit

__all__ = ["Proposal", "Proposals", "ProposedCircuit"]
