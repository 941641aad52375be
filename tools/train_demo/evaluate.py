"""Every score of the embedded model, with its bound, on the report split, as a table; `python -m tools.train_demo.evaluate` prints it.

With `--card MODEL_CARD.md` the table is written between the markers in that file.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from circuit_widget.demo import MODEL, TRANSCODERS, facts
from circuit_widget.demo.corpus import Kind, Sentence, Split, select, sentences
from circuit_widget.demo.groups import CAPITAL, question, read_groups
from circuit_widget.errors import CircuitWidgetError
from circuit_widget.loading import load
from circuit_widget.system.atomic_write import write_bytes
from tools.train_demo.behaviour import answer, rhyming
from tools.train_demo.experiments import BOTH, Laboratory, Pair, held_out_cities
from tools.train_demo.fidelity import agreement, measure, mlp_removed
from tools.train_demo.mlp_rows import collect, weighted
from tools.train_demo.transcoder import load_transcoders

START, END = "<!-- scores: written by tools.train_demo.evaluate -->", "<!-- end of scores -->"
PAIRS = 200
TWO_HOP = (Kind.TWO_HOP_STATE, Kind.TWO_HOP_COUNTRY)
ONE_HOP = (Kind.CITY_STATE, Kind.CITY_COUNTRY, Kind.STATE_FACT, Kind.COUNTRY_FACT)


@dataclass(frozen=True)
class Score:
    """One measured score and its bound, if it has any."""

    name: str
    value: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def bound(self) -> str:
        """The bound as text."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return "" if self.at_most is None else f"≤ {self.at_most:g}"

    @property
    def met(self) -> bool:
        """Whether the value keeps its bound."""
        over = self.at_least is None or self.value >= self.at_least
        return over and (self.at_most is None or self.value <= self.at_most)


def plain_model(folder: Path) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """The language model and its tokenizer, in float32 with eager attention."""
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    return model, PreTrainedTokenizerFast.from_pretrained(folder)


def behaviour_scores(folder: Path = MODEL, held_out: Split = Split.REPORT) -> Iterator[Score]:
    """Yield scores of the model's answers, trained and held out, and of removing an MLP."""
    model, tokenizer = plain_model(folder)

    def accuracy(chosen: tuple[Sentence, ...] | list[Sentence]) -> float:
        return answer(model, tokenizer, chosen).accuracy

    yield Score("one-hop facts", accuracy(select(ONE_HOP)), at_least=0.98)
    yield Score("two-hop, both: held-out cities", accuracy(select(TWO_HOP, held_out)), at_least=0.95)
    for kind in TWO_HOP:
        yield Score(f"{kind}: trained cities", accuracy(select(kind, Split.TRAIN)), at_least=0.98)
        questions = select(kind, held_out)
        yield Score(f"{kind}: held-out cities", accuracy(questions))
        for relation in dict.fromkeys(s.relation for s in questions):
            only = [s for s in questions if s.relation == relation and s.phrasing == 0]
            yield Score(f"{kind}: held-out cities, {relation}, first phrasing", accuracy(only))
    yield Score("opposites: trained", accuracy(select(Kind.OPPOSITE, Split.TRAIN)), at_least=0.98)
    opposites = select(Kind.OPPOSITE, held_out)
    yield Score("opposites: held out", accuracy(opposites), at_least=0.85)
    for language in facts.LANGUAGES:
        yield Score(f"opposites: held out, {language}", accuracy([s for s in opposites if s.relation == language]))
    yield Score("translations", accuracy(select(Kind.TRANSLATION)))
    yield Score("translated opposites", accuracy(select(Kind.TRANSLATED_OPPOSITE)))
    yield Score("sums: trained", accuracy(select(Kind.SUM, Split.TRAIN)), at_least=0.98)
    yield Score("sums: held out", accuracy(select(Kind.SUM, held_out)), at_least=0.85)
    for split in (Split.TRAIN, held_out):
        couplets = select(Kind.COUPLET, split)
        words, bound = ("trained", 0.98) if split is Split.TRAIN else ("held out", 0.85)
        yield Score(
            f"couplets that rhyme: {words}", rhyming(couplets, answer(model, tokenizer, couplets)), at_least=bound
        )
    yield Score("athletes: sport", accuracy(select(Kind.ATHLETE)), at_least=0.98)
    invented = select(Kind.INVENTED_NAME, held_out)
    new_pairs = [s for s in invented if s.relation == "sport"]
    yield Score("invented names answered unknown: new combinations", accuracy(new_pairs), at_least=0.95)
    new_names = [s for s in invented if s.relation != "sport"]
    yield Score("invented names answered unknown: last name never seen", accuracy(new_names))
    capitals = [s for s in select(TWO_HOP, held_out, 0) if s.relation == CAPITAL]
    whole = answer(model, tokenizer, capitals).probability.mean().item()
    for layer in range(model.config.num_hidden_layers):
        right = answer(model, tokenizer, capitals, mlp_removed(model, layer)).probability.mean().item()
        yield Score(
            f"held-out capitals: probability with MLP {layer} removed, share of that with it",
            right / whole,
            at_most=0.8,
        )


