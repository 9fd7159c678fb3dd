"""What the builders of data sets share; not part of the package."""
