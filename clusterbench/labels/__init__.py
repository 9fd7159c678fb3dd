"""Label files of any format, read, encoded and put in the order of the targets."""
