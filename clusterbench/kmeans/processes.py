"""Several processes that share a fit, by torch.distributed, as `torchrun` or `srun` starts them.

What they exchange is sums of whole numbers and rows in order of rank, so the answer does not depend
on how many they are. A process that ends takes the group with it, and one of the others says so.
"""

from __future__ import annotations

import datetime
import itertools
import os
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..devices import Team, resolve_device, team
from ..errors import ClusterbenchError, InputError
from .lloyd import Alone, Group
from .shard import Extent

if TYPE_CHECKING:
    import torch
    from torch.distributed import ProcessGroup
    from torch.distributed.distributed_c10d import Store

#: Seconds that a process waits for the others: at the beginning, and in each exchange.
TIMEOUT = 1800.0

_ADDRESS = ("MASTER_ADDR", "MASTER_PORT")
_joins = itertools.count()
#: Where the processes meet, and whether this one tells, once that is known.
_meeting: list[Store] = []
_tells: list[bool] = []


class LostProcessError(ClusterbenchError):
    """Another process of the group has ended, or does not answer."""


def shard_bounds(n: int, size: int, rank: int) -> tuple[int, int]:
    """First row of process `rank` of `size`, and the one after its last, of n rows in all.

    Shares differ by one row at most; with fewer rows than processes some have none.
    """
    return n * rank // size, n * (rank + 1) // size


def first_row(group: Group, n: int) -> int:
    """Number of the first of this process's n rows among all, which are in order of rank."""
    counts = group.gather(np.array([n], dtype=np.int64))
    return int(counts[: group.rank].sum())


def of_first(group: Group, rows: np.ndarray) -> np.ndarray:
    """The (m, ...) array of rank 0, in all processes; of the others only dtype and width count."""
    return group.gather(rows if group.rank == 0 else rows[:0])


@contextmanager
def joined(device: str = "auto", timeout: float = TIMEOUT) -> Iterator[Group]:
    """The group of all processes of this job; `Alone` where it has one.

    With `device` a GPU, sums go from GPU to GPU by NCCL, unless processes share one.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:N"; "auto" takes the GPU of this process's number.
        timeout: seconds to wait for the others.

    Raises:
        InputError: the device, or what the environment says of the job, cannot be used.
        SystemExit: the others do not come, or one is lost later. The job is over then: one process
            says why in one line, and torchrun may start all of them again.
    """
    if not together():
        yield Alone()
        return
    group: Processes | None = None
    try:
        group = _join(team(), device, timeout)
        yield group
    except LostProcessError as error:
        raise SystemExit(f"error: {error}" if first_to_tell() else 1) from error
    except BaseException:
        first_to_tell()  # the others are to end without a word
        raise
    finally:
        if group is not None:
            group.leave()


def together() -> bool:
    """Whether this is one of several processes that can find each other.

    `srun` says where a process stands, but not where to meet: MASTER_ADDR and MASTER_PORT do, which
    `torchrun` sets. Without them each process is on its own, as in a batch script of Slurm, where
    the variables of the job are set and nobody else is there.
    """
    return team().size > 1 and all(name in os.environ for name in _ADDRESS)


def first_to_tell() -> bool:
    """True in one of the processes that ask, for a message that is to appear once."""
    if not together():
        return True
    if not _tells:
        first = team().rank <= 1  # where the store has gone with rank 0, the next one tells
        if _store_is_there():
            with suppress(RuntimeError, InputError):
                first = _store().add("told", 1) == 1
        _tells.append(first)
    return _tells[0]


def all_come(name: str, seconds: float = 30.0) -> bool:
    """Whether all processes call this with the same name, once, within so many seconds.

    For what may have happened in all of them or in one: no exchange is waited for.
    """
    if not together():
        return True
    deadline, size = time.monotonic() + seconds, team().size
    try:
        come = _store().add(name, 1)
        while come < size and time.monotonic() < deadline:
            time.sleep(0.05)
            come = _store().add(name, 0)
    except RuntimeError as error:
        raise _lost(size, "has ended or does not answer") from error
    return come >= size


def _store_is_there() -> bool:
    """Asked before the store is, which writes a trace of its own to stderr when it has gone."""
    if os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        time.sleep(1.0)  # until it has gone, if rank 0 is the one that was lost
    try:
        address = os.environ[_ADDRESS[0]], int(os.environ[_ADDRESS[1]])
        socket.create_connection(address, timeout=5.0).close()
    except (OSError, ValueError):
        return False
    return True


