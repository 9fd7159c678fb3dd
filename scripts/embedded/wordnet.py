"""WordNet 3.0 nouns read from the Princeton data files: lemma lookup, names, hypernyms.

Only `index.noun`, `data.noun` and `noun.exc` are read. A synset is named as ImageNet names it:
`n` and its eight-digit offset in `data.noun` of WordNet 3.0 (`n02084071` is dog).
"""

from __future__ import annotations

from dataclasses import dataclass

# Princeton's rules of detachment for nouns, tried in this order (morphy(7WN)).
_DETACHMENTS = (
    ("s", ""),
    ("ses", "s"),
    ("xes", "x"),
    ("zes", "z"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("men", "man"),
    ("ies", "y"),
)


@dataclass(frozen=True)
class Synset:
    """One line of `data.noun`.

    `hypernyms` in the order of the file, instance hypernyms among them, none for the root; the
    words with spaces for underscores; the definition is the gloss without its examples.
    """

    words: tuple[str, ...]
    hypernyms: tuple[str, ...]
    definition: str


@dataclass(frozen=True)
class Nouns:
    """The noun hierarchy.

    `senses` maps a lower-case lemma with underscores to its synsets, most frequent sense first;
    `names` a synset to its first lemma; `parents` a synset to its first hypernym (or instance
    hypernym), None for the root; `exceptions` an irregular plural to its singulars.
    """

    senses: dict[str, tuple[str, ...]]
    names: dict[str, str]
    parents: dict[str, str | None]
    exceptions: dict[str, tuple[str, ...]]

    def lemma(self, words: tuple[str, ...]) -> str | None:
        """The noun of WordNet that a word or collocation spells, or None where there is none.

        The words are tried joined by underscores, joined by hyphens and, where none is a mere
        particle, written as one, each as it stands and then with its plural undone:
        `("polar", "bear")`, `("yo", "yo")`, `("foot", "ball")`, `("wolves",)`.
        """
        spellings = dict.fromkeys(("_".join(words), "-".join(words)))
        if all(len(word) > 2 for word in words):
            spellings["".join(words)] = None
        for spelling in spellings:
            for form in (spelling, *self._singulars(spelling)):
                if form in self.senses:
                    return form
        return None

    def _singulars(self, form: str) -> tuple[str, ...]:
        if form in self.exceptions:
            return self.exceptions[form]
        if form.endswith("ss") or len(form) <= 2:
            return ()
        return tuple(
            form[: -len(ending)] + singular
            for ending, singular in _DETACHMENTS
            if form.endswith(ending)
        )

    def ancestors(self, synset: str) -> list[str]:
        """The chain of first hypernyms above `synset`, nearest first, root last."""
        chain = []
        parent = self.parents[synset]
        while parent is not None:
            chain.append(parent)
            parent = self.parents[parent]
        return chain


def parse(data: str, index: str, exceptions: str) -> Nouns:
    """Nouns from the texts of `data.noun`, `index.noun` and `noun.exc`."""
    synsets = parse_synsets(data)
    names = {name: synset.words[0] for name, synset in synsets.items()}
    parents = {name: next(iter(synset.hypernyms), None) for name, synset in synsets.items()}
    senses: dict[str, tuple[str, ...]] = {}
    for line in _records(index):
        fields = line.split()
        senses[fields[0]] = tuple(f"n{offset}" for offset in fields[-int(fields[2]) :])
    irregular = {}
    for line in exceptions.splitlines():
        plural, *singulars = line.split()
        irregular[plural] = tuple(singulars)
    return Nouns(senses, names, parents, irregular)


def parse_synsets(data: str) -> dict[str, Synset]:
    """Every synset of the text of `data.noun`, by name."""
    synsets = {}
    for line in _records(data):
        head, _, gloss = line.partition(" | ")
        fields = head.split()
        n_words = int(fields[3], 16)
        words = fields[4 : 4 + 2 * n_words : 2]
        pointers = fields[4 + 2 * n_words + 1 :]
        synsets[f"n{fields[0]}"] = Synset(
            tuple(word.replace("_", " ") for word in words),
            tuple(
                f"n{pointers[i + 1]}"
                for i in range(0, len(pointers), 4)
                if pointers[i] in ("@", "@i")
            ),
            gloss.partition('; "')[0].strip(),
        )
    return synsets


def _records(text: str) -> list[str]:
    """The lines of a WordNet file without the licence, whose lines start with two spaces."""
    return [line for line in text.splitlines() if not line.startswith("  ")]
