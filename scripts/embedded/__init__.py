"""What the builders of the embedded data sets share; not part of the package."""
