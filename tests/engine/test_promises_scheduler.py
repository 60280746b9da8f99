"""[A-graph] and [A-fail] as properties: the scheduler against a naive model of what must come out, and invariants at every moment."""

from __future__ import annotations

import random
from collections import Counter

import msgspec
from fleet import Fleet, site
from hypothesis import given, settings
from hypothesis import strategies as st

from g8r.address import Address
from g8r.executor.scheduler import Batch, Scheduler
from g8r.outcome import Changed, Failure, InDoubt, Outcome, Skipped, Stale, Unchanged, succeeded
from g8r.plan import Plan, Reason, Step

SIZES = {"single": 1, "many": 3}
PERFORMED = ("create", "update", "run", "delete", "unknown", "trigger")
QUIET = ("no-op", "forget")
SEEDS = st.integers(0, 2**32)
ENDS: tuple[Outcome, ...] = (Changed({}), Unchanged({}), Failure("no"), Stale("moved"), InDoubt("who knows"))


class Drawn(msgspec.Struct, frozen=True):
    plan: Plan
    ends: dict[str, Outcome]
    retries: frozenset[str]
    parallelism: int


def drawn_plan(seed: int, count: int) -> Drawn:
    """A random plan of so many steps; some are plain, so that much can be batched, some are of every colour."""
    dice = random.Random(seed)
    colourful = dice.random()

    def some(names: list[str], most: int = 3) -> list[str]:
        return dice.sample(names, min(len(names), dice.randint(0, most))) if dice.random() < colourful else []

    def one(plain: str, *others: str) -> str:
        return dice.choice(others) if dice.random() < colourful else plain

    steps: list[Step] = []
    barriers: dict[str, tuple[str, ...]] = {}
    for index in range(count):
        earlier = [step.id for step in steps]
        needs = some(earlier)
        action = one("create", *PERFORMED, *QUIET, "blocked")
        host, kind = one("a", "a", "b"), one("many", *SIZES)
        identifier = f"{host}/{kind}.s{index}"
        steps.append(
            Step(
                id=identifier,
                address=Address(host, kind, f"s{index}"),
                identity=str(index),
                action=action,  # type: ignore[arg-type] # one of them
                judgement="blocked" if action == "blocked" else "change",
                reason=Reason("in-doubt" if action == "unknown" and dice.random() < 0.5 else "none"),
                version=1,
                needs=tuple(sorted(needs)),
                after_steps=tuple(sorted({*some(earlier), *some(sorted(barriers), 1)})),
                locks=tuple(sorted(some(["l", "m"], 2))),
                become="u" if dice.random() < colourful / 3 else None,
                verb="go" if action == "trigger" else "",
                waits_for=tuple(sorted(needs)) if action == "trigger" else (),
                owed=action == "trigger" and dice.random() < 0.5,
            )
        )
        waited = some(earlier)
        if waited:
            barriers[f"{host}/#b{index}"] = tuple(sorted(waited))
    plan = Plan("p", "s", "w", "l", 0, "c", "", "", "", tuple(steps), barriers)
    ends = {step.id: dice.choice(ENDS) if dice.random() < 0.4 else Changed({}) for step in steps}
    retries = frozenset(step.id for step in steps if dice.random() < 0.4)
    return Drawn(plan, ends, retries, dice.randint(1, 3))


def expected(drawn: Drawn) -> tuple[dict[str, str], dict[str, set[str]]]:
    """The naive model: by step, how it must end, in the order of the plan; and the culprits that spoil it for what needs it."""
    words: dict[str, str] = {}
    culprits: dict[str, set[str]] = {}
    for step in drawn.plan.steps:
        because = set().union(*(culprits[name] for name in step.needs))
        end = drawn.ends[step.id]
        if step.action == "no-op":
            words[step.id] = "unchanged"
        elif because:
            words[step.id] = "skipped"
        elif step.action == "forget":
            words[step.id] = "unchanged"
        elif step.action == "blocked":
            words[step.id] = "skipped"
        elif step.action == "unknown" and step.reason.code == "in-doubt":
            words[step.id] = "in-doubt"
        elif step.action == "trigger" and not step.owed and not any(words[name] == "changed" for name in step.waits_for):
            words[step.id] = "unchanged"
        else:
            words[step.id] = "changed" if isinstance(end, Changed) else "unchanged" if succeeded(end) else "given"
        fine = words[step.id] in {"changed", "unchanged"}
        culprits[step.id] = because or (set() if fine else {step.id})
    return words, culprits


