"""What every HTML page of ours is made of: a frame, tables, charts; knows no board and no result.

A page is readable without its script, needs no network, and is the same bytes for the same input.
"""

from .charts.chart_models import (
    ChartAxis,
    ChartGuide,
    ChartPoint,
    ChartRow,
    ChartSeries,
    LineChart,
    MatrixChart,
    RowChart,
)
from .charts.figure_html import figure
from .data_table import DataCell, DataColumn, DataRow, DataTable, percent_text, signed
from .page_names import page_id
from .shell import Page, PageLink, render_page, template_environment, write_assets
from .table_formats import table_csv, table_json, table_latex, table_markdown
from .table_html import table_html

__all__ = [
    "ChartAxis",
    "ChartGuide",
    "ChartPoint",
    "ChartRow",
    "ChartSeries",
    "DataCell",
    "DataColumn",
    "DataRow",
    "DataTable",
    "LineChart",
    "MatrixChart",
    "Page",
    "PageLink",
    "RowChart",
    "figure",
    "page_id",
    "percent_text",
    "render_page",
    "signed",
    "table_csv",
    "table_html",
    "table_json",
    "table_latex",
    "table_markdown",
    "template_environment",
    "write_assets",
]
