from hypothesis import given
from hypothesis import strategies as st

from cleansemg.core.even_rows import first_to_last, starts_of_parts


@given(n=st.integers(1, 500), at_most=st.integers(1, 500))
def test_rows_are_distinct_rising_and_as_many_as_asked_for(n, at_most):
    for rule in (first_to_last, starts_of_parts):
        rows = rule(n, at_most).tolist()
        assert rows == sorted(set(rows))
        assert len(rows) == min(n, at_most)
        assert rows[0] == 0
        assert rows[-1] < n
        assert rule(n, None).tolist() == list(range(n))
    if at_most > 1:
        assert first_to_last(n, at_most)[-1] == n - 1
