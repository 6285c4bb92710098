"""What samplers ask for."""

import pytest

from mlkit.errors import InvalidInput, NotFound
from mlkit.sweeps.samplers import SAMPLERS, RandomSampler, default_sampler, make_sampler
from mlkit.sweeps.space import choice, int_uniform, space_of, uniform


def asked(sampler):
    found = []
    while (params := sampler.ask()) is not None:
        sampler.tell(params, 1.0)
        found.append(dict(params))
    return found


SMALL = space_of({"a": [1, 2], "b": ["x", "y", "z"]})


def test_a_grid_tries_every_combination_once_the_last_param_fastest():
    assert asked(make_sampler("grid", SMALL, n=None, seed=0)) == [
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 1, "b": "z"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
        {"a": 2, "b": "z"},
    ]


def test_a_grid_with_fewer_trials_takes_a_repeatable_part_without_repeats():
    first = asked(make_sampler("grid", SMALL, n=4, seed=7))
    assert first == asked(make_sampler("grid", SMALL, n=4, seed=7))
    assert len({tuple(params.values()) for params in first}) == 4


def test_a_grid_with_more_trials_than_combinations_ends():
    sampler = make_sampler("grid", SMALL, n=100, seed=0)
    assert sampler.total == 6
    assert len(asked(sampler)) == 6


def test_a_grid_of_endless_values_is_refused():
    with pytest.raises(InvalidInput, match="those of 'lr' have no end"):
        make_sampler("grid", {"lr": uniform(0, 1)}, n=5, seed=0)


def test_a_part_of_a_huge_grid_is_drawn_or_refused():
    large = {name: int_uniform(1, 10**6) for name in "abc"}
    assert len(asked(make_sampler("grid", large, n=3, seed=0))) == 3
    huge = {name: int_uniform(1, 10**6) for name in "abcd"}
    with pytest.raises(InvalidInput, match="too large to draw from"):
        make_sampler("grid", huge, n=3, seed=0)


def test_random_draws_are_repeatable_and_differ_between_seeds():
    space = {"lr": uniform(0, 1), "depth": choice([4, 6])}
    first = asked(make_sampler("random", space, n=5, seed=1))
    assert first == asked(make_sampler("random", space, n=5, seed=1))
    assert first != asked(make_sampler("random", space, n=5, seed=2))
    assert len(first) == 5


def test_random_draws_leave_other_chance_alone():
    import random

    random.seed(3)
    expected = random.random()
    random.seed(3)
    asked(make_sampler("random", SMALL, n=5, seed=1))
    assert random.random() == expected


def test_a_random_search_needs_a_number_of_trials():
    with pytest.raises(InvalidInput, match="Say how many trials"):
        make_sampler("random", SMALL, n=None, seed=0)


def test_a_sampler_may_be_what_makes_it():
    assert isinstance(make_sampler(RandomSampler, SMALL, n=1, seed=0), RandomSampler)


def test_an_unknown_sampler_is_refused_with_a_suggestion():
    with pytest.raises(NotFound, match="Did you mean 'random'"):
        make_sampler("randm", SMALL, n=1, seed=0)


def test_a_space_of_countable_values_is_a_grid_by_default():
    assert default_sampler(SMALL) == "grid"
    assert default_sampler({"lr": uniform(0, 1)}) == "random"


def test_mlkits_own_samplers_are_registered_as_plugins_are():
    assert SAMPLERS.group == "mlkit.samplers"
    assert {"grid", "random"} <= set(SAMPLERS.names())