class Processes:
    """A `Group` over torch.distributed; made by `joined`, or over a group that is there.

    Args:
        group: of torch.distributed, which can exchange tensors in memory; None is the default one.
        device: where large sums are added up.
    """

    def __init__(
        self, group: ProcessGroup | None = None, device: str | torch.device = "cpu"
    ) -> None:
        import torch.distributed as dist

        self.rank, self.size = dist.get_rank(group), dist.get_world_size(group)
        self._group, self._device = group, device
        self._calls = 0

    def extent(self, extent: Extent) -> Extent:
        """As `Group.extent`."""
        kinds = [("n", "i8"), ("largest", "f8"), ("longest", "f8"), ("weight", "f8")]
        own = (extent.n, extent.largest, extent.longest, extent.weight)
        found = self.gather(np.array([own], dtype=kinds))
        return Extent(int(found["n"].sum()), *(float(found[name].max()) for name, _ in kinds[1:]))

    def total(self, whole: np.ndarray) -> np.ndarray:
        """As `Group.total`."""
        import torch
        import torch.distributed as dist

        if whole.size == 0:
            return whole
        sums = torch.from_numpy(np.array(whole, dtype=np.int64)).to(self._device)
        with self._exchange():
            dist.all_reduce(sums, group=self._group)
        return sums.cpu().numpy()

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """As `Group.gather`; of any dtype but objects. Nothing is padded."""
        rows = np.ascontiguousarray(rows)
        counts = self._counts(rows)
        ends = np.cumsum(counts)
        found = np.empty((int(ends[-1]), *rows.shape[1:]), dtype=rows.dtype)
        found[ends[self.rank] - len(rows) : ends[self.rank]] = rows
        if not found.size:
            return found
        content = found.reshape(-1).view(np.uint8)
        width = len(content) // len(found)
        self._fill(content, (ends - counts) * width, ends * width)
        return found

    def added_up(self, own: torch.Tensor) -> torch.Tensor:
        """As `Group.added_up`; by NCCL where the tensor lies on the GPU of this process."""
        import torch
        import torch.distributed as dist

        there = torch.device(self._device)
        by_gpu = own.device.type == there.type == "cuda"
        sums = own.detach().clone() if by_gpu else own.detach().cpu().clone()
        with self._exchange():
            dist.all_reduce(sums, group=self._group)
        return sums.to(own.device)

    def leave(self) -> None:
        """End the group; what the others still wait for fails there."""
        import torch.distributed as dist

        with suppress(RuntimeError):  # where one is lost there may be nothing to end
            dist.destroy_process_group(self._group)

    def _counts(self, rows: np.ndarray) -> np.ndarray:
        """Rows of each process: (size,) int64. Error where they are not at the same exchange."""
        self._calls += 1
        kind = zlib.crc32(f"{rows.dtype.descr}{rows.shape[1:]}".encode())
        own = np.array([len(rows), self._calls, kind], dtype=np.int64)
        told = np.zeros((self.size, 3), dtype=np.int64)
        told[self.rank] = own
        told = self._all_alike(told.reshape(-1)).reshape(self.size, 3)
        if (told[:, 1:] != own[1:]).any():
            other = int((told[:, 1:] != own[1:]).any(axis=1).argmax())
            raise ClusterbenchError(
                f"process {other} of {self.size} is not where process {self.rank} is; start all "
                "with the same version, the same settings and the same data"
            )
        counts: np.ndarray = told[:, 0]
        return counts

    def _fill(self, content: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> None:
        """Exchange the parts of a (bytes,) uint8 array, of which this process has its own."""
        import torch
        import torch.distributed as dist

        if len(set((ends - starts).tolist())) == 1:
            self._all_alike(content)
            return
        with self._exchange():
            for rank in range(self.size):
                if starts[rank] < ends[rank]:
                    part = torch.from_numpy(content[starts[rank] : ends[rank]])
                    dist.broadcast(part, group=self._group, group_src=rank)

    def _all_alike(self, content: np.ndarray) -> np.ndarray:
        """Exchange parts of equal length in place."""
        import torch
        import torch.distributed as dist

        whole = torch.from_numpy(content)
        parts = list(whole.chunk(self.size))
        with self._exchange():
            dist.all_gather(parts, parts[self.rank].clone(), group=self._group)
        return content

    @contextmanager
    def _exchange(self) -> Iterator[None]:
        import torch

        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # a closed connection, or the timeout
            raise _lost(self.size, "has ended or does not answer") from error


def _join(mates: Team, device: str, timeout: float) -> Processes:
    import torch
    import torch.distributed as dist
    from torch.distributed.distributed_c10d import PrefixStore

    own = resolve_device(device, mates.local_rank)
    by_gpu = own.type == "cuda" and mates.local_size <= torch.cuda.device_count()
    if by_gpu:
        torch.cuda.set_device(own)
    if dist.is_initialized():  # by the program that calls this
        return Processes(cast("ProcessGroup", dist.new_group(backend="gloo")))
    options: dict[str, Any] = {
        "rank": mates.rank,
        "world_size": mates.size,
        "timeout": datetime.timedelta(seconds=timeout),
    }
    try:
        store = PrefixStore(f"group/{next(_joins)}", _store(timeout))
        backend = "cpu:gloo,cuda:nccl" if by_gpu else "gloo"
        dist.init_process_group(backend, store=store, **options)
    except RuntimeError as error:  # nobody at the address, or not all within the time
        raise _lost(mates.size, f"has not come within {timeout:g} s") from error
    return Processes(device=own if by_gpu else "cpu")


def _store(timeout: float = TIMEOUT) -> Store:
    """Where the processes of this job meet, and what is said once is counted; opened once."""
    from torch.distributed.distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    if _meeting:
        return _meeting[0]
    mates = team()
    try:
        found = rendezvous(
            "env://", mates.rank, mates.size, timeout=datetime.timedelta(seconds=timeout)
        )
        # Under a name of its own in each attempt of torchrun: its store may outlive them, and
        # addresses of an earlier one would be taken for those of this.
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        _meeting.append(PrefixStore(f"clusterbench/{attempt}", next(iter(found))[0]))
    except ValueError as error:
        raise InputError(f"MASTER_ADDR and MASTER_PORT cannot be used: {error}") from error
    return _meeting[0]


def _lost(size: int, what: str) -> LostProcessError:
    return LostProcessError(
        f"another of the {size} processes {what}; the same command goes on from the last "
        "checkpoint, or begins anew where there is none"
    )
