"""What is accepted from outside: kinds and sizes of files, depth, lengths and ranges of values.

Every reader takes its limits from here, so that docs/security.md can state them in one table. They
are far above what the package writes itself, and low enough that a file at its limit is read in
seconds and within a gigabyte.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import InputError
from .printable import is_control, shown

_MB = 1 << 20


@dataclass(frozen=True)
class FileKind:
    """A kind of file that is read whole.

    what: what one is called, for messages. largest: bytes. instead: what to do about a larger one.
    values: of a JSON file, how many values it may hold, since each takes far more memory than it
    has characters; None for any number.
    """

    what: str
    largest: int
    instead: str = ""
    values: int | None = None


RESULT = FileKind("a result", 16 * _MB, values=500_000)
BOARD = FileKind("a leaderboard", 64 * _MB, "begin a new file", values=2_000_000)
MANIFEST = FileKind("a task's manifest", 16 * _MB)
STORE_RECORD = FileKind("a feature store's record", 16 * _MB)
DECLARATION = FileKind("a TOML declaration", 1 * _MB)
RANKING = FileKind("a ranking of classes", 16 * _MB)
TREE = FileKind("a class tree", 64 * _MB)
NAMES = FileKind("a list of names", 64 * _MB)
ID_LIST = FileKind("a list of sample ids", 2048 * _MB)
JSON_LABELS = FileKind("a JSON file of labels", 128 * _MB, "use .npy or .parquet")
TEXT_LABELS = FileKind("a CSV or TSV file of labels", 2048 * _MB, "use .npy or .parquet")
BROKEN_LIST = FileKind("a store's list of broken images", 256 * _MB)
CHECKPOINT = FileKind("a checkpoint of k-means", 16384 * _MB)
SAVED_HEAD = FileKind("a saved head", 16384 * _MB, values=2_000_000)
SIDECAR = FileKind("a sample's label", 1 * _MB)
IMAGE = FileKind("an image", 256 * _MB)

#: Levels of lists and objects within each other, in any JSON or TOML file.
DEPTH = 32
#: Levels, values and characters of a setting or a diagnostic whose form is free.
FREE_DEPTH, FREE_VALUES, FREE_TEXT = 8, 100_000, 10_000
#: Parts of a dotted key of a TOML file.
KEY_PARTS = 64
#: Characters of a text in a file of ours.
TEXT = 1_000_000

#: Characters of a name: a method's, an encoder's, a data set's, a task's, a key's.
NAME = 200
#: Characters of a class's name, which may be a path; bytes of a sample's id.
CLASS_NAME, SAMPLE_ID = 1_000, 4_096

#: Bytes of a path in a declaration.
PATH = 4_096
#: Characters of a line that is no name: a source, a processor, where an error was raised.
ONE_LINE = 1_000
#: Characters that all settings of a method, or all that it says about its fit, take as JSON.
SETTINGS, DIAGNOSTICS = 10_000, 4_000_000
#: Values among all settings of a method.
SETTING_VALUES = 500
#: Encoders of a data set, tasks that a benchmark declares for one, members of an .npz archive.
STORES, TASKS, ARCHIVE_MEMBERS = 200, 1_000, 10_000
#: Warnings of a run; keys of an object in a result or a leaderboard, outside of what is free.
WARNINGS, KEYS = 1_000, 1_000
#: Folders within each other in a folder of images.
FOLDER_DEPTH = 64

#: Seeds lie in [0, SEEDS).
SEEDS = 2**31
#: Seeds of one call: each is a fit.
SEED_COUNT = 10_000
#: Rows of a feature store or of a file of labels: a row's number is an int32.
ROWS = 2**31 - 1
#: Dimensions of a feature.
DIMENSIONS = 1 << 20
#: Euclidean length of a feature row: squared distances, even summed over ROWS of them, then stay
#: finite in float32.
ROW_LENGTH = 1e14
#: Clusters and classes.
CLUSTERS = 2**31 - 1
#: Resamples of an interval, threads of a run, versions of a method.
RESAMPLES, THREADS, VERSIONS = 1_000_000, 1_000_000, 2**31 - 1
#: Size of a score, which is a fraction; AMI alone has no bound below.
SCORE = 100.0

#: Values in a JSON file of labels, each of which takes some 80 bytes while it is read, and how many
#: of them a key counts for.
JSON_VALUES, JSON_KEY = 8_000_000, 3
#: Bytes of the footer of a Parquet file, which describes its columns.
PARQUET_FOOTER = 64 * _MB
#: Bytes of the first line of a CSV file, which may name columns, and of its later ones.
FIRST_LINE, LINE = 1 * _MB, 1 * _MB

#: Nodes of a class tree.
TREE_NODES = 1_000_000
#: Levels of a class tree, largest over smallest class, tasks of a series of ratios.
TREE_DEPTH, RATIO, SERIES = 1_000, 1e6, 100
#: Clusters that a method names for an image.
RANKS = 1_000

#: Bytes that a compressed or otherwise encoded array may take in memory: labels of 11 million
#: samples are 88 MB, ids of 32 characters 1.4 GB, and those are best kept in Parquet.
UNPACKED = 512 * _MB
#: Compressed data of more than UNPACKED bytes unpack to at most this many times their size: float
#: features compress to a third at best, and a few kilobytes must not become a full disk.
UNPACKED_RATIO = 200

#: Bytes of the header of a saved head: its settings, diagnostics and names of columns.
HEAD_HEADER = 16 * _MB
#: Objects of an HDF5 file of someone else, levels of its groups, bytes of one chunk.
HDF5_OBJECTS, HDF5_DEPTH, HDF5_CHUNK = 20_000, 32, 256 * _MB
#: Bytes of what torch.save pickles beside the tensors, and steps that rebuild it.
PICKLED, PICKLE_STEPS = 192 * _MB, 1_000_000
#: Bytes of a variable in a MATLAB file before 7.3, which is read whole, and of one with cells.
MATLAB, MATLAB_CELLS = 256 * _MB, 64 * _MB
#: How many times its bytes in a file an array may take in memory, where that is above UNPACKED.
UNPACKED_TIMES = 16


def unpacked_limit(stored: int) -> int:
    """Bytes that something of `stored` bytes in a file may take in memory."""
    return max(UNPACKED, UNPACKED_TIMES * stored)


def check_unpacked(where: str, size: int, stored: int) -> None:
    """InputError for data that take `stored` bytes in a file and unreasonably many unpacked."""
    if size > UNPACKED and size > UNPACKED_RATIO * stored:
        raise InputError(
            f"{where}: {stored / 1e6:,.1f} MB unpack to {size / 1e6:,.0f} MB; wanted at most "
            f"{UNPACKED_RATIO} times as much, or {UNPACKED / 1e6:,.0f} MB"
        )


def check_name(name: Any, where: str) -> str:
    """`name` if it is one that is written into files and shown in tables.

    Raises InputError unless it is a text of 1 to NAME characters on one line, without control
    characters and without blanks at its ends.
    """
    if not isinstance(name, str):
        raise InputError(f"{where} is {shown(repr(name))}; wanted a text")
    if fault := name_fault(name):
        raise InputError(f"{where} {shown(repr(name))} {fault}")
    return name


def name_fault(name: str, longest: int = NAME) -> str:
    """What is wrong with a name, as the end of a sentence about it; "" when nothing is."""
    if not name.strip():
        return "is empty; wanted a name"
    if len(name) > longest:
        return f"has {len(name):,} characters; wanted at most {longest:,}"
    if name != name.strip():
        return "begins or ends with a blank; leave it out"
    if name.isascii() and name.isprintable():  # the usual case, decided in C
        return ""
    wrong = next((c for c in name if is_control(c)), None)
    if wrong is not None:
        return f"holds the control character U+{ord(wrong):04X}; wanted printable text on one line"
    unseen = next((c for i, c in enumerate(name) if _is_unseen(name, i)), None)
    if unseen is not None:
        return f"holds U+{ord(unseen):04X}, which cannot be seen; leave it out"
    marks = _MARKS  # none may stand before the first letter
    for character in name:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if marks > _MARKS:
            return f"holds the mark U+{ord(character):04X} on no letter, or too many; leave it out"
    return ""


#: Letters and marks that show nothing: two names that differ by one look the same.
_UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
_JOINERS = "\u200c\u200d"


#: Ranges that show nothing by themselves: variation selectors, fillers, parts of notations, tags.
_UNSEEN_RANGES = (
    *((0x180B, 0x180F), (0x2065, 0x2065), (0xFE00, 0xFE0F), (0xFFF0, 0xFFF8)),
    *((0x16FE4, 0x16FE4), (0x1BCA0, 0x1BCA3), (0x1D159, 0x1D159), (0x1D173, 0x1D17A)),
    (0xE0000, 0xE0FFF),
)
_MARKS = 4  # of one letter, in the scripts that stack most
_EMOJI = "\ufe0f"  # asks for the coloured form of the symbol before it


def _is_unseen(name: str, position: int) -> bool:
    character = name[position]
    if character in _UNSEEN or _joins_nothing(name, position):
        return True
    if character == _EMOJI and position:
        before = name[position - 1]
        return unicodedata.category(before) not in ("So", "Sm", "Po") and before not in "0123456789"
    if unicodedata.category(character) in ("Cn", "Co"):  # no character, or each one's own
        return True
    return any(low <= ord(character) <= high for low, high in _UNSEEN_RANGES)


def _joins_nothing(name: str, position: int) -> bool:
    """Whether a joiner stands beside no letters of a script, or emoji, that has any use for it."""
    around = name[max(0, position - 1) : position] + name[position + 1 : position + 2]
    return name[position] in _JOINERS and (len(around) < 2 or around[0] < "\x80" > around[1])


def check_value(
    value: Any,
    where: str,
    *,
    depth: int = DEPTH,
    values: int | None = None,
    text: int = TEXT,
) -> None:
    """Refuse a JSON or TOML value that is too deep, too large, or holds what JSON has no form for.

    Whole numbers have at most 64 bits, numbers are finite, keys are names of at most `text`
    characters. Walks without recursion.

    Args:
        value: what a parser gave.
        where: what each message begins with.
        depth: levels of lists and objects.
        values: how many there may be in all; None for any number.
        text: characters of a text.

    Raises:
        InputError: the first value that breaks a limit.
    """
    level: list[Any] = [value]
    count, reached = 0, 0
    while level:
        count += len(level)
        if values is not None and count > values:
            raise InputError(f"{where}: holds more than {values:,} values")
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                if len(item) > text:
                    raise InputError(
                        f"{where}: a text of {len(item):,} characters; wanted at most {text:,}"
                    )
            elif isinstance(item, Mapping):
                for key in item:
                    if isinstance(key, str) and len(key) > text:
                        raise InputError(
                            f"{where}: a key of {len(key):,} characters; wanted at most {text:,}"
                        )
                below.extend(item.values())
            elif isinstance(item, (list, tuple)):
                below.extend(item)
            elif isinstance(item, float):
                if not math.isfinite(item):
                    raise InputError(f"{where}: holds {item}; wanted finite numbers")
            elif isinstance(item, int) and not -(2**63) <= item < 2**63:
                digits = f"{item}" if item.bit_length() < 200 else f"of {item.bit_length()} bits"
                raise InputError(f"{where}: the whole number {digits} has more than 64 bits")
        level, reached = below, reached + 1
        if level and reached > depth:
            raise InputError(f"{where}: nested too deeply; wanted at most {depth} levels")


def check_free(value: Any, where: str, values: int = FREE_VALUES) -> None:
    """`check_value` for a setting or a diagnostic, whose form nothing else restricts."""
    check_value(value, where, depth=FREE_DEPTH, values=values, text=FREE_TEXT)
