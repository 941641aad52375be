"""The prompt of a graph in a figure: as chips that end in the answer, and as a title."""

from circuit_widget.characters import shortened
from circuit_widget.figure.scene import style
from circuit_widget.figure.scene.scene import Paint, Pen
from circuit_widget.graph import Graph
from circuit_widget.wording.names import token_text
from circuit_widget.wording.numbers import probability
from circuit_widget.wording.text import apart, mono_width, printable

LONGEST_PROMPT = 200
"""Characters of a prompt in a title."""


def draw_prompt(pen: Pen, graph: Graph, width: float) -> float:
    """Draw the prompt as chips, ending in the answer; return the height of its rows."""
    answer = max(graph.targets, key=lambda target: target.probability)
    chips = [(token_text(token.text), style.CHIP, style.INK) for token in graph.tokens[1:]]
    answer_text = f"{apart(token_text(answer.token))} {probability(answer.probability)}"
    x, y = 0.0, 0.0
    for text, ground, ink in [*chips, (answer_text, style.ANSWER_GROUND, style.ANSWER)]:
        arrow = 24.0 if ink == style.ANSWER else 0.0
        room = mono_width(text, style.TOKEN_SIZE) + 10
        if x > 0 and x + arrow + room > width:
            x, y = 0.0, y + 24
        if arrow:
            pen.label(x + 10, y + 9.5, "→", style.TEXT_SIZE, style.MUTED, "middle")
        pen.rectangle(x + arrow, y, room, 19, Paint(fill=ground), 3.5)
        pen.label(x + arrow + room / 2, y + 9.5, text, style.TOKEN_SIZE, ink, "middle", mono=True)
        x += arrow + room + 6
    return y + 19


def graph_title(graph: Graph) -> str:
    """Return what a figure of a graph is called: by its prompt."""
    return f"Attribution graph of “{apart(_prompt_text(graph))}”"


def _prompt_text(graph: Graph) -> str:
    """Return the prompt as it was typed, else its tokens behind the first as they follow one another."""
    prompt = graph.recipe.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        texts = [token.text for token in graph.tokens[1:]]
        # A tokenizer that writes no spaces into its tokens has words alone.
        has_spaces = any(len(text) > 1 and text.startswith(" ") for text in texts)
        prompt = ("" if has_spaces else " ").join(texts).strip()
    return printable(shortened(prompt, LONGEST_PROMPT))
