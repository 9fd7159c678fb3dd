"""Methods that train a head on frozen features; each is one file over the same trainer."""
