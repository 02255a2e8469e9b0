"""What `-s` may name, and what it may not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.errors import Usage
from controller.sources.uri import GitLocation, S3Location, locate


@pytest.mark.parametrize("text", ["specs", "/srv/specs/", "./a.yaml", "C:specs", "a@b//c", "-s"])
def test_a_path(text):
    assert locate(text) == Path(text)


@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [
        ("s3://specs", "specs", ""),
        ("s3://specs/", "specs", ""),
        ("s3://specs/prod", "specs", "prod/"),
        ("s3://specs/prod/", "specs", "prod/"),
        ("s3://specs/a/b/", "specs", "a/b/"),
        ("s3://specs/a b/ü", "specs", "a b/ü/"),
        ("s3://my.bucket-1/prod/bert.yaml", "my.bucket-1", "prod/bert.yaml"),
    ],
)
def test_an_s3_prefix_is_a_folder(text, bucket, prefix):
    assert locate(text) == S3Location(bucket, prefix)


def test_an_s3_location_says_itself():
    assert S3Location("specs", "prod/").uri == "s3://specs/prod"
    assert S3Location("specs").uri == "s3://specs"
    assert not S3Location("specs", "prod/").is_object
    assert S3Location("specs", "prod/a.yml").is_object


@pytest.mark.parametrize(
    "text",
    ["s3://", "s3:///x", "s3://Bucket/x", "s3://b", "s3://a_b/x", "s3://spe cs", "s3://specs//x", "s3://specs/../x"],
)
def test_what_is_no_s3_prefix(text):
    with pytest.raises(Usage):
        locate(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("git+https://github.com/org/repo", GitLocation("https", "github.com/org/repo")),
        ("git+https://github.com/org/repo.git@main", GitLocation("https", "github.com/org/repo.git", "main")),
        (
            "git+https://host:8443/org/repo.git@main//specs/prod",
            GitLocation("https", "host:8443/org/repo.git", "main", "specs/prod"),
        ),
        ("git+https://host/repo//specs/", GitLocation("https", "host/repo", None, "specs")),
        ("git+https://host/repo@feature/x//specs", GitLocation("https", "host/repo", "feature/x", "specs")),
        ("git+https://host/repo@refs/pull/7/head", GitLocation("https", "host/repo", "refs/pull/7/head")),
        ("git+ssh://git@host/org/repo@v1", GitLocation("ssh", "git@host/org/repo", "v1")),
        ("git+ssh://git@[::1]:22/repo", GitLocation("ssh", "git@[::1]:22/repo")),
        ("git+file:///srv/repo.git@main//specs", GitLocation("file", "/srv/repo.git", "main", "specs")),
        ("git+https://host/repo@pkg@1.2//specs", GitLocation("https", "host/repo", "pkg@1.2", "specs")),
        ("git+file:///srv/a%40b", GitLocation("file", "/srv/a%40b")),
        ("git+https://host/repo@v1//a@b.yaml", GitLocation("https", "host/repo", "v1", "a@b.yaml")),
    ],
)
def test_a_git_repository(text, expected):
    found = locate(text)
    assert found == expected
    assert found.uri == text.rstrip("/")


def test_a_password_is_kept_apart_from_the_address():
    found = locate("git+https://robot:s3cr%40t@host/repo@main//specs")
    assert found.credentials == "robot:s3cr@t"
    assert found.url == "https://host/repo"
    assert found.uri == "git+https://host/repo@main//specs"
    assert "s3cr" not in repr(found)


def test_a_token_alone_is_a_user():
    assert locate("git+https://t0ken@host/repo").credentials == "t0ken:"


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/org/repo",  # not said to be git
        "ftp://host/x",
        "git+http://host/repo",
        "git+git://host/repo",
        "git+ext::sh -c id",
        "git+ext://sh -c id",
        "git+fd://17/foo",
        "git+https://",
        "git+https://host",
        "git+https://host/",
        "git+https://host//folder",
        "git+https:///repo",
        "git+https://-oProxyCommand=id/repo",
        "git+ssh://-oProxyCommand=id/repo",
        "git+ssh://-l@host/repo",
        "git+ssh://git:password@host/repo",
        "git+ssh://git@github.com:org/repo",
        "git+file://elsewhere/srv/repo",
        "git+file://root@/srv/repo",
        "git+https://host/repo@",
        "git+https://host/repo@--upload-pack=id",
        "git+https://host/repo@-x",
        "git+https://host/repo@a..b",
        "git+https://host/repo@a~1",
        "git+https://host/repo@a:b",
        "git+https://host/repo@refs/heads/*",
        "git+https://host/repo@x.lock",
        "git+https://host/repo@@{u}",
        "git+https://host/repo@@",
        "git+https://host/repo//../etc",
        "git+https://host/repo//a//b",
        "git+https://host/repo?x=1",
        "git+https://host/repo#main",
        "git+https://host/re po",
        "git+https://host/repo\n",
        "git+https://host/repo\x1b[2J",
    ],
)
def test_what_is_no_git_repository(text):
    with pytest.raises(Usage):
        locate(text)


@pytest.mark.parametrize(
    "text",
    [
        "git+http://robot:hunter22@host/repo",
        "git+https://robot:hunter22@host/repo?x",
        "git+https://robot:hunter22@-host/repo",
        "git+https://robot:hunter22@host/repo@a..b",
        "git+ssh://robot:hunter22@host/repo",
        "git+http://robot:hunt/er22@host/repo",
        "http://robot:hunter22@host/repo",
    ],
)
def test_no_message_holds_a_password(text):
    with pytest.raises(Usage) as raised:
        locate(text)
    assert "hunter22" not in str(raised.value)
    assert "er22" not in str(raised.value)


@given(st.text(), st.sampled_from(["", "s3://", "git+https://", "git+ssh://", "git+file:///", "git+"]))
def test_any_text_is_a_location_or_a_usage_error(text, start):
    try:
        found = locate(start + text)
    except Usage:
        return
    if isinstance(found, GitLocation):
        assert found.url.startswith(("https://", "ssh://", "file:///"))
        assert not found.address.startswith("-")
        assert not (found.ref or "").startswith("-")
        assert ".." not in found.folder.split("/")
        again = locate(found.uri)
        assert again == GitLocation(found.protocol, found.address, found.ref, found.folder)
