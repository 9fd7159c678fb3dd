"""Feature stores: a folder of HDF5 shards, written whole, read lazily, verified and packed."""
