"""Lines of an export are cut into the same columns by the compiled function and the other, and nothing gets lost."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.imports.influxdb1_lines import Cut, cut, cut_in_python

PREFIX = b"m,t=a value="
NOW = 1_795_501_276_000_000_000
# Both ways there are; where the compiled one was not built, it is the other one twice.
both = pytest.mark.parametrize("cut", [cut_in_python, cut])

plain = st.sampled_from([b"1", b"20.5", b"2i", b'"on"', b'"a \\" b"', b'"a\\\\"', b'""', b"t"])
odd = st.sampled_from([b"", b'"', b'"open', b'"a\\"', b"a\x00b", b'"\x00"', b"1 2"])
times = st.sampled_from([str(NOW + n).encode() for n in range(3)] + [b"9223372036854775806", b"1" * 19])
odd_times = st.sampled_from([b"0", b"-1", b"9223372036854775807", b"9" * 19, b"179550127600000000x", b"1" * 20, b""])
lines = st.builds(
    lambda prefix, value, time: prefix + value + b" " + time,
    st.sampled_from([PREFIX] * 9 + [b"m,t=b value=", b"m,t=a other="]),
    st.one_of(plain, plain, plain, odd),
    st.one_of(times, times, times, odd_times),
)


@given(st.lists(st.one_of(lines, st.binary(max_size=40).map(lambda text: text.replace(b"\n", b"")))))
def test_both_ways_cut_the_same(found: list[bytes]) -> None:
    block = b"".join(line + b"\n" for line in found)
    at = 0
    while at < len(block):
        assert cut(block, PREFIX, at) == cut_in_python(block, PREFIX, at)
        at = block.index(b"\n", at) + 1


@both
def test_a_run_ends_at_the_first_line_that_is_not_plain(cut: Cut) -> None:
    values = [b"1", b"1", b"2", b'"x"']
    run = b"".join(PREFIX + value + b" %d\n" % (NOW + n) for n, value in enumerate(values))
    packed = array("q", [NOW, NOW + 1, NOW + 2, NOW + 3]).tobytes()
    for rest in (
        b"",
        b"m,t=b value=1 %d\n" % (NOW + 9),
        PREFIX + b"1 %d\n" % (NOW - 1),
        PREFIX + b'"two\nlines" %d\n' % (NOW + 9),
        PREFIX + b"1\n",
    ):
        assert cut(b"#\n" + run + rest, PREFIX, 2) == (2 + len(run), packed, values)
    same = b"".join(PREFIX + b"5 %d\n" % (NOW + n) for n in range(3000))
    assert cut(same, PREFIX, 0) == (len(same), array("q", range(NOW, NOW + 3000)).tobytes(), [b"5"])
    assert cut(b"other\n", PREFIX, 0) == (0, b"", [])
