"""Prompts: their tokens, their displayed texts, and the errors about prompts that cannot be used."""

import warnings
from collections.abc import Sequence

import pytest
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, LlamaConfig, PreTrainedTokenizerBase, PreTrainedTokenizerFast
from transformers.models.gemma3 import Gemma3TextConfig

from circuit_widget.errors import CircuitWidgetWarning, PromptError
from circuit_widget.model.tokens.prompt import Prompt, first_position, read_prompt
from circuit_widget.model.tokens.tokenizer import token_text
from tests.models import REFERENCE, reference_model
from tests.tokenizer_kinds import FAST, ROLES, tokenizer_of

CHAT = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{ raise_exception('no system role here') }}{% endif %}"
    "<|turn|>{{ message['role'] }} {{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|turn|>assistant{% endif %}"
)


def chat_tokenizer(template: str | None = CHAT) -> PreTrainedTokenizerBase:
    """The reference tokenizer with roles and with tokens that open and close a turn."""
    made: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(REFERENCE / "models/llama")
    made.add_tokens(["user", "assistant"])
    made.add_tokens(["<|turn|>", "<|end|>"], special_tokens=True)
    made.chat_template = template
    return made


def read(prompt: object, tokens: PreTrainedTokenizerBase | None = None, **options: int) -> Prompt:
    return read_prompt(tokens or chat_tokenizer(), prompt, vocabulary_size=1000, context_length=64, **options)


def texts(prompt: str | Sequence[int]) -> list[str]:
    return [token.text for token in reference_model().tokenize(prompt)]


def test_bos_is_put_in_front_where_the_tokenizer_adds_none() -> None:
    assert texts("the capital of France is") == ["<bos>", "the", "capital", "of", "France", "is"]
    assert texts("<bos> the capital") == ["<bos>", "the", "capital"]


def test_token_ids_are_unchanged_but_for_bos_in_front() -> None:
    assert texts([4, 32]) == texts([1, 4, 32]) == ["<bos>", "the", "capital"]
    assert texts([2, 4]) == ["<eos>", "the"]


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("", "The prompt is empty; write at least one word."),
        ("  \n ", "The prompt '  \\n ' has no tokens; write at least one word."),
        ([], "The prompt is empty; give at least one token id."),
        ("<bos>", "has no word after its first token"),
        ("the captial of France", "The model does not know the word 'captial'. Nearest known: capital"),
        ("the capital of qqqqqqqq is", "The model does not know the word 'qqqqqqqq'."),
        ([1, 206], "206 is not a token id; expected whole numbers from 0 to 205."),
        ([1, -1], "-1 is not a token id"),
        ([1, "the"], "'the' is not a token id"),
        ([1, True], "True is not a token id"),
        ("the " * 200, "The prompt has 201 tokens; the model reads at most 128. Shorten it."),
    ],
)
def test_a_prompt_that_cannot_be_used_is_refused(prompt: str | list[int], message: str) -> None:
    with pytest.raises(PromptError) as refusal:
        reference_model().tokenize(prompt)
    assert message in str(refusal.value)


def test_an_unknown_word_of_hostile_text_is_quoted_shortened() -> None:
    with pytest.raises(PromptError) as refusal:
        reference_model().trace("<script>" + "x" * 10_000)
    assert len(str(refusal.value)) < 300


def test_tokens_of_a_graph_or_a_generation_are_a_prompt() -> None:
    tokens = reference_model().tokenize("the capital of France is")
    assert reference_model().tokenize(tokens) == tokens


def test_pad_replaces_a_missing_bos_and_eos_replaces_both() -> None:
    tokens = chat_tokenizer()
    tokens.bos_token = None
    assert read("the capital", tokens).texts == ("<pad>", "the", "capital")
    tokens.pad_token = None
    assert read("the capital", tokens).texts == ("<eos>", "the", "capital")
    tokens.eos_token = None
    assert read("the capital", tokens).texts == ("the", "capital")


def test_a_tokenizer_that_ends_texts_by_itself_does_not_end_the_prompt() -> None:
    tokens = chat_tokenizer()
    tokens.backend_tokenizer.post_processor = TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 2)]
    )
    assert tokens("the capital")["input_ids"][-1] == 2
    assert read("the capital", tokens).texts == ("<bos>", "the", "capital")


