"""The study by itself: what is drawn, several processes, and databases that fail."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sqlalchemy.exc import IntegrityError, ProgrammingError

from allotrope.errors import MissingDependencyError, StudyError
from allotrope.tasks.metric import ACCURACY, RMSE
from allotrope.tuning.setting_importance import setting_importance
from allotrope.tuning.space import Setting, digest_of, in_words, usual_of
from allotrope.tuning.study import Study
from allotrope.tuning.study_database import StudyDatabase, check_url, without_password

SPACE = {
    "learning_rate": Setting("learning_rate", 1.0, low=0.1, high=10.0, factor=True),
    "batch_size": Setting("batch_size", 1.0, (0.5, 1.0, 2.0), factor=True),
    "schedule": Setting("schedule", "one-cycle", ("one-cycle", "cosine")),
}
RUNGS = {"lengths": [1.0, 3.0], "by_epochs": True}
IDENTITY = {"metric": "accuracy"}


@pytest.fixture(params=["sqlite:///{}/study.db", "{}/study.log"])
def url(request, tmp_path):
    return request.param.format(tmp_path)


def study_at(url, worker="one", metric=ACCURACY, space=None):
    database = StudyDatabase(url, "Go on.", waits=())
    study = Study(database, "digits", space or SPACE, metric, worker, seed=3)
    study.begin(IDENTITY, RUNGS)
    return study


def goodness(settings):
    return 0.9 - 0.1 * abs(np.log(settings["learning_rate"]) - 1)


def searched(study, count):
    for _ in range(count):
        trial = study.next(None)
        study.complete(study.report(trial, {"value": goodness(trial.settings), "loss": 0.1}))
    return [trial.settings for trial in study.trials()]


def test_trial_0_is_the_default_and_what_follows_is_drawn_alike(url, tmp_path):
    settings = searched(study_at(url), 14)
    assert settings[0] == usual_of(SPACE)
    again = searched(study_at(f"sqlite:///{tmp_path}/again.db"), 14)
    assert settings == again
    assert len({str(one) for one in settings}) == 14


def test_a_trial_that_did_not_end_is_taken_up_by_its_own_process_alone(url):
    study = study_at(url)
    first = study.next(None)
    reported = study.report(first, {"value": 0.5, "loss": 1.0})
    again = study_at(url).next(None)
    assert again == reported and again.value == 0.5 and len(study.trials()) == 1
    other = study_at(url, "two")
    assert other.next(None).number == 1
    # Each goes on with its own, as often as it asks.
    assert study.next(None).number == 0 and other.next(None).number == 1


def test_trials_are_counted_over_all_processes(url):
    one, two = study_at(url), study_at(url, "two")
    trial = one.next(2)
    two.next(2)
    one.complete(one.report(trial, {"value": 0.5}))
    assert one.next(2) is None and [each.number for each in one.trials()] == [0, 1]


def test_what_is_told_twice_counts_once(url):
    study = study_at(url)
    trial = study.report(study.next(None), {"value": 0.5})
    study.complete(trial)
    study.complete(trial)
    study.stop(trial, "too late")
    (only,) = study.trials()
    assert only.state == "done" and only.value == 0.5


def test_limits_are_told_and_what_is_beyond_them_is_no_result(url):
    study = study_at(url)
    trial = study.limits(study.next(None), {"latency": 0.4, "size": -0.1})
    study.stop(study.limits(trial, {"latency": 0.4, "size": -0.1}))
    (only,) = study.trials()
    assert only.state == "infeasible" and only.limits == {"latency": 0.4, "size": -0.1}
    assert only.value is None and only.counts


def test_an_error_is_ranked_by_its_sense(url):
    study = study_at(url, metric=RMSE)
    for value in (3.0, 2.0):
        study.complete(study.report(study.next(None), {"value": value}))
    best = max(study.trials(), key=lambda one: one.standing(RMSE))
    assert best.value == 2.0


def test_another_space_is_refused_and_named(url):
    study_at(url)
    other = {**SPACE, "batch_size": Setting("batch_size", 1.0, (1.0, 2.0), factor=True)}
    assert digest_of(other) != digest_of(SPACE)
    with pytest.raises(StudyError, match=r"about something else: space is \w+ there and \w+ here"):
        study_at(url, space=other)


def test_a_study_of_another_version_is_refused(url):
    study = study_at(url)
    noted = study._study.user_attrs["allotrope"]
    study._study.set_user_attr("allotrope", {**noted, "format": 0})
    with pytest.raises(StudyError, match="format is 0 there and 1 here"):
        study_at(url)


def test_a_study_of_somebody_else_is_left_alone(url):
    import optuna

    storage = StudyDatabase(url).storage
    theirs = optuna.create_study(study_name="digits", storage=storage, direction="maximize")
    theirs.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(StudyError, match=r"was not made by allotrope.*--study NAME"):
        study_at(url)


def test_a_study_that_is_gone_or_has_lost_trials_is_named(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    searched(study_at(url), 3)
    empty = Study(StudyDatabase(f"sqlite:///{tmp_path}/new.db"), "digits", SPACE, ACCURACY, "", 3)
    with pytest.raises(StudyError, match=r"has 0 trials, expected 3 at least"):
        empty.load(IDENTITY, 3)
    same = Study(StudyDatabase(url), "digits", SPACE, ACCURACY, "one", 3)
    assert same.load(IDENTITY, 3) == RUNGS


def test_a_database_that_comes_back_is_not_noticed_and_one_that_does_not_is_named(tmp_path):
    from sqlalchemy.exc import OperationalError

    failures = [OperationalError("select", {}, Exception("server closed the connection"))] * 2
    database = StudyDatabase("postgresql://me:secret@host/x", "Go on.", waits=(0.0, 0.0))

    def ask():
        if failures:
            raise failures.pop()
        return 7

    assert database.asked(ask) == 7
    failures += [OperationalError("select", {}, Exception("could not connect"))] * 3
    with pytest.raises(StudyError, match=r"me:\*\*\*@host/x cannot be used: .*connect.*Go on"):
        database.asked(ask)


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (IntegrityError("INSERT", {}, Exception("UNIQUE constraint failed: version_num")), 2),
        (ProgrammingError("CREATE", {}, Exception('relation "studies" already exists')), 2),
        (ProgrammingError("SELECT", {}, Exception('relation "studies" does not exist')), 1),
    ],
)
def test_what_another_process_made_a_moment_before_is_there_when_asked_again(error, tries):
    asked = []

    def ask():
        asked.append(1)
        raise error

    with pytest.raises(StudyError, match=type(error).__name__):
        StudyDatabase("postgresql://host/study", waits=(0.0,)).asked(ask)
    assert len(asked) == tries


def test_many_begin_a_study_at_the_same_moment(url):
    """Each makes what is not there yet; what another made first is no error."""
    together = threading.Barrier(8)

    def begin(number):
        together.wait()
        database = StudyDatabase(url)
        study = Study(database, "digits", SPACE, ACCURACY, str(number), seed=3)
        return study.begin(IDENTITY, RUNGS), study.next(None)

    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(begin, range(8)))
    assert all(rungs == RUNGS for rungs, _ in begun)
    assert len({trial.number for _, trial in begun}) == 8
    assert len({str(trial.settings) for _, trial in begun}) == 8


def test_other_errors_are_not_hidden():
    def wrong():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        StudyDatabase("sqlite:///x.db").asked(wrong)


def test_a_missing_driver_is_named_with_what_installs_it():
    with pytest.raises(MissingDependencyError, match="pip install PyMySQL"):
        StudyDatabase("mysql+pymysql://me@host/x").asked(
            lambda: StudyDatabase("mysql+pymysql://me@host/x").storage
        )


def test_passwords_are_not_shown():
    assert without_password("postgresql://me:p%40ss@host/x") == "postgresql://me:***@host/x"
    assert without_password("sqlite:////tmp/a.db") == check_url("sqlite:////tmp/a.db")


def test_the_setting_that_decides_counts_most(url):
    study = study_at(url)
    searched(study, 20)
    shares = setting_importance(study.trials(), SPACE, ACCURACY)
    assert max(shares, key=lambda name: shares[name]) == "learning_rate"
    assert sum(shares.values()) == pytest.approx(1.0)
    assert setting_importance(study.trials()[:3], SPACE, ACCURACY) == {}


def test_words_say_what_differs_from_the_default():
    usual = usual_of(SPACE)
    assert in_words(SPACE, usual) == "the default recipe"
    changed = {**usual, "learning_rate": 1.84, "schedule": "cosine"}
    assert in_words(SPACE, changed) == "learning rate x 1.84, schedule cosine"