class World:
    """Performs what the scheduler gives out, in any order, and watches that its promises hold."""

    def __init__(self, drawn: Drawn, seed: int) -> None:
        self.drawn, self.dice = drawn, random.Random(seed)
        self.scheduler = Scheduler(drawn.plan, SIZES.__getitem__, drawn.parallelism)
        self.ended: Counter[str] = Counter(list(self.scheduler.outcomes))
        self.running: dict[str, Batch] = {}
        self.performed: set[str] = set()
        self.retried: set[str] = set()

    def run(self) -> dict[str, Outcome]:
        self.start()
        while self.running:
            identifier = self.dice.choice(sorted(self.running))
            if identifier in self.drawn.retries and identifier not in self.retried:
                self.retried.add(identifier)
                del self.running[identifier]
                self.performed.discard(identifier)
                self.scheduler.again(identifier)
            else:
                del self.running[identifier]
                self.ended[identifier] += 1
                self.ended.update(self.scheduler.end(identifier, self.drawn.ends[identifier]))
            if self.dice.random() < 0.5 or not self.running:
                self.start()
        assert self.scheduler.waiting == 0, "nothing is left over"
        assert self.scheduler.running == ()
        return self.scheduler.outcomes

    def start(self) -> None:
        for batch in self.scheduler.ready():
            assert 1 <= len(batch.steps) <= SIZES[batch.steps[0].address.kind]
            ways = {(step.address.host, step.address.kind, step.become, bool(step.verb), step.locks) for step in batch.steps}
            assert len(ways) == 1, "performed together: one host, one kind, one way"
            for step in batch.steps:
                self.check_start(step)
                self.running[step.id] = batch
        assert set(self.scheduler.running) == set(self.running)
        self.check_locks_and_places()

    def check_start(self, step: Step) -> None:
        assert step.id not in self.performed, "given out twice"
        self.performed.add(step.id)
        waited = {name for after in step.after_steps for name in self.drawn.plan.barriers.get(after, (after,))}
        known = {each.id for each in self.drawn.plan.steps}
        assert all(name in self.scheduler.outcomes for name in waited & known), "what it comes after has ended"
        assert all(succeeded(self.scheduler.outcomes[name]) for name in step.needs), "what it needs has succeeded"

    def check_locks_and_places(self) -> None:
        for host in "ab":
            distinct = list({id(batch): batch for batch in self.running.values() if batch.host == host}.values())
            assert len(distinct) <= self.drawn.parallelism
            held = Counter(lock for batch in distinct for lock in batch.steps[0].locks)
            assert all(count == 1 for count in held.values()), f"held twice: {held}"


@settings(max_examples=1200, deadline=None)
@given(seed=SEEDS, count=st.integers(1, 12))
def test_A_graph_every_step_ends_once_and_as_the_model_says(seed: int, count: int) -> None:
    drawn = drawn_plan(seed, count)
    world = World(drawn, seed)
    outcomes = world.run()
    assert world.ended == Counter([step.id for step in drawn.plan.steps])
    words, culprits = expected(drawn)
    for step in drawn.plan.steps:
        outcome = outcomes[step.id]
        match words[step.id]:
            case "skipped":
                assert isinstance(outcome, Skipped)
                because = set().union(*(culprits[name] for name in step.needs))
                assert step.action == "blocked" or outcome.because in because, "it names who is to blame"
                assert step.id not in world.performed
            case "given":
                assert outcome == drawn.ends[step.id]
            case "in-doubt":
                assert isinstance(outcome, InDoubt)
                assert step.id not in world.performed
            case word:
                assert isinstance(outcome, Changed if word == "changed" else Unchanged)


