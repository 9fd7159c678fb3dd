"""Features that people already have, in the files of other tools, made into a feature store."""

from .importer import Import, plan_import, write_import
from .layouts import LAYOUTS
from .request import Request

__all__ = ["LAYOUTS", "Import", "Request", "plan_import", "write_import"]
