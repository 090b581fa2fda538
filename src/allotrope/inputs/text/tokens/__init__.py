"""Texts as ids of tokens, for networks from elsewhere: what makes them lies in tokenizer.json."""
