"""What the tests of `clusterbench cache` say again and again."""

ENCODER = ("--encoder", "flat", "--workers", "0", "--device", "cpu", "--shard-rows", "8")


def repair(cache, *words):
    return cache("repair", *words, "--workers", "0", "--device", "cpu")


def one_line(err):
    return err.startswith("error: ") and err.count("\n") == 1
