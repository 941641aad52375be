"""`python -m tools.train_demo.build` re-creates the embedded model: tokenizer, model, transcoders, cards, groups, scores.

Under 30 minutes on two cores. Seeds are fixed; other processors round differently, so the weights come out alike, not equal.
"""

from __future__ import annotations

import argparse
import shutil
import time
from dataclasses import replace
from pathlib import Path

import torch

from circuit_widget.demo import HERE, MODEL, TRANSCODERS
from circuit_widget.demo.groups import find_groups, group_questions, write_groups
from tools.train_demo.cards import write_cards
from tools.train_demo.evaluate import all_scores, plain_model, table, write_into_card
from tools.train_demo.model_training import ModelRecipe, train_model
from tools.train_demo.question_activations import question_activations
from tools.train_demo.transcoder import load_transcoders
from tools.train_demo.transcoder_training import TranscoderRecipe, train_transcoders

CARD = HERE.parent.parent / "MODEL_CARD.md"


def build(folder: Path, model_recipe: ModelRecipe, transcoder_recipe: TranscoderRecipe) -> tuple[Path, Path]:
    """Train everything into `folder`; returns the folders of the model and of its transcoders."""
    started = time.monotonic()

    def report(text: str) -> None:
        print(f"{time.monotonic() - started:6.0f} s  {text}", flush=True)

    model_folder, transcoders = folder / "model", folder / "transcoders"
    for old in (model_folder, transcoders):
        shutil.rmtree(old, ignore_errors=True)
    report(f"training the language model, {model_recipe.steps} steps")
    log = folder / "training.log"
    log.unlink(missing_ok=True)
    train_model(model_recipe, model_folder, log)
    model, tokenizer = plain_model(model_folder)
    report("training the transcoders")
    train_transcoders(model, tokenizer, transcoder_recipe, transcoders)
    describe(model_folder, transcoders)
    report("done training; measuring")
    return model_folder, transcoders


def describe(model_folder: Path, transcoders: Path) -> None:
    """Write cards, labels and groups beside the transcoders."""
    model, tokenizer = plain_model(model_folder)
    write_cards(model, tokenizer, transcoders)
    active = question_activations(model, tokenizer, load_transcoders(transcoders), group_questions())
    write_groups(find_groups(active.__getitem__), transcoders)


def main() -> None:
    """Build into a folder beside the package's data, measure, and put it in destination of what is there."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description="Re-create the embedded model.")
    parser.add_argument(
        "--folder", type=Path, default=HERE.parent.parent / "build" / "demo-model", help="where to build"
    )
    parser.add_argument("--processes", type=int, default=2, help="processes of one thread each; changes the result")
    parser.add_argument("--keep", action="store_true", help="leave the package's model as it is")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    processes = arguments.processes
    model_folder, transcoders = build(
        arguments.folder, replace(ModelRecipe(), processes=processes), replace(TranscoderRecipe(), processes=processes)
    )
    scores = all_scores(model_folder, transcoders)
    print(table(scores))
    if not arguments.keep:
        for built, destination in ((model_folder, MODEL), (transcoders, TRANSCODERS)):
            shutil.rmtree(destination, ignore_errors=True)
            shutil.copytree(built, destination)
        if CARD.exists():
            write_into_card(CARD, table(scores))
    if missed := [score.name for score in scores if not score.met]:
        raise SystemExit(f"Missed: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