def test_a_text_that_opens_a_turn_gets_bos_where_its_tokenizer_puts_it_before_everything() -> None:
    tokens = chat_tokenizer()
    assert read("<|turn|>user tea", tokens).texts == ("<|turn|>", "user", "tea")
    tokens.backend_tokenizer.post_processor = TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 1)])
    assert read("<|turn|>user tea", tokens).texts == ("<bos>", "<|turn|>", "user", "tea")
    assert read("<bos><|turn|>user tea", tokens).texts == ("<bos>", "<|turn|>", "user", "tea")


def test_messages_are_rendered_with_roles_and_special_tokens_up_to_the_answer() -> None:
    prompt = read([{"role": "user", "content": "the capital of France is"}])
    assert prompt.texts == (
        *("<bos>", "<|turn|>", "user", "the", "capital", "of", "France", "is", "<|end|>"),
        *("<|turn|>", "assistant"),
    )


def test_a_last_message_of_the_assistant_is_continued() -> None:
    messages = [{"role": "user", "content": "the capital"}, {"role": "assistant", "content": "of France"}]
    assert read(messages).texts[-4:] == ("<|turn|>", "assistant", "of", "France")


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([{"role": "user"}], "Message 0 has no 'content'; expected"),
        ([{"content": "tea"}], "Message 0 has no 'role'; expected"),
        ([{"role": "user", "content": "tea"}, "tea"], "Message 1 is 'tea'; expected"),
        ([{"role": "user", "content": 7}], "The content of message 0 is 7; expected"),
        ([{"role": None, "content": "tea"}], "The role of message 0 is None; expected"),
        ([{"role": "system", "content": "tea"}], "chat template refuses these messages: no system role here"),
        (
            [{"role": "user", "content": "captial"}],
            "The model does not know the word 'captial'. Nearest known: capital",
        ),
        ({"role": "user", "content": "tea"}, "A prompt is a text, a list of token ids, or a list of messages; given {"),
        (7, "A prompt is a text, a list of token ids, or a list of messages; given 7."),
    ],
)
def test_malformed_messages_are_refused(messages: object, message: str) -> None:
    with pytest.raises(PromptError) as refusal:
        read(messages)
    assert message in str(refusal.value)


def test_messages_for_a_tokenizer_without_a_template_are_refused() -> None:
    with pytest.raises(PromptError, match="Messages were given, but the model's tokenizer has no chat template"):
        reference_model().trace([{"role": "user", "content": "tea"}])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("google/gemma-3-1b-it", 4),
        ("models/gemma-3-4b-it/", 4),
        ("models--google--gemma-3-1b-it/snapshots/0123", 4),
        ("google/gemma-3-1b-pt", 1),
        ("", 1),
    ],
)
def test_the_opening_of_a_turn_is_left_out_where_gemma_3_is_tuned_on_instructions(source: str, expected: int) -> None:
    config = Gemma3TextConfig()
    config.name_or_path = source
    assert first_position(config) == expected


def test_only_gemma_3_leaves_out_more_than_bos() -> None:
    config = LlamaConfig()
    config.name_or_path = "a-llama-it"
    assert first_position(config) == 1


def test_a_prompt_has_to_reach_beyond_what_is_left_out() -> None:
    assert read([1, 4, 5, 6, 7], first_position=4).first_position == 4
    with pytest.raises(PromptError, match="has no word after its first 4 tokens, which are left out; write at least"):
        read([1, 4, 5, 6], first_position=4)


