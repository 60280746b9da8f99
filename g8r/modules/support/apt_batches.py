"""Many packages in one transaction of apt: rehearsed, carried out, and each told its own part of it.

Packages are removed first, then installed, those with recommended packages apart from those without; marks and holds come last. A
transaction that apt refuses is halved until it is clear who is to blame, so that the others still go together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, Final, Literal, TypeVar

import msgspec

from g8r.change import Absent, Blocked, Change
from g8r.host import Host
from g8r.modules.support import apt
from g8r.modules.support.apt import Oracle, Simulation
from g8r.modules.support.programs import said

_FEW: Final = 12
"""Packages that exclude each other are told apart by as many simulations; of more, all are blamed."""
_REMOVING: Final = ("remove", "purge")
_PULLS_IN: Final = "pulls in "
_UPGRADES: Final = "also upgrades "
_REMOVES: Final = "also removes "
_STALE: Final = "the package lists are older than a day, or than their sources; apply fetches them"

C = TypeVar("C", bound=Change[Any])


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What apt is to be told of one package. `version` is exact, a glob, or empty for any."""

    name: str
    act: Literal["install", "purge", "remove", "mark"]
    version: str = ""
    pinned: bool = False
    """The version was asked for, so a lower one than is installed is meant."""
    recommends: bool = False
    was_held: bool = False
    hold: bool = False
    manual: bool = True
    pulled_in: tuple[str, ...] = ()
    may_change_sources: bool = False
    """Earlier steps write below /etc/apt, so what apt says now does not count."""

    @property
    def word(self) -> str:
        return f"{self.name}={self.version}" if self.version else self.name


class Result(msgspec.Struct, frozen=True):
    """What came of one order. complaint says why it may not have worked; refused: it was never tried; stale: for its plan is old."""

    complaint: str = ""
    output: str = ""
    pulled_in: tuple[str, ...] = ()
    refused: bool = False
    stale: bool = False


class _Foretold(msgspec.Struct, frozen=True):
    """A simulation that apt accepts, and those who are in it; or why a single order cannot be."""

    orders: tuple[Order, ...]
    simulation: Simulation


def removals(because: Iterable[str]) -> frozenset[str]:
    """The packages that a plan told would go, from its sentences."""
    told = (sentence.removeprefix(_REMOVES) for sentence in because if sentence.startswith(_REMOVES))
    return frozenset(name for sentence in told for name in sentence.split(", "))


# ---- rehearsing -------------------------------------------------------------------------------------------------------------


def rehearse(orders: Sequence[Order], changes: Sequence[C], host: Host) -> list[C | Blocked]:
    """The changes, with what apt foretells of each."""
    answers: dict[str, C | Blocked] = {}
    by_name = dict(zip((order.name for order in orders), changes, strict=True))
    oracle = Oracle(host)
    age = apt.lists_age(host) if any(order.act == "install" for order in orders) else "fresh"
    removed = tuple(order for order in orders if order.act in _REMOVING)
    rest = _transactions([order for order in orders if order.act not in _REMOVING])
    for group in [removed, *rest] if removed else rest:
        for told in _foretell(group, oracle) if age != "missing" or group[0].act != "install" else ():
            answers |= _answers(told, by_name, age, oracle)
    final: list[C | Blocked] = []
    for order, change in zip(orders, changes, strict=True):
        if order.act == "install" and age == "missing":
            final.append(_vague(change, "there are no package lists yet; apply fetches them"))
        else:
            final.append(answers.get(order.name, change))
    return final


def _answers(told: _Foretold, changes: Mapping[str, C], age: str, oracle: Oracle) -> dict[str, C | Blocked]:
    simulation = told.simulation
    if simulation.complaint:
        order = told.orders[0]
        if order.act == "install" and (age != "fresh" or order.may_change_sources):
            why = "apt's sources change first" if order.may_change_sources else _STALE
            return {order.name: _vague(changes[order.name], why)}
        return {order.name: Blocked(_refusal(order, simulation.complaint, oracle))}
    extras = _extras(told, oracle)
    answers: dict[str, C | Blocked] = {}
    for order in told.orders:
        change = _told(changes[order.name], extras[order.name])
        if order.act == "install":
            version = simulation.version(order.name.partition(":")[0])
            if age != "fresh":
                change = _vague(change, _STALE)
            elif version is not None and "version" in change.unknown:
                change = _with_version(change, version)
        answers[order.name] = change
    return answers


def _told(change: C, sentences: tuple[str, ...]) -> C:
    return msgspec.structs.replace(change, because=(*change.because, *sentences))


def _vague(change: C, why: str) -> C:
    return _told(change, (why,))


def _with_version(change: C, version: str) -> C:
    if isinstance(change.after, Absent):
        return change
    after = msgspec.structs.replace(change.after, version=version)
    return msgspec.structs.replace(change, after=after, unknown=tuple(name for name in change.unknown if name != "version"))


