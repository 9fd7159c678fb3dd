"""Methods under trial; each class with a `name` is found by it."""
