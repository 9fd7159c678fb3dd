"""Trees of nodes as parents by name, drawn at random or small enough to read."""

from hypothesis import strategies as st

ANIMALS = {
    "animal": None,
    "bird": "animal",
    "cat": "feline",
    "dog": "animal",
    "feline": "animal",
    "lion": "feline",
    "oak": "plant",
    "plant": None,
}


@st.composite
def forests(draw):
    """Parents by name, shuffled so that a parent may sort before or after its children."""
    n = draw(st.integers(1, 30))
    ids = draw(st.permutations([f"n{i:02d}" for i in range(n)]))
    parents = {ids[0]: None}
    for i in range(1, n):
        above = draw(st.integers(-1, i - 1))
        parents[ids[i]] = ids[above] if above >= 0 else None
    return parents


def plain_chain(parents, node):
    chain = [node]
    while parents[chain[-1]]:
        chain.append(parents[chain[-1]])
    return chain
