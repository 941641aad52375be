"""The tokenizer: whole words and digits. A name of several words ("New York") is one token; a word never seen is `<unk>`."""

from __future__ import annotations

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from circuit_widget.demo import corpus, facts

PAD, BOS, UNKNOWN = "<pad>", "<bos>", "<unk>"
DIGITS = "0123456789"
SENTENCE_STARTS = {"The": "the", "Le": "le", "El": "el", "La": "la", "She": "she", "He": "he", "In": "in"}


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer of the corpus; `<bos>` goes before every prompt, and a capital letter that only starts a sentence is dropped."""
    names = _names_of_several_words()
    words = _words(names)
    vocabulary = {token: number for number, token in enumerate([PAD, BOS, UNKNOWN, *words])}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN, max_input_chars_per_word=64))
    lower = [normalizers.Replace(Regex(rf"\b{word}\b"), small) for word, small in SENTENCE_STARTS.items()]
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), *lower])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, vocabulary[BOS])]
    )
    tokenizer.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in (PAD, BOS, UNKNOWN)])
    tokenizer.add_tokens([AddedToken(name, single_word=True, normalized=False) for name in names])
    if tokenizer.get_vocab_size() != len(vocabulary):
        raise ValueError(f"the vocabulary has {len(vocabulary)} tokens, the tokenizer {tokenizer.get_vocab_size()}")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        unk_token=UNKNOWN,
        model_max_length=64,
        padding_side="right",
    )


def _names_of_several_words() -> list[str]:
    names: set[str] = set()
    for region in (*facts.states(), *facts.countries()):
        names |= {region.name, *region.facts.values(), *region.cities}
    return sorted(name for name in names if " " in name)


def _words(names: list[str]) -> list[str]:
    """Digits first, then names of several words, then every other word of the corpus in alphabetical order."""
    found: set[str] = set()
    for sentence in corpus.sentences():
        if sentence.kind is not corpus.Kind.SUM:
            text = sentence.text
            for name in names:
                if name in text:
                    text = text.replace(name, " ")
            found |= set(text.split())
    marks = ["+", "=", "."]
    digits = [*DIGITS, *(f"##{digit}" for digit in DIGITS)]
    return [*marks, *digits, *names, *sorted(found - set(marks))]
