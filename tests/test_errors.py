import numpy as np
import pytest

from t2t.aborting import formatted
from t2t.errors import UserError, described


def raised(call):
    with pytest.raises(Exception) as info:
        call()
    return info.value


def test_the_place_is_in_code_of_the_users():
    def divide():
        return np.vectorize(lambda x: x // 0)(1.5, 2)

    line = divide.__code__.co_firstlineno + 1
    assert described(raised(divide)).endswith(f"({__file__}, line {line})")


def test_a_user_error_goes_without_its_type():
    def fail():
        raise UserError("No 'x'.")

    assert described(raised(fail)).startswith("No 'x'. (")


def test_without_a_place_there_is_only_the_error():
    assert described(KeyError("x")) == "KeyError: 'x'"


def test_commands_to_copy_are_not_broken_over_lines():
    command = f'`python -c "import a as b; {"c " * 60}"`'
    lines = formatted(f"{'word ' * 20}Prepare it with {command}, or {'else ' * 20}").splitlines()
    assert [line for line in lines if len(line) > 100] == [f"{command},"]
    assert "\0" not in "".join(lines)