def _extras(told: _Foretold, oracle: Oracle) -> dict[str, tuple[str, ...]]:
    """For each order, sentences on what else happens: what it pulls in; what goes or is upgraded, said of all in the transaction."""
    simulation, named = told.simulation, _plain(told.orders)
    shared = []
    if upgraded := sorted(set(simulation.upgraded) - named):
        shared.append(f"{_UPGRADES}{', '.join(upgraded)}")
    unneeded = {name for order in told.orders for name in order.pulled_in}
    if removed := sorted(set(simulation.removed) - named - unneeded):
        shared.append(f"{_REMOVES}{', '.join(removed)}")
    brought = _brought(told, oracle)
    extras = {}
    for order in told.orders:
        own = []
        if brought.get(order.name):
            own.append(f"{_PULLS_IN}{', '.join(brought[order.name])}")
        if gone := sorted(set(order.pulled_in) & set(simulation.removed)):
            own.append(f"purges what it had pulled in: {', '.join(gone)}")
        extras[order.name] = (*own, *shared)
    return extras


def _brought(told: _Foretold, oracle: Oracle) -> Mapping[str, tuple[str, ...]]:
    names = [order.name for order in told.orders if order.act == "install"]
    return apt.brought_by(names, set(told.simulation.added) - _plain(told.orders), oracle) if names else {}


def _refusal(order: Order, complaint: str, oracle: Oracle) -> str:
    if order.act != "install":
        return f"apt cannot remove {order.name}: {complaint}"
    return f"apt cannot install {order.word}: {complaint}.{_hint(order, complaint, oracle)}"


def _hint(order: Order, complaint: str, oracle: Oracle) -> str:
    if "no installation candidate" in complaint:
        return " It is a virtual package, or one whose source is gone: name a package that provides it."
    versions = apt.offered([order.name], oracle).get(order.name, ())
    if versions:
        return f" It offers {', '.join(versions[:5])}." if order.version else ""
    close = get_close_matches(order.name, apt.similar(order.name, oracle), n=1)
    return f' Did you mean "{close[0]}"?' if close and close[0] != order.name else ""


# ---- simulating -------------------------------------------------------------------------------------------------------------


def _transactions(orders: Sequence[Order]) -> list[tuple[Order, ...]]:
    """Whoever is to go together: removals first, and of these the purges last, which thus also purge what went along before."""
    kinds: tuple[Callable[[Order], bool], ...] = (
        lambda order: order.act == "remove",
        lambda order: order.act == "purge",
        lambda order: order.act == "install" and not order.recommends,
        lambda order: order.act == "install" and order.recommends,
    )
    groups = (tuple(order for order in orders if belongs(order)) for belongs in kinds)
    return [group for group in groups if group]


def _foretell(orders: tuple[Order, ...], oracle: Oracle) -> list[_Foretold]:
    """Simulations that cover all orders; where apt refuses them together, as few as it takes to find out why."""
    simulation = _simulate(orders, oracle)
    if not simulation.complaint or len(orders) == 1:
        return [_Foretold(orders, simulation)]
    told = [each for part in _parts(orders, oracle) for each in _foretell(part, oracle)]
    refused = [each for each in told if each.simulation.complaint]
    accepted = tuple(order for each in told if not each.simulation.complaint for order in each.orders)
    if not accepted:
        return refused
    together = _simulate(accepted, oracle) if refused else simulation
    return [*refused, *(_conflicting(accepted, together, oracle) if together.complaint else [_Foretold(accepted, together)])]


def _parts(orders: tuple[Order, ...], oracle: Oracle) -> list[tuple[Order, ...]]:
    """Where to look for who is to blame: the suspects one by one and the others together, or else one half and the other."""
    suspects = _suspects(orders, oracle)
    if suspects and len(suspects) < len(orders):
        return [*((order,) for order in suspects), tuple(order for order in orders if order not in suspects)]
    middle = len(orders) // 2
    return [orders[:middle], orders[middle:]]


def _conflicting(orders: tuple[Order, ...], together: Simulation, oracle: Oracle) -> list[_Foretold]:
    """Each in order by itself, but not together: those without whom the others could go are to blame, the others go."""
    blamed: tuple[Order, ...] = ()
    if len(orders) <= _FEW:
        blamed = tuple(each for each in orders if not _simulate(tuple(other for other in orders if other is not each), oracle).complaint)
    blamed = blamed or orders
    told = []
    for order in blamed:
        others = ", ".join(sorted(other.name for other in blamed if other is not order))
        told.append(_Foretold((order,), Simulation(complaint=f"not together with {others}: {together.complaint}")))
    rest = tuple(order for order in orders if order not in blamed)
    return told + (_foretell(rest, oracle) if rest else [])


def _suspects(orders: tuple[Order, ...], oracle: Oracle) -> tuple[Order, ...]:
    """Those that ask for what nobody offers, the likeliest reason of a refusal: a name or a version with a slip in it."""
    if orders[0].act != "install":
        return ()
    offers = apt.offered([order.name for order in orders], oracle)
    return tuple(order for order in orders if not any(fnmatchcase(version, order.version or "*") for version in offers.get(order.name, ())))


