"""Reports: one page, figures and tables of what some results say."""

from .building import BuiltReport, build_report

__all__ = ["BuiltReport", "build_report"]
