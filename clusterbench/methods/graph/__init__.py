"""Methods that cluster the graph of nearest neighbours, or rows averaged along it."""
