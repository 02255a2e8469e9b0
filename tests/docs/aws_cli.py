"""The AWS CLI as far as the pages type it: `aws SERVICE OPERATION --member value`, and a few of `aws s3`.

The real one pins a botocore of its own, which the lock cannot hold beside ours. Members, their types and the answers
are botocore's. Neighbour: `session`, which calls this `aws`.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

import jmespath
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.session import Session

_GLOBAL: Final = ("--query", "--output", "--region", "--cli-input-json")


def main(words: list[str]) -> int:
    """Run one command line; its exit code."""
    service, name, *arguments = words
    flags = _flags(arguments)
    session = Session()
    try:
        if service == "s3":
            return _s3(session.create_client("s3", region_name=flags.get("--region", [None])[0]), name, arguments)
        client = session.create_client(service.removesuffix("api"), region_name=flags.get("--region", [None])[0])
        operation = next(one for one in client.meta.service_model.operation_names if xform_name(one, "-") == name)
        members = client.meta.service_model.operation_model(operation).input_shape.members
        request: dict[str, Any] = json.loads(_text(flags.get("--cli-input-json", ["{}"])[0]))
        for flag, values in flags.items():
            if flag not in _GLOBAL:
                member, negated = _member(members, flag)
                request[member] = not negated if not values else _value(members[member], values)
        answer = getattr(client, xform_name(operation))(**request)
    except ClientError as error:
        print(f"\nAn error occurred: {error}", file=sys.stderr)
        return 254
    answer.pop("ResponseMetadata", None)
    found = jmespath.search(flags["--query"][0], answer) if "--query" in flags else answer
    if flags.get("--output") == ["text"]:
        print("\t".join(map(str, found)) if isinstance(found, list) else found)
    elif found not in ({}, None):
        print(json.dumps(found, indent=4, default=str))
    return 0


def _flags(words: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            found[word] = []
        elif found:
            list(found.values())[-1].append(word)
    return found


def _member(members: dict[str, Shape], flag: str) -> tuple[str, bool]:
    for negated, prefix in ((False, "--"), (True, "--no-")):
        for name in members:
            if prefix + xform_name(name, "-") == flag:
                return name, negated
    raise SystemExit(f"aws: unknown option {flag}")


def _value(shape: Shape, words: list[str]) -> Any:
    text = _text(words[0])
    if text[:1] in "[{" and isinstance(shape, ListShape | StructureShape | MapShape):
        return json.loads(text)
    match shape:
        case ListShape():
            return [_value(shape.member, [word]) for word in words]
        case StructureShape():
            pairs = (part.split("=", 1) for part in text.split(","))
            return {name: _value(shape.members[name], [value]) for name, value in pairs}
        case MapShape():
            return dict(part.split("=", 1) for part in text.split(","))
    match shape.type_name:
        case "integer" | "long":
            return int(text)
        case "boolean":
            return text == "true"
        case "blob":
            return text.encode()
        case _:
            return text


def _text(word: str) -> str:
    return Path(word.removeprefix("file://")).read_text() if word.startswith("file://") else word


def _s3(client: Any, verb: str, arguments: list[str]) -> int:
    places = [word for word in arguments if not word.startswith("--")]
    match verb, places:
        case "mb", [bucket]:
            region = client.meta.region_name
            where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            client.create_bucket(Bucket=bucket.removeprefix("s3://"), **where)
            print(f"make_bucket: {bucket.removeprefix('s3://')}")
        case "cp", [file, to]:
            bucket, key = _place(to)
            key = key + Path(file).name if not key or key.endswith("/") else key
            client.put_object(Bucket=bucket, Key=key, Body=Path(file).read_bytes())
            print(f"upload: ./{file} to s3://{bucket}/{key}")
        case "sync", [folder, to]:
            bucket, prefix = _place(to.rstrip("/") + "/")
            files = {prefix + str(one.relative_to(folder)): one for one in Path(folder).rglob("*") if one.is_file()}
            there = {
                one["Key"]: one["ETag"].strip('"')
                for one in client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
            }
            for key in sorted(there.keys() - files.keys() if "--delete" in arguments else ()):
                client.delete_object(Bucket=bucket, Key=key)
                print(f"delete: s3://{bucket}/{key}")
            for key, file in sorted(files.items()):
                client.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
                print(f"upload: {file} to s3://{bucket}/{key}")
        case "rm", [place]:
            bucket, key = _place(place)
            client.delete_object(Bucket=bucket, Key=key)
            print(f"delete: {place}")
        case _:
            raise SystemExit(f"aws: s3 {verb} is not spoken here")
    return 0


def _place(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
