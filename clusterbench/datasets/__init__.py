"""Data sets by name: the feature stores, class tree and preset that a name stands for."""
