"""Builders: each turns a data set and its parameters into the rows and targets of a task."""
