"""How heads are moved: AdamW, and their teachers after them."""
