"""All that the pages of a site show, found out once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..board.models import Entry, Leaderboard
from ..ranking.model import BoardRow, Ranking
from ..ranking.ranking import rank, rank_overall, rank_tasks
from .entrant_views import EntrantView, entrant_views, feature_names
from .run_facts import RunFacts, run_facts
from .task_views import BenchmarkView, DatasetView, TaskView, benchmark_views

#: Benchmark, data set, task, protocol.
TaskKey = tuple[str, str, str, str]


@dataclass(frozen=True, eq=False)
class SiteContents:
    """A board with its rankings, tasks, data sets, entrants and what is known of its runs.

    rankings: per benchmark, data set and protocol. by_encoder: the same of the entrants on each
    encoder's features, where a board has several. tasks: per task and protocol. overall: per data
    set, then over data sets where there are several. entries: by entrant. of_entry: entrant by the
    key of an entry. facts: by the key of an entry. notes: results that are not runs of the board,
    each with the reason.
    """

    board: Leaderboard
    benchmarks: tuple[BenchmarkView, ...]
    data_sets: Mapping[str, DatasetView]
    entrants: Mapping[str, EntrantView]
    entries: Mapping[str, tuple[Entry, ...]]
    of_entry: Mapping[str, str]
    rankings: tuple[Ranking, ...]
    by_encoder: tuple[Ranking, ...]
    tasks: Mapping[TaskKey, Ranking]
    overall: tuple[Ranking, ...]
    facts: Mapping[str, RunFacts]
    notes: tuple[str, ...] = ()

    def view(self, row: BoardRow) -> EntrantView:
        """The entrant of a row of any ranking."""
        return self.entrants[self.of_entry[row.entries[0].key]]

    def features(self, of: BoardRow | Entry) -> str:
        """The name of the features of a row, or of an entry; "" of a row over data sets."""
        if isinstance(of, BoardRow):
            if not of.encoder:
                return ""
            of = of.entries[0]
        return self._feature_names[of.dataset, of.feature_identity]

    def row_label(self, row: BoardRow, ranking: Ranking) -> str:
        """What a row is called in a figure: on several features, with those."""
        label, features = self.view(row).label, self.features(row)
        if len(self._features_on(ranking)) < 2 or not features or features in label:
            return label
        return f"{label} on {features}"

    def _features_on(self, ranking: Ranking) -> frozenset[str]:
        """Identities of the features of a ranking's rows, found out once for each ranking."""
        known = self._features_by_rows
        if id(ranking.rows) not in known:
            rows = ranking.rows
            known[id(rows)] = rows, frozenset(row.features for row in rows)
        return known[id(ranking.rows)][1]

    @cached_property
    def _features_by_rows(self) -> dict[int, tuple[tuple[BoardRow, ...], frozenset[str]]]:
        """By the identity of the rows, which are held so that no others get it."""
        return {}

    @cached_property
    def _feature_names(self) -> dict[tuple[str, str], str]:
        return feature_names(self.board.entries)

    @cached_property
    def task_views(self) -> dict[tuple[str, str, str], TaskView]:
        """The tasks of the board by benchmark, data set and name."""
        return {task.where: task for view in self.benchmarks for task in view.tasks}


def scores_on(row: BoardRow, ranking: Ranking) -> Mapping[str, float]:
    """Mean scores of a row of the ranking of one task; empty where it has none."""
    return row.tasks.get(ranking.tasks[0].key, {})


def site_contents(
    board: Leaderboard, results: Iterable[Path | str], images: Mapping[str, Path]
) -> SiteContents:
    """Rank a board and find what is known of its tasks, data sets and runs.

    Raises InputError for a path among the results that is not there.
    """
    benchmarks, data_sets = benchmark_views(board, images)
    sizes = {t.where: t.definition.n_classes for view in benchmarks for t in view.tasks}
    entrants, of_entry = entrant_views(board.entries, sizes)
    entries: dict[str, list[Entry]] = defaultdict(list)
    for entry in board.entries:
        entries[of_entry[entry.key]].append(entry)
    several = len({(entry.dataset, entry.encoder) for entry in board.entries}) > len(data_sets)
    by_task = {
        (ranking.benchmark, ranking.dataset, ranking.task, str(ranking.protocol)): ranking
        for ranking in rank_tasks(board)
    }
    facts, notes = run_facts(board.entries, results)
    return SiteContents(
        board=board,
        benchmarks=tuple(benchmarks),
        data_sets=data_sets,
        entrants=entrants,
        entries={ident: tuple(entries[ident]) for ident in entrants},
        of_entry=of_entry,
        rankings=tuple(rank(board)),
        by_encoder=tuple(rank(board, by_encoder=True)) if several else (),
        tasks=by_task,
        overall=tuple(rank_overall(board)),
        facts=facts,
        notes=notes,
    )
