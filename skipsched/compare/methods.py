"""The methods that are compared: the baselines, each as it was published and on our allocation, and ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from skipsched.baselines.arrangement import straight_pipelines
from skipsched.baselines.arrivals import Stuck, serve
from skipsched.baselines.full_pipeline import full_routes, gpipe, one_forward_one_backward
from skipsched.baselines.random_paths import random_routes
from skipsched.baselines.skippipe import search_paths
from skipsched.compare.attempt import COMPLETE, CUT, Attempt, NoSchedule, attempt_with
from skipsched.compare.contest import Contest
from skipsched.compare.variants import emitting, full_pipeline
from skipsched.instance import Instance
from skipsched.plan import Plan, Routes
from skipsched.schedule.plan import allocation_from
from skipsched.solver import Options

#: How often random paths are drawn until some do not stall.
_DRAWS = 20

#: Allocation and pipelines, found by one of the methods.
Straight = tuple[Sequence[int], Sequence[Sequence[int]]]


@dataclass(frozen=True, slots=True)
class Method:
    """A way from a topology to a schedule.

    Parameters
    ----------
    text
        What it is, in a line.
    make
        Runs it.
    """

    text: str
    make: Callable[[Contest], Attempt]


def _arranged(contest: Contest) -> Straight:
    return contest.arrangement.allocation, contest.arrangement.pipelines


def _on_ours(contest: Contest) -> Straight:
    ours = contest.ours.schedule
    if ours is None:
        raise NoSchedule("solve has no schedule whose allocation it could take")
    allocation = allocation_from(ours.document, contest.instance)
    return allocation, straight_pipelines(contest.instance, allocation)


def _straight(
    contest: Contest,
    *,
    begin: Callable[[Contest], Straight],
    order: Callable[[Instance, Routes], Plan],
) -> Attempt:
    """A full pipeline in which as many data nodes emit as the smallest stage has nodes."""
    allocation, pipelines = begin(contest)
    heads = [pipeline[0] for pipeline in pipelines]
    topology = emitting(full_pipeline(contest.topology), allocation, heads)
    instance = Instance.of(topology)
    plan = order(instance, full_routes(instance, allocation, pipelines))
    return attempt_with(topology, plan, COMPLETE, contest.seed)


def _served(contest: Contest) -> Attempt:
    """The full pipeline as published: whatever arrives first is executed first."""
    allocation, pipelines = _arranged(contest)
    topology = emitting(full_pipeline(contest.topology), allocation, [pipeline[0] for pipeline in pipelines])
    instance = Instance.of(topology)
    served = serve(instance, full_routes(instance, allocation, pipelines))
    return attempt_with(topology, served.plan, COMPLETE, contest.seed, served.iteration)


def _random_paths(contest: Contest) -> Attempt:
    """Random allowed paths on the arrangement, drawn until some can be served."""
    why = "there are no allowed paths on the arrangement"
    allocation, clock = contest.arrangement.allocation, contest.begin()
    for draw in range(_DRAWS):
        routes = random_routes(contest.instance, allocation, contest.seed + draw, clock)
        if routes is None:
            break
        try:
            served = serve(contest.instance, routes)
        except Stuck as error:
            why = str(error)
        else:
            return attempt_with(contest.topology, served.plan, COMPLETE, contest.seed, served.iteration)
    raise NoSchedule(why)


def _skippipe(contest: Contest, *, avoid_collisions: bool) -> Attempt:
    """SkipPipe as published, on the arrangement."""
    allocation = contest.arrangement.allocation
    clock = contest.begin()
    found = search_paths(contest.instance, allocation, clock, avoid_collisions=avoid_collisions)
    if found is None:
        raise NoSchedule("no paths within its load limits")
    served = serve(contest.instance, found.routes)
    end = COMPLETE if found.complete else CUT
    return attempt_with(contest.topology, served.plan, end, contest.seed, served.iteration)


def _full_by_us(contest: Contest) -> Attempt:
    return contest.solved(full_pipeline(contest.topology), Options(seed=contest.seed))


def _ours(contest: Contest) -> Attempt:
    return contest.ours


#: Those that are spoken of elsewhere.
FULL_PIPELINE, ONE_F_ONE_B, SOLVE = "full-pipeline", "1f1b", "solve"
SKIPPIPE_PATHS, SKIPPIPE = "skippipe-paths", "skippipe"

#: By name, in the order of the table.
METHODS: dict[str, Method] = {
    FULL_PIPELINE: Method("full pipeline, DT-FM arrangement, first come first served", _served),
    "gpipe": Method(
        "full pipeline, DT-FM arrangement, GPipe order", partial(_straight, begin=_arranged, order=gpipe)
    ),
    ONE_F_ONE_B: Method(
        "full pipeline, DT-FM arrangement, 1F1B order",
        partial(_straight, begin=_arranged, order=one_forward_one_backward),
    ),
    "gpipe-ours": Method(
        "full pipeline, allocation of solve, GPipe order", partial(_straight, begin=_on_ours, order=gpipe)
    ),
    "1f1b-ours": Method(
        "full pipeline, allocation of solve, 1F1B order",
        partial(_straight, begin=_on_ours, order=one_forward_one_backward),
    ),
    "solve-full": Method("full pipeline, everything else by solve", _full_by_us),
    "random-paths": Method("random allowed paths, DT-FM arrangement", _random_paths),
    SKIPPIPE_PATHS: Method(
        "SkipPipe without collision avoidance", partial(_skippipe, avoid_collisions=False)
    ),
    SKIPPIPE: Method("SkipPipe", partial(_skippipe, avoid_collisions=True)),
    SOLVE: Method("skipsched solve", _ours),
}
