"""Trials of new methods on the development tasks, beside what the package has."""
