"""Benchmarks: builders that turn a data set into tasks which each isolate one factor."""

from .build import build, names
from .task import Task

__all__ = ["Task", "build", "names"]
