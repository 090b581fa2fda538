"""`tune --cluster`: trials are trained elsewhere, several at once, and are those of one process."""

import threading
from dataclasses import replace

import pytest

from allotrope.errors import ClusterError, UsageError
from allotrope.process.link import free_port
from allotrope.tuning.ray_cluster import RayCluster
from searched import ONE, SMALL, tune, tune_with

OPTIONS = {**SMALL, "threads": 1, "trials": 3}


class Here:
    """A cluster of two that is this process, and goes away after so many trainings."""

    slots = 2

    def __init__(self, trainings):
        self.left = trainings
        self._lock = threading.Lock()

    def shared(self, value):
        return value

    def run(self, function, *arguments):
        # One after the other, because threads of one process would share what a framework sets.
        with self._lock:
            self.left -= 1
            if self.left < 0:
                raise ClusterError("the cluster is gone")
            return function(*arguments)

    def close(self):
        self.slots = 0


def tune_on(cluster, *arguments, **options):
    def connect(address, threads):
        assert (address, threads) == ("here", 1)
        return cluster

    return tune_with(replace(ONE, cluster=connect))(*arguments, cluster="here", **options)


def results(run):
    rows = run.json["tuning"]["trials"]
    return [(row["number"], row["state"], [rung["value"] for rung in row["rungs"]]) for row in rows]


def test_trials_elsewhere_are_those_of_one_process_even_if_the_cluster_goes_away(tmp_path):
    out, cluster = tmp_path / "there", Here(trainings=100)
    with pytest.raises(ClusterError, match="the cluster is gone"):
        tune_on(Here(trainings=1), "digits", out=out, **OPTIONS)
    (folder,) = out.iterdir()
    there = tune_on(cluster, resume=folder)
    here = tune("digits", out=tmp_path / "here", **OPTIONS)
    assert results(there) == results(here)
    assert [state for _, state, _ in results(there)] == ["done"] * OPTIONS["trials"]
    assert len({row["worker"] for row in there.json["tuning"]["trials"]}) == 2
    assert cluster.slots == 0


def test_an_address_where_no_cluster_is(tmp_path):
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(UsageError, match=f"no Ray cluster can be used at {address}: .*--cluster l"):
        RayCluster(address, 1)
