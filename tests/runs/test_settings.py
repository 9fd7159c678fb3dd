"""Given presets and parameters: every setting is settled and recorded, wrong ones are refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from clusterbench.errors import InputError
from clusterbench.runs.settings import build, settle


def params_of(name: str, preset: Any = None, params: Any = None) -> dict[str, Any]:
    (spec,) = settle([name], preset or {}, params or {}, "cpu")
    return dict(spec.params)


def test_defaults_are_recorded_and_k_seed_and_device_are_not() -> None:
    params = params_of("kmeans")
    assert params["n_init"] == 3
    assert not {"n_clusters", "random_state", "device"} & params.keys()


def test_parameters_win_over_the_preset_and_the_preset_over_defaults() -> None:
    preset = {"kmeans": {"n_init": 2, "max_iter": 7}, "other": {"x": 1}}
    params = params_of("kmeans", preset, {"kmeans": {"max_iter": 9}})
    assert (params["n_init"], params["max_iter"]) == (2, 9)


def test_a_value_given_as_the_default_gives_the_same_spec() -> None:
    assert params_of("kmeans") == params_of("kmeans", params={"kmeans": {"n_init": 3}})


def test_methods_named_twice_run_once_in_the_order_given(tiny_world: SimpleNamespace) -> None:
    specs = settle(["modulo", "kmeans", "modulo"], {}, {}, "cpu")
    assert [spec.name for spec in specs] == ["modulo", "kmeans"]


def test_build_gives_a_method_with_exactly_the_settled_settings() -> None:
    (spec,) = settle(["kmeans"], {}, {"kmeans": {"n_init": 3}}, "cpu")
    method = build(spec, k=5, seed=4, device="cpu")
    assert method.get_params() == {
        **spec.params,
        "n_clusters": 5,
        "random_state": 4,
        "device": "cpu",
    }


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"kmeans": {"n_inti": 3}}, "did you mean n_init"),
        ({"kmeans": {"n_init": "3"}}, r"kmeans.n_init='3' is a str; wanted int"),
        ({"kmeans": {"n_init": 2.5}}, r"is a float; wanted int"),
        ({"kmeans": {"n_init": True}}, r"is a bool; wanted int"),
        ({"kmeans": {"spherical": 1}}, r"is a int; wanted bool"),
        ({"kmeans": {"scaling": None}}, r"wanted str"),
        ({"kmeans": {"n_clusters": 3}}, "use --k, --seeds and --device"),
        ({"temi": {}}, "'temi', which is not among the methods to run"),
        ({"kmean": {}}, "did you mean kmeans"),
    ],
)
def test_unusable_parameters_are_refused(params: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        settle(["kmeans"], {}, params, "cpu")


def test_none_and_whole_numbers_fit_where_the_method_says_so() -> None:
    assert params_of("kmeans", params={"kmeans": {"max_points_per_centroid": None}})
    assert params_of("kmeans", params={"kmeans": {"max_points_per_centroid": 256}})


def test_no_method_and_unknown_methods_are_refused() -> None:
    with pytest.raises(InputError, match="no method"):
        settle([], {}, {}, "cpu")
    with pytest.raises(InputError, match="did you mean kmeans"):
        settle(["kmeens"], {}, {}, "cpu")
