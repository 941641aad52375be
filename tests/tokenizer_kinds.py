"""Small tokenizers of every kind: how they cut words, which special tokens they have, and what they put around a text."""

from collections.abc import Callable, Mapping
from functools import cache

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

TEXT = "the café in Dallas is 😀 5 the capital\tof the state\n"

ROLES: Mapping[str, Mapping[str, str]] = {
    "each its own": {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
    "one for all": {"bos_token": "<end>", "eos_token": "<end>", "unk_token": "<end>"},
    "bos is unk": {"unk_token": "<s>", "bos_token": "<s>", "eos_token": "</s>"},
    "pad is unk": {"pad_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
    "no bos": {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"},
    "no bos, pad is unk": {"unk_token": "<unk>", "pad_token": "<unk>", "eos_token": "</s>"},
    "no bos, eos is unk": {"eos_token": "<end>", "unk_token": "<end>"},
    "no unk": {"bos_token": "<s>", "eos_token": "</s>"},
    "none": {},
}
"""Which special tokens a tokenizer has; the first has id 0."""

TEMPLATES = ("$A", "FIRST $A", "FIRST $A LAST", "FIRST <lang> $A LAST")
"""The tokens that a tokenizer puts around a text, with its first and last special tokens."""


def _words(special: list[str], unknown: str | None) -> Tokenizer:
    words = [*special, *TEXT.split(), "a"]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
    made = Tokenizer(models.WordLevel(vocabulary, **({} if unknown is None else {"unk_token": unknown})))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made


def _bytes(special: list[str], unknown: str | None) -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator([TEXT] * 9, trainer)
    return made


def _pieces(special: list[str], unknown: str | None) -> Tokenizer:
    """Like Llama's and Gemma's: ▁ for a space, and bytes where no piece fits."""
    words = [word for word in TEXT.split() if word != "😀"]
    pieces = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *(f"▁{word}" for word in words), *words]
    letters = sorted({letter for word in words for letter in word})
    merges: list[tuple[str, str]] = []
    built = dict.fromkeys([*pieces[: len(special) + 257], *letters])
    for word in dict.fromkeys(words):
        for whole in (word, f"▁{word}"):
            for end in range(2, len(whole) + 1):
                if whole[:end] not in built:
                    merges.append((whole[: end - 1], whole[end - 1]))
                    built[whole[:end]] = None
    vocabulary = {piece: number for number, piece in enumerate(built)}
    made = Tokenizer(models.BPE(vocabulary, merges, byte_fallback=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return made


def _word_pieces(special: list[str], unknown: str | None) -> Tokenizer:
    words = [*special, *TEXT.split(), "a", *(f"##{letter}" for letter in "abcdeglnoprst5")]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token=unknown or "a"))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    return made


FAST: Mapping[str, Callable[[list[str], str | None], Tokenizer]] = {
    "words": _words,
    "bytes": _bytes,
    "pieces": _pieces,
    "word pieces": _word_pieces,
}
"""How words are cut into tokens."""


class WordsInPython(PreTrainedTokenizer):
    """A tokenizer written in Python, which keeps no offsets: whole words."""

    def __init__(self, vocabulary: Mapping[str, int], **options: str) -> None:
        self._ids = dict(vocabulary)
        self._names = {number: word for word, number in vocabulary.items()}
        super().__init__(special_tokens_pattern="none", **options)  # type: ignore[no-untyped-call]

    @property
    def vocab_size(self) -> int:
        return len(self._ids)

    def get_vocab(self) -> dict[str, int]:
        return {**self._ids, **self.added_tokens_encoder}

    def _tokenize(self, text: str, **_: object) -> list[str]:
        return text.split()

    def _convert_token_to_id(self, token: str) -> int | None:
        return self._ids.get(token, self._ids.get(str(self.unk_token)))

    def _convert_id_to_token(self, index: int) -> str:
        return self._names[index]


def special_of(roles: str, template: str = "$A") -> list[str]:
    """The special tokens of a tokenizer, by id."""
    return list(dict.fromkeys([*ROLES[roles].values(), *(["<lang>"] if "<lang>" in template else [])]))


@cache
def tokenizer_of(kind: str, roles: str = "each its own", template: str = "$A") -> PreTrainedTokenizerBase:
    """A tokenizer of a kind, "in Python" among them, with special tokens, that puts some of them around a text."""
    special = special_of(roles, template)
    if kind == "in Python":
        words = dict.fromkeys([*special, *TEXT.split(), "a"])
        return WordsInPython({word: number for number, word in enumerate(words)}, **ROLES[roles])
    made = FAST[kind](special, ROLES[roles].get("unk_token"))
    made.add_special_tokens(special)
    if template != "$A":
        named = {"FIRST": ROLES[roles].get("bos_token", special[0]), "LAST": ROLES[roles].get("eos_token", special[0])}
        around = [named.get(part, part) for part in template.split()]
        made.post_processor = processors.TemplateProcessing(
            single=" ".join(around), special_tokens=[(part, made.token_to_id(part)) for part in set(around) - {"$A"}]
        )
    return PreTrainedTokenizerFast(tokenizer_object=made, clean_up_tokenization_spaces=False, **ROLES[roles])
