"""Encoders: recipes, and the libraries that build their modules and weights."""
