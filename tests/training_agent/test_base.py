from __future__ import annotations

import pytest

from nascli.errors import UsageError
from nascli.search_space.tiny import Tiny
from nascli.training_agent.base import check_images

from .helpers import flow, tiny


def test_images_that_fit_the_space_are_taken() -> None:
    check_images(tiny(), flow())
    with pytest.raises(UsageError):
        check_images(tiny(), flow(classes=5))


@pytest.mark.parametrize("space", [Tiny(Tiny.Config(input_shape=(1, 8, 8), classes=4)), Tiny(Tiny.Config(classes=5))])
def test_images_of_another_shape_or_other_classes_are_refused(space: Tiny) -> None:
    with pytest.raises(UsageError, match="the search space expects images") as caught:
        check_images(space, flow())
    assert caught.value.hint == (
        "set search_space.input_shape: [3, 8, 8] and classes: 4; or name other data: --dataflow or -c"
    )