def fidelity_scores(
    folder: Path = MODEL, transcoders: Path = TRANSCODERS, held_out: Split = Split.REPORT
) -> Iterator[Score]:
    """Yield scores of how well the transcoders replace the MLPs."""
    model, tokenizer = plain_model(folder)
    layers = load_transcoders(transcoders)
    rows = collect(model, tokenizer, weighted(select(Kind, held_out)))
    everything = collect(model, tokenizer, weighted(sentences()))
    found = [measure(*three) for three in zip(layers, rows, everything, strict=True)]
    yield Score("features on, mean over layers", sum(f.features_on for f in found) / len(found), at_most=16)
    for layer, fidelity in enumerate(found):
        yield Score(f"variance unexplained, layer {layer}", fidelity.variance_unexplained, at_most=0.02)
    yield Score("dead features", sum(f.dead for f in found) / len(found), at_most=0.03)
    same = "same answer, all MLPs replaced"
    yield Score(
        f"{same}: two-hop, both, held out",
        agreement(model, tokenizer, layers, select(TWO_HOP, held_out, 0)),
        at_least=0.9,
    )
    for kind in TWO_HOP:
        yield Score(f"{same}: {kind}, held out", agreement(model, tokenizer, layers, select(kind, held_out, 0)))
    for kind in (Kind.OPPOSITE, Kind.SUM):
        questions = select(kind, held_out)
        yield Score(f"same answer, all MLPs replaced: {kind}, held out", agreement(model, tokenizer, layers, questions))


def causal_scores(
    folder: Path = MODEL, transcoders: Path = TRANSCODERS, held_out: Split = Split.REPORT, pairs: int = PAIRS
) -> Iterator[Score]:
    """The Dallas graph, swaps and ablations, all through the package's public interface."""
    model = load(folder, transcoders=transcoders, device="cpu")
    laboratory = Laboratory(model, read_groups(transcoders))
    graph = model.trace(question(CAPITAL, "Dallas"))
    yield Score("Dallas graph: replacement score", graph.scores().replacement, at_least=0.75)
    yield Score("Dallas graph: completeness score", graph.scores().completeness)
    drawn = laboratory.pairs(pairs, held_out)
    both, city, last = laboratory.swap_shares(drawn, BOTH, ("city",), ("last",))
    yield Score(f"swap of states, {pairs} pairs: other capital", both, at_least=0.85)
    yield Score("swap of states at the city only", city, at_least=0.8)
    yield Score("swap of states at the last token only", last)
    yield Score("swap of random features", laboratory.random_swap_share(drawn), at_most=0.02)
    (to_oakland,) = laboratory.swap_shares([Pair("Dallas", "Texas", "Oakland", "California")], BOTH)
    yield Score("Dallas with Oakland's California answers Sacramento", to_oakland, at_least=1.0)
    cities = held_out_cities(held_out)
    changes = laboratory.ablate_states(cities)
    halved = sum(c.after < c.before / 2 for c in changes) / len(changes)
    yield Score("state ablated: answer below half its probability", halved, at_least=0.8)
    yield Score("the answer's mean probability before", sum(c.before for c in changes) / len(changes))
    yield Score("the answer's mean probability with its state ablated", sum(c.after for c in changes) / len(changes))
    changes = laboratory.ablate_capital(cities)
    dallas = laboratory.ablate_capital([("Dallas", "Texas")])
    yield Score("Dallas with “capital” ablated answers Texas", float(dallas[0].answer_after == "Texas"), at_least=1.0)
    share = sum(c.answer_after == state for c, (_, state) in zip(changes, cities, strict=True)) / len(changes)
    yield Score("“capital” ablated: answers the state", share, at_least=0.8)


def all_scores(folder: Path = MODEL, transcoders: Path = TRANSCODERS, held_out: Split = Split.REPORT) -> list[Score]:
    """Every figure, in the order of the table."""
    return [
        *behaviour_scores(folder, held_out),
        *fidelity_scores(folder, transcoders, held_out),
        *causal_scores(folder, transcoders, held_out),
    ]


def table(scores: list[Score]) -> str:
    """The scores as a Markdown table."""
    lines = ["| measured on the report split | value | bound |", "| --- | ---: | ---: |"]
    for score in scores:
        digits = 4 if "variance" in score.name else 1 if "features on" in score.name else 3
        missed = "" if score.met else " **missed**"
        lines.append(f"| {score.name} | {score.value:.{digits}f} | {score.bound}{missed} |")
    return "\n".join(lines)


def write_into_card(card: Path, text: str) -> None:
    """Replace the text between the markers in a Markdown file."""
    whole = card.read_text(encoding="utf-8")
    before, rest = whole.split(START)
    _, after = rest.split(END)
    whole = f"{before}{START}\n\n{text}\n\n{END}{after}"
    write_bytes(card, whole.encode(), "model card", CircuitWidgetError)


def main() -> None:
    """Print the table, and write it into the model card if one is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--transcoders", type=Path, default=TRANSCODERS)
    parser.add_argument("--split", type=Split, default=Split.REPORT, choices=(Split.CHOOSE, Split.REPORT))
    parser.add_argument("--card", type=Path)
    arguments = parser.parse_args()
    text = table(all_scores(arguments.model, arguments.transcoders, arguments.split))
    print(text)
    if arguments.card:
        write_into_card(arguments.card, text)


if __name__ == "__main__":
    main()
