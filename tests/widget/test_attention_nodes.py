"""A graph with features of attention in a widget: what it cannot do, and what its file lists beside its edges."""

from pathlib import Path

import pytest

import circuit_widget as cw
from circuit_widget.errors import NoModelError
from circuit_widget.widget.wire.graph_messages import Card
from circuit_widget.widget.wire.schema import parse
from tests.graph.crm_files import crm_document
from tests.graph.test_viewer_dialects import written
from tests.widget.conftest import Open
from tests.widget.frontend import answered

pytestmark = pytest.mark.filterwarnings("ignore:.*the parts of a layer")


def test_it_does_not_advise_a_model_that_it_would_refuse(show: Open, tmp_path: Path) -> None:
    widget, page = show(cw.open(written(tmp_path, crm_document())))
    why_not = page.traits["capabilities"]["why_not"]
    assert why_not.startswith("This graph has features of attention or biases as nodes")
    assert why_not.endswith("it can be looked at, grouped and exported, not run.")
    with pytest.raises(NoModelError, match="features of attention"):
        widget.ablate("3_5_2")


def test_the_card_lists_what_contributes_to_attention_scores(show: Open, tmp_path: Path) -> None:
    whole = crm_document()
    many = [[f"9_cro_{number}_1", 1.0] for number in range(50)]
    whole["nodes"][1]["qk_tracing_results"]["top_k_marginal_contributors"] = [*many, ["0_cro_5_1", -2.0]]
    _, page = show(cw.open(written(tmp_path, whole)))
    card = parse(Card, answered(page, page.request("card", {"node": "3_5_2"}))["body"], "The card")
    assert [(one.side, one.total, len(one.rows)) for one in card.contributors] == [
        ("pair", 1, 1),
        ("query", 1, 1),
        ("key", 51, 40),
    ]
    strongest = card.contributors[2].rows[0]
    assert (strongest.query, strongest.key, strongest.attribution) == ("", "1_5_1", -2.0)
    assert parse(Card, answered(page, page.request("card", {"node": "5_5_2"}))["body"], "The card").contributors == ()


def test_a_list_that_cannot_be_read_is_an_error_of_its_card_alone(show: Open, tmp_path: Path) -> None:
    whole = crm_document()
    whole["nodes"][1]["qk_tracing_results"] = "<script>alert(1)</script>"
    _, page = show(cw.open(written(tmp_path, whole)))
    failed = answered(page, page.request("card", {"node": "3_5_2"}))
    assert "qk_tracing_results of the node 3_5_2" in failed["message"]
    assert answered(page, page.request("card", {"node": "5_5_2"}))["type"] == "reply"