def _simulate(orders: tuple[Order, ...], oracle: Oracle) -> Simulation:
    """What apt would do: to what is removed, also to what it had pulled in and nobody needs then."""
    pulled_in = {name for order in orders for name in order.pulled_in}
    if not pulled_in:
        return apt.simulate(_verb(orders, ()), oracle)
    cleaned = apt.simulate(("--auto-remove", *_verb(orders, ())), oracle)
    if cleaned.complaint or set(cleaned.removed) <= pulled_in | _plain(orders):
        return cleaned
    # others leave, too: because they need what goes, or because nobody needs them anyway, which is not for us to clean up
    unneeded = sorted(set(cleaned.removed) & pulled_in)
    whole = apt.simulate(_verb(orders, unneeded), oracle)
    # in one go nothing may leave that would not have left with a clean-up anyway
    return apt.simulate(_verb(orders, ()), oracle) if whole.complaint or set(whole.removed) - set(cleaned.removed) else whole


def _plain(orders: Iterable[Order]) -> set[str]:
    """The names without architectures, as a simulation has them."""
    return {order.name.partition(":")[0] for order in orders}


def _verb(orders: tuple[Order, ...], along: Sequence[str]) -> tuple[str, ...]:
    """The command of apt-get for a group; `along` are further packages to remove."""
    first = orders[0]
    options = ["--allow-change-held-packages"] if any(order.was_held for order in orders) else []
    if first.act != "install":
        verb = "purge" if any(order.act == "purge" for order in orders) else "remove"
        return (*apt.INSTALLED_ONLY, *options, verb, *(order.name for order in orders), *along)
    options += ["--allow-downgrades"] if any(order.pinned for order in orders) else []
    return (*options, "--install-recommends" if first.recommends else "--no-install-recommends", "install", *(o.word for o in orders))


# ---- carrying out -----------------------------------------------------------------------------------------------------------


def carry_out(orders: Sequence[Order], because: Sequence[Sequence[str]], host: Host) -> list[Result]:
    """Do what is ordered. `because` are the sentences of each one's plan: what they do not tell of is not removed.

    Each transaction is simulated once before it is made; more often only where apt refuses it.
    """
    results: dict[str, Result] = {}
    leaving = _plain(order for order in orders if order.act in _REMOVING)
    expected = {order.name: leaving.union(removals(sentences), order.pulled_in) for order, sentences in zip(orders, because, strict=True)}
    oracle = Oracle(host, ())
    obstacle = apt.repair(host)
    if any(order.act == "install" for order in orders) and apt.lists_age(host) != "fresh":
        obstacle = "; ".join(filter(None, (obstacle, apt.update(host))))
    for group in _transactions(orders):
        for told in _foretell(group, oracle):
            results |= _commit(told, expected, obstacle, oracle)
    tried = [order for order in orders if order.name not in results or not results[order.name].refused]
    complaint = _mark(tried, host)
    final = []
    for order in orders:
        result = results.get(order.name, Result())
        final.append(result if result.complaint else msgspec.structs.replace(result, complaint=complaint))
    return final


def _commit(told: _Foretold, expected: Mapping[str, set[str]], obstacle: str, oracle: Oracle) -> dict[str, Result]:
    """Make a transaction, unless more would be removed than is expected of those in it."""
    simulation, orders = told.simulation, told.orders
    if simulation.complaint:
        reason = _refusal(orders[0], simulation.complaint, oracle)
        return {orders[0].name: Result(f"{reason} ({obstacle})" if obstacle else reason, refused=True)}
    if surprises := sorted(set(simulation.removed).difference(*(expected[order.name] for order in orders))):
        reason = f"it would now also remove {', '.join(surprises)}, which the plan does not tell of; plan again"
        return {order.name: Result(reason, refused=True, stale=True) for order in orders}
    along = sorted(set(simulation.removed) & {name for order in orders for name in order.pulled_in} - _plain(orders))
    ran = apt.transact(_verb(orders, along), oracle.host)
    complaint = obstacle if ran.code == 0 else f"apt failed: {apt.why(ran)}"
    output = "" if ran.code == 0 else said(ran)
    brought = _brought(told, oracle)
    return {order.name: Result(complaint, output, brought.get(order.name, ())) for order in orders}


def _mark(orders: Sequence[Order], host: Host) -> str:
    """Set the marks and holds that differ from what is wanted; what was wrong with that, or an empty string."""
    stay = [order for order in orders if order.act in {"install", "mark"}]
    there, automatic = apt.installed([order.name for order in stay], host), apt.automatic(host)
    wrong: dict[Literal["manual", "auto", "hold", "unhold"], list[str]] = {"manual": [], "auto": [], "hold": [], "unhold": []}
    for order in stay:
        found = there.get(order.name)
        if found is None:
            continue
        if order.manual is (found.name in automatic):
            wrong["manual" if order.manual else "auto"].append(order.name)
        if order.hold is not found.held:
            wrong["hold" if order.hold else "unhold"].append(order.name)
    return "; ".join(filter(None, (apt.mark(verb, names, host) for verb, names in wrong.items() if names)))
