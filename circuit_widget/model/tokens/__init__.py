"""Tokenization: from prompts, targets and tokenizers that users give to token ids."""
