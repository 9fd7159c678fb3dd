"""k-means on a device of torch: what it computes with, what lies there, what is looked for."""
