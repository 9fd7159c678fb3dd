"""Where images are: folders, tars, tables, lists, data sets of torch; indexed, read in place."""
