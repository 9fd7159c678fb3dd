"""The small study: its results read back, gaps between methods with intervals, tables, figure."""
