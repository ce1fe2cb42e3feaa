"""The engine: it remembers what queries gave and what they read.

When inputs change, the results that rest on them are marked, what is wanted is worked out again, and a result that
comes out equal stops there (early cutoff). So a changed EndpointSlice recomputes one route and the Gateways it attaches
to, however many others there are. A result that nothing reads any more is dropped.

This is push-dirty with reverse edges: marking costs what depends on the change, never what is stored. A query that
raises is contained: whatever rests on it is undecided, all else goes on. So is a circle of queries, but its results
keep each other until the engine goes.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, final

from stunnergw.errors import Unknown
from stunnergw.projection.causes import MOST_PARTS, Cause, Subject
from stunnergw.projection.outputs import Undecided
from stunnergw.projection.queries import Context, Held
from stunnergw.store.store import Get

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping

    from stunnergw.projection.queries import Query
    from stunnergw.resources.kinds import Kind
    from stunnergw.resources.metadata import Key
    from stunnergw.settings import Decisions
    from stunnergw.store.store import Input, Store


class ImpureQuery(Exception):
    """A query gave two results for the same inputs. Only rechecking engines look for it."""


# What is known of a result. Plain numbers, with 0 for the usual case: it is asked a hundred times for each Gateway.
_CLEAN = 0  # it is right
_CHECK = 1  # something below may have changed
_DIRTY = 2  # something it read has changed; also before the first computation
_RUNNING = 3


class _Leaf:
    """An input that some result read."""

    __slots__ = ("read", "run", "seq", "users")

    def __init__(self, read: Input | Held) -> None:
        self.read = read
        self.users: dict[_Node, None] = {}
        self.run = -1
        self.seq = 0

    @property
    def cause(self) -> Cause:
        return Cause(self.read, self.seq, True)


class _Node:
    """A remembered result."""

    __slots__ = ("args", "cause", "failed", "place", "query", "reads", "run", "state", "users", "value")

    def __init__(self, made_by: Query[Any, Any], args: tuple[Any, ...]) -> None:
        self.query = made_by
        self.args = args
        self.state = _DIRTY
        self.value: Any = _NEVER
        self.failed = False
        self.reads: tuple[_Leaf | _Node, ...] = ()
        self.users: dict[_Node, None] = {}
        self.run = -1
        self.cause: Cause | None = None
        self.place: Any = None

    @property
    def label(self) -> str:
        return str(Subject(self.query.label, self.args))


class _Never:
    """The value of a result before its first computation; equal to nothing."""


_NEVER = _Never()


class Root(NamedTuple):
    """A result, by its query and arguments."""

    query: Query[Any, Any]
    args: tuple[Any, ...]


class Result(NamedTuple):
    """A wanted result that changed."""

    place: Any
    """What the caller gave with it, to know it again."""
    args: tuple[Any, ...]
    value: Any
    """What the query returned, or Undecided where it raised."""
    cause: Cause | None
    """None in a run that explains nothing, since too much changed at once."""


MARK_AT_ONCE = 2_000
"""Results that are marked between two turns of the loop: about two milliseconds."""

MOST_EXPLAINED = 1_000
"""A run with more changed inputs than this, such as the first, keeps no causes: what it rests on says as much."""


@final
class Engine:
    """Remembers results, and works out again those whose inputs changed.

    ``on_failure`` is told of each query that raised something other than Unknown. With ``recheck``, every query runs
    twice and must give the same (for tests).
    """

    def __init__(
        self,
        *,
        store: Store,
        settings: Decisions,
        on_failure: Callable[[str, Exception], None],
        recheck: bool = False,
    ) -> None:
        self.store = store
        self.held: dict[tuple[str, Hashable], Any] = {}
        self._context = Context(self, settings)
        self._on_failure = on_failure
        self._recheck = recheck
        self.nodes: dict[Query[Any, Any], dict[tuple[Any, ...], _Node]] = {}
        self._leaves: dict[Input | Held, _Leaf] = {}
        # Reads of objects are by far the most: found without making a key for each.
        self.gets: dict[Kind[Any], dict[Key, _Leaf]] = {}
        self.reads_moved = 0
        """Counts how often an object came to be read, or to be read no longer."""
        self._roots: set[_Node] = set()
        # Whether each is wanted only now: then it is given even if it was right already, since others read it.
        self._pending: dict[_Node, bool] = {}
        self._orphans: dict[_Leaf | _Node, None] = {}
        self.reading: dict[_Leaf | _Node, None] = {}
        self._run = 0
        self._changed: dict[Input | Held, int] = {}
        self._held_changes: dict[Held, int] = {}
        self._explains = True
        self.failures = 0
        """Queries that have raised so far."""

    @property
    def size(self) -> int:
        """How many results are remembered."""
        return sum(len(nodes) for nodes in self.nodes.values())

    @property
    def reads(self) -> int:
        """How many inputs the remembered results read."""
        return len(self._leaves) + sum(len(leaves) for leaves in self.gets.values())

    # -- what is wanted ----------------------------------------------------------------------------------------

    def want(self, wanted: Query[Any, Any], args: tuple[Any, ...], place: Any) -> None:
        """Keep a result up to date from now on; it comes back with ``place`` whenever it changes."""
        node = self.node(wanted, args)
        if node not in self._roots:
            node.place = place
            self._roots.add(node)
            self._pending[node] = True

    def unwant(self, wanted: Query[Any, Any], args: tuple[Any, ...]) -> bool:
        """No longer keep a result up to date; what only it read is dropped at the end of the run.

        Returns whether it was wanted.
        """
        node = self.nodes.get(wanted, {}).get(args)
        if node is None or node not in self._roots:
            return False
        self._roots.discard(node)
        self._pending.pop(node, None)
        self._orphans[node] = None
        return True

    # -- running -----------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin a run: what changes from here on counts as changed in it."""
        self._run += 1
        self._changed = {}
        self._explains = True

    def mark(self, changed: Mapping[Any, int]) -> Iterator[None]:
        """Say which inputs changed, each with the event that changed it.

        In steps: a class on which thousands of Gateways rest takes a while to mark.
        """
        self._changed.update(changed)
        self._explains = self._explains and len(changed) <= MOST_EXPLAINED
        for read, seq in changed.items():
            leaf = self._leaf(read)
            if leaf is not None:
                leaf.run, leaf.seq = self._run, seq
                yield from self._taint(leaf.users)

    def hold(self, table: str, key: Hashable, value: Any) -> None:
        """Set what is held under a key (None: nothing); :meth:`spread` marks what reads it."""
        if value is None:
            self.held.pop((table, key), None)
        else:
            self.held[table, key] = value
        self._held_changes[Held(table, key)] = self.store.seq

    def spread(self) -> Iterator[None]:
        """Mark what reads the held entries that changed."""
        changes, self._held_changes = self._held_changes, {}
        yield from self.mark(changes)

    def refresh(self, queries: Container[Query[Any, Any]], *, take: Callable[[Result], None]) -> Iterator[None]:
        """Bring the wanted results of some queries up to date, and have each that changed taken; in steps."""
        for node in [node for node in self._pending if node.query in queries]:
            new = self._pending.pop(node, None)
            if new is None:
                continue
            if node.state:  # else who reads it had it brought up to date already
                self.ensure(node)
            if new or node.run == self._run:
                take(Result(node.place, node.args, node.value, node.cause))
            yield

    def finish(self) -> None:
        """End a run: drop what nothing reads any more."""
        while self._orphans:
            item, _ = self._orphans.popitem()
            if item.users:
                continue
            if isinstance(item, _Leaf):
                self._drop(item.read)
            elif item not in self._roots:
                self._forget(item)

    def _drop(self, read: Input | Held) -> None:
        if isinstance(read, Get):
            self.reads_moved += 1
            self.gets[read.kind].pop(read.key, None)
        else:
            self._leaves.pop(read, None)

    def _forget(self, node: _Node) -> None:
        nodes = self.nodes.get(node.query, {})
        if nodes.pop(node.args, None) is None:
            return
        if not nodes:
            del self.nodes[node.query]
        self._unlink(node, node.reads)

    # -- why ---------------------------------------------------------------------------------------------------

    def cause(self, root: Root) -> Cause | None:
        """Return what last changed a remembered result; None where it is not remembered.

        Of a result that came out of a run that kept no causes, the newest of its inputs stands for all.
        """
        node = self.nodes.get(root.query, {}).get(root.args)
        if node is None or node.cause is not None:
            return node.cause if node else None
        newest = self.inputs(root)[-1:]
        return Cause(Subject(root.query.label, root.args), self.store.seq, False, tuple(newest))

    def inputs(self, root: Root) -> list[Cause]:
        """Return all inputs that a remembered result rests on now, oldest change first."""
        start = self.nodes.get(root.query, {}).get(root.args)
        leaves: dict[_Leaf, None] = {}
        seen: set[_Node] = set()
        stack: list[_Leaf | _Node] = [start] if start else []
        while stack:
            item = stack.pop()
            if isinstance(item, _Leaf):
                leaves[item] = None
            elif item not in seen:
                seen.add(item)
                stack.extend(item.reads)
        found = [Cause(leaf.read, leaf.seq or self._changed_at(leaf.read), True) for leaf in leaves]
        return sorted(found, key=lambda cause: (cause.seq, cause.label))

    def _changed_at(self, read: Input | Held) -> int:
        return 0 if isinstance(read, Held) else self.store.changed_at(read)

    # -- for contexts ------------------------------------------------------------------------------------------

    def new_get(self, kind: Kind[Any], key: Key) -> _Leaf:
        """Make the leaf of an object that is read for the first time."""
        self.reads_moved += 1
        leaf = self.gets.setdefault(kind, {})[key] = self._new_leaf(Get(kind, key))
        return leaf

    def note(self, read: Input | Held) -> None:
        """Record that the running query reads another input."""
        leaf = self._leaves.get(read)
        if leaf is None:
            leaf = self._leaves[read] = self._new_leaf(read)
        self.reading[leaf] = None

    # -- inside ------------------------------------------------------------------------------------------------

    def _leaf(self, read: Input | Held) -> _Leaf | None:
        if isinstance(read, Get):
            return self.gets.get(read.kind, {}).get(read.key)
        return self._leaves.get(read)

    def _new_leaf(self, read: Input | Held) -> _Leaf:
        leaf = _Leaf(read)
        if read in self._changed:
            leaf.run, leaf.seq = self._run, self._changed[read]
        return leaf

    def node(self, made_by: Query[Any, Any], args: tuple[Any, ...]) -> _Node:
        """Return the remembered result of a query, new where there is none yet. For :class:`Query` alone."""
        nodes = self.nodes.get(made_by)
        if nodes is None:
            nodes = self.nodes[made_by] = {}
        node = nodes.get(args)
        if node is None:
            node = nodes[args] = _Node(made_by, args)
        return node

    def _taint(self, users: Iterable[_Node]) -> Iterator[None]:
        """Mark those who read a changed input for recomputation, and all that rests on them for checking."""
        stack = [node for node in users if node.state == _CLEAN]
        for node in users:
            node.state = _DIRTY
        for marked in count(1):
            if not stack:
                return
            tainted = stack.pop()
            if tainted in self._roots:
                self._pending.setdefault(tainted, False)
            for user in tainted.users:
                if user.state == _CLEAN:
                    user.state = _CHECK
                    stack.append(user)
            if marked % MARK_AT_ONCE == 0:
                yield

    def ensure(self, node: _Node) -> None:
        """Bring a remembered result up to date. For :class:`Query` alone."""
        if node.state == _CHECK:
            for read in node.reads:
                if self._changes(read):
                    node.state = _DIRTY
                    break
            else:
                node.state = _CLEAN
                return
        if node.state == _RUNNING:
            raise RecursionError(f"{node.label} depends on itself")
        self._compute(node)

    def _changes(self, read: _Leaf | _Node) -> bool:
        """Bring a read up to date and say whether it changed in this run."""
        if isinstance(read, _Node):
            if read.state == _RUNNING:
                return True  # a circle: computing the reader again says so
            if read.state != _CLEAN:
                self.ensure(read)
        return read.run == self._run

    def _compute(self, node: _Node) -> None:
        node.state = _RUNNING
        reads: dict[_Leaf | _Node, None] = {}
        outer, self.reading = self.reading, reads
        failed = False
        try:
            value = node.query.function(self._context, *node.args)
        except Unknown as unknown:
            value, failed = Undecided(unknown.reason), True
        except ImpureQuery:
            raise
        except Exception as error:  # contained: one Gateway's trouble is not another's
            self.failures += 1
            self._on_failure(node.label, error)
            value, failed = Undecided(f"working out {node.label} failed with {type(error).__name__}"), True
        finally:
            self.reading = outer
        if self._recheck:
            self._check_again(node, value, reads)
        before, node.reads, node.state = node.reads, tuple(reads), _CLEAN
        for read in reads:
            read.users[node] = None
        if before:
            self._unlink(node, [read for read in before if read not in reads])
        if failed is node.failed and type(value) is type(node.value) and value == node.value:
            return
        node.value, node.failed, node.run = value, failed, self._run
        node.cause = self._explain(node, before) if self._explains else None

    def _check_again(self, node: _Node, value: Any, reads: dict[_Leaf | _Node, None]) -> None:
        """Run a query once more and see that it gives and reads the same."""
        outer, again = self.reading, dict[_Leaf | _Node, None]()
        self.reading = again
        try:
            second = node.query.function(self._context, *node.args)
        except Unknown as unknown:
            second = Undecided(unknown.reason)
        except Exception:  # it raised the first time, too, or the values differ
            second = value
        finally:
            self.reading = outer
        if value != second or reads.keys() != again.keys():
            raise ImpureQuery(f"{node.label} gave {value!r}, then {second!r}")

    def _unlink(self, node: _Node, reads: Iterable[_Leaf | _Node]) -> None:
        for read in reads:
            read.users.pop(node, None)
            if not read.users:  # dropped at the end of the run: who is being worked out may have read it
                self._orphans[read] = None

    def _explain(self, node: _Node, before: Iterable[_Leaf | _Node]) -> Cause:
        run = self._run
        parts = [read.cause for read in node.reads if read.run == run]
        parts += [read.cause for read in before if read.run == run and read not in node.reads]
        known = tuple(part for part in parts[:MOST_PARTS] if part is not None)
        return Cause(Subject(node.query.label, node.args), self.store.seq, False, known)
