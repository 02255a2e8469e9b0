"""Our signature is botocore's, whatever the request."""

from datetime import UTC, datetime
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from botocore.auth import SIGNED_HEADERS_BLACKLIST, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from controller.aws.sigv4 import UNSIGNED, Signer, host_of

TOKEN = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=12)
HEADERS = st.dictionaries(
    st.sampled_from(["X-Amz-Target", "Content-Type", "User-Agent", "X-Amzn-Trace-Id", "Accept", "x-amz-meta-b"]),
    st.text(st.characters(codec="ascii", exclude_categories=("C",)), max_size=30),
)
KEYS = st.builds(ReadOnlyCredentials, TOKEN, TOKEN, st.none() | TOKEN)
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)).map(lambda one: one.replace(tzinfo=UTC))  # noqa: DTZ001
HOSTS = st.sampled_from(["https://ecs.us-west-2.amazonaws.com/", "http://127.0.0.1:4599", "https://EXAMPLE.com:443/"])


def botocores(headers, body, url, keys, now):
    request = AWSRequest("POST", url, headers=headers, data=body)
    with patch("botocore.auth.get_current_datetime", lambda: now):
        SigV4Auth(keys, "ecs", "us-west-2").add_auth(request)
    return dict(request.headers)


@given(st.lists(st.tuples(HEADERS, st.binary(max_size=50), HOSTS, KEYS, TIMES), min_size=1, max_size=4))
def test_a_request_is_signed_as_botocore_signs_it(requests):
    """One signer for all of them: a key that it has kept is never that of another day or of other credentials."""
    signer = Signer("ecs", "us-west-2")
    for headers, body, url, keys, now in requests:
        ours = dict(headers)
        signer.sign(ours, body, host=host_of(url), keys=keys, now=now)
        assert ours == botocores(headers, body, url, keys, now)


def test_the_same_day_and_secret_are_one_key():
    keys, now = SimpleNamespace(access_key="A", secret_key="s", token=None), datetime(2026, 11, 25, 5, tzinfo=UTC)
    with patch("controller.aws.sigv4.hmac.digest", wraps=__import__("hmac").digest) as digest:
        signer = Signer("ecs", "us-west-2")
        for hour in range(5):
            signer.sign({}, b"{}", host="a", keys=keys, now=now.replace(hour=hour))
    assert digest.call_count == 4 + 5


def test_the_secret_is_in_no_repr():
    signer = Signer("ecs", "us-west-2")
    keys = ReadOnlyCredentials("AKIDEXAMPLE", "wJalrXUt", None)
    signer.sign({}, b"{}", host="a", keys=keys, now=datetime(2026, 11, 25, tzinfo=UTC))
    assert "wJalrXUt" not in repr(signer)


@pytest.mark.parametrize(
    "url",
    [
        "https://ecs.us-west-2.amazonaws.com/prefix/",
        "https://ecs.us-west-2.amazonaws.com/?a=b",
        "https://ecs.us-west-2.amazonaws.com/#a",
        "https://user:secret@ecs.us-west-2.amazonaws.com/",
        "http://[::1]:4599/",
        "ftp://ecs.us-west-2.amazonaws.com/",
        "nonsense",
    ],
)
def test_any_other_url_is_refused(url):
    assert host_of(url) is None


def test_what_is_left_out_of_a_signature_is_left_out_by_botocore_too():
    assert set(SIGNED_HEADERS_BLACKLIST) >= UNSIGNED