@settings(max_examples=500, deadline=None)
@given(seed=SEEDS, count=st.integers(1, 12))
def test_A_resume_goes_on_where_a_run_was_cut_and_performs_nothing_twice(seed: int, count: int) -> None:
    """Any prefix of a run's successes may be given to a new scheduler: it performs the rest, and the same comes out."""
    drawn = drawn_plan(seed, count)
    whole = World(drawn, seed).run()
    kept = {step.id for step in drawn.plan.steps if succeeded(whole[step.id])}
    dice = random.Random(seed)
    cut = {name for name in sorted(kept) if dice.random() < 0.5}
    closed: set[str] = set()
    for step in drawn.plan.steps:
        waited = {name for after in step.after_steps for name in drawn.plan.barriers.get(after, (after,))}
        if step.id in cut and closed >= {name for name in (*step.needs, *waited) if name in kept}:
            closed.add(step.id)
    resumed = World(drawn, seed)
    resumed.scheduler = Scheduler(drawn.plan, SIZES.__getitem__, drawn.parallelism, {name: whole[name] for name in closed})
    resumed.ended = Counter(list(resumed.scheduler.outcomes))
    outcomes = resumed.run()
    assert not resumed.performed & closed
    assert {name: type(outcome) for name, outcome in outcomes.items()} == {name: type(outcome) for name, outcome in whole.items()}


@settings(max_examples=200, deadline=None)
@given(seed=SEEDS, count=st.integers(1, 12))
def test_A_graph_the_same_plan_gives_the_same_batches(seed: int, count: int) -> None:
    drawn = drawn_plan(seed, count)
    first, second = (Scheduler(drawn.plan, SIZES.__getitem__, drawn.parallelism) for _ in range(2))
    while batches := first.ready():
        assert batches == second.ready()
        for batch in batches:
            for step in batch.steps:
                assert first.end(step.id, drawn.ends[step.id]) == second.end(step.id, drawn.ends[step.id])
    assert first.outcomes == second.outcomes


def test_A_graph_a_retried_member_of_a_batch_leaves_the_places_of_the_others_alone() -> None:
    """The first of a batch of three is tried again while the others still run: that makes two batches, and no third place."""
    many = [_plain("many", index) for index in range(3)]
    single = [_plain("single", index) for index in range(3)]
    scheduler = Scheduler(Plan("p", "s", "w", "l", 0, "c", "", "", "", (*many, *single)), SIZES.__getitem__, 2)
    first, _ = scheduler.ready()
    scheduler.end(single[0].id, Changed({}))
    scheduler.again(first.steps[0].id)
    assert len(scheduler.ready()) == 1
    scheduler.end(many[1].id, Changed({}))
    assert scheduler.ready() == [], "both places are taken"
    scheduler.end(many[2].id, Changed({}))
    assert len(scheduler.ready()) == 1, "one is free again"


def _plain(kind: str, index: int) -> Step:
    address = Address("a", kind, f"s{index}")
    return Step(str(address), address, str(index), "create", "change", Reason("new"), 1)


def test_A_graph_a_kind_that_takes_many_together_runs_one_batch_at_a_time() -> None:
    plan = Fleet().plan(site({"file": {f"f{number}": {"path": f"/etc/f{number}"} for number in range(10)}}))
    scheduler = Scheduler(plan, lambda _kind: 4, parallelism=10)
    (first,) = scheduler.ready()
    assert len(first.steps) == 4
    assert scheduler.ready() == []
    for step in first.steps:
        scheduler.end(step.id, Changed())
    (second,) = scheduler.ready()
    assert not {step.id for step in first.steps} & {step.id for step in second.steps}