def test_a_text_whose_first_words_would_be_left_out_is_warned_of() -> None:
    with pytest.warns(CircuitWidgetWarning, match="Features at 'the', 'capital', 'of' are left out") as warned:
        read("the capital of France is", first_position=4)
    assert "Give messages instead of a text" in str(warned[0].message)
    turned = chat_tokenizer()
    turned.add_tokens(["<start_of_turn>"], special_tokens=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read("<bos><start_of_turn>user the tea", turned, first_position=4).texts[1] == "<start_of_turn>"
        read([1, 4, 5, 6, 7], first_position=4)


@pytest.mark.parametrize("kind", [*FAST, "in Python"])
@pytest.mark.parametrize("roles", [roles for roles in ROLES if roles != "none"])
def test_a_special_token_that_a_text_spells_out_is_that_token(kind: str, roles: str) -> None:
    made = tokenizer_of(kind, roles)
    for token in ROLES[roles].values():
        for text in (f"{token}the capital", f"the {token} capital", f"the capital{token}the capital {token}"):
            named = made.convert_ids_to_tokens(list(read(text, made).token_ids))
            put_in_front = named[0] == token and not text.startswith(token)
            assert named.count(token) == text.count(token) + put_in_front


@pytest.mark.parametrize("kind", ["words", "word pieces", "in Python"])
@pytest.mark.parametrize("roles", ["each its own", "one for all", "bos is unk", "pad is unk", "no bos, eos is unk"])
def test_what_the_tokenizer_cannot_encode_is_unknown_also_beside_what_is_spelled_out(kind: str, roles: str) -> None:
    made = tokenizer_of(kind, roles)
    for text in ("the Xanadu", f"{made.unk_token} the Xanadu", f"the Xanadu {made.unk_token}"):
        with pytest.raises(PromptError, match=r"The model does not know the word 'Xanadu'"):
            read(text, made)


@pytest.mark.parametrize("kind", ["words", "in Python"])
def test_a_word_is_unknown_to_a_tokenizer_without_a_token_for_it(kind: str) -> None:
    with pytest.raises(PromptError, match="Xanadu"):
        read("the Xanadu", tokenizer_of(kind, "no unk"))


def test_a_letter_that_a_tokenizer_drops_is_unknown() -> None:
    made = Tokenizer(models.BPE({letter: number for number, letter in enumerate("the cap")}, []))
    dropping = PreTrainedTokenizerFast(tokenizer_object=made)
    assert read("the cap", dropping).texts == tuple("the cap")
    with pytest.raises(PromptError, match=r"The model does not know the word 'é'"):
        read("the capé", dropping)


def test_the_models_own_unknown_token_counts_where_the_tokenizer_names_none() -> None:
    made = Tokenizer(models.WordLevel({"<unk>": 0, "the": 1}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    silent = PreTrainedTokenizerFast(tokenizer_object=made)
    assert silent.unk_token is None
    with pytest.raises(PromptError, match=r"The model does not know the word 'Xanadu'"):
        read("the Xanadu the", silent)
    assert read("the <unk> the", silent).token_ids == (1, 0, 1)


def test_a_special_token_is_known_however_the_tokenizer_normalises_it() -> None:
    made = Tokenizer(models.WordLevel({"<unk>": 0, "the": 1, "capital": 2}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.normalizer = normalizers.Lowercase()
    made.add_special_tokens([AddedToken("<unk>", normalized=True, lstrip=True, rstrip=True, special=True)])
    lower = PreTrainedTokenizerFast(tokenizer_object=made, unk_token=AddedToken("<unk>", normalized=True, lstrip=True))
    assert read("The <UNK> capital", lower).token_ids == (1, 0, 2)


@pytest.mark.parametrize("prompt", ["the \ud83d capital", "\udc80", [{"role": "user", "content": "the \ud83d"}]])
def test_half_a_character_is_refused(prompt: object) -> None:
    with pytest.raises(PromptError, match=r"has half of a character, U\+D[0-9A-F]{3}; give whole characters"):
        read(prompt)


def test_half_a_character_that_a_tokenizer_returns_is_displayed_as_the_replacement_character() -> None:
    """Those written in Python may return it; no file can have it, nor a table where pyarrow is installed."""
    tokens = chat_tokenizer()
    tokens.decode = lambda *_, **__: "a\ud83d"  # type: ignore[method-assign]
    assert token_text(tokens, 7) == "a\ufffd"


def test_a_template_that_writes_bos_leaves_one() -> None:
    made = chat_tokenizer()
    for single in ("$A", "<bos> $A", "<bos> $A <eos>"):
        made.backend_tokenizer.post_processor = TemplateProcessing(
            single=single, special_tokens=[("<bos>", 1), ("<eos>", 2)]
        )
        found = read([{"role": "user", "content": "tea"}], made)
        assert found.texts == ("<bos>", "<|turn|>", "user", "tea", "<|end|>", "<|turn|>", "assistant")
        assert read(found.token_ids, made) == found


def test_white_space_that_has_tokens_is_a_prompt() -> None:
    made = tokenizer_of("bytes", "each its own")
    assert read("\n", made).texts[1:] == ("\n",)
