"""Extraction: images through an encoder into a store, resumable shard by shard."""
