"""A bare ECS endpoint with prebuilt answers, in a process of its own: what is measured is the client.

Run as `python -m benchmarks.endpoint COUNT steady|troubled`; prints its URL. Answers DescribeServices, ListServices and
DescribeTaskDefinition of a fleet, and nothing else; to `Calls` how often each of them was asked since the last time.
"""

import asyncio
import json
import sys
from collections import Counter
from urllib.parse import urlsplit

from benchmarks.fleet import answers, desired, name_of

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nx-amzn-RequestId: 0\r\nContent-Length: "
PAGE = 100


class Endpoint:
    """The fleet's answers as bytes."""

    def __init__(self, count: int, *, troubled: bool) -> None:
        self.services: dict[str, bytes] = {}
        self.revisions: dict[str, bytes] = {}
        self.arns: list[str] = []
        self.calls: Counter[str] = Counter()
        rendered = list(desired(count).rendered.values())
        first = rendered[0]
        name = first.create["serviceName"]
        text = answers(first, troubled=troubled)
        for number, one in enumerate(rendered):
            assert one.create["serviceName"] == name_of(number)
            service = text.service
            for key, value in first.tags.items():
                service = service.replace(_tag(key, value), _tag(key, one.tags[key]))
            service = service.replace(name, name_of(number))
            revision = text.revision.replace(name, name_of(number))
            self.services[name_of(number)] = service.encode()
            arn = json.loads(service)["taskDefinition"]
            self.revisions[arn] = revision.encode()
            self.arns.append(json.loads(service)["serviceArn"])

    def answer(self, operation: str, body: bytes) -> bytes:
        """The body of one answer."""
        params = json.loads(body)
        if operation == "Calls":
            told, self.calls = self.calls, Counter()
            return json.dumps(told).encode()
        self.calls[operation] += 1
        match operation:
            case "DescribeServices":
                names = (one.rpartition("/")[2] for one in params["services"])
                return b'{"services":[' + b",".join(self.services[name] for name in names) + b'],"failures":[]}'
            case "ListServices":
                start = int(params.get("nextToken", 0))
                page: dict[str, object] = {"serviceArns": self.arns[start : start + PAGE]}
                if start + PAGE < len(self.arns):
                    page["nextToken"] = str(start + PAGE)
                return json.dumps(page).encode()
            case "DescribeTaskDefinition":
                return self.revisions[params["taskDefinition"]]
            case _:
                raise ValueError(operation)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
                lowered = {name.lower(): value for name, value in headers.items()}
                body = await reader.readexactly(int(lowered.get(b"content-length", 0)))
                operation = lowered[b"x-amz-target"].decode().rpartition(".")[2]
                answer = self.answer(operation, body)
                writer.write(_HEAD + str(len(answer)).encode() + b"\r\n\r\n" + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def _tag(key: str, value: str) -> str:
    """A tag as it stands in an answer."""
    return json.dumps({"key": key, "value": value}, separators=(",", ":"))


async def main(count: int, *, troubled: bool) -> None:
    """Serve until killed."""
    endpoint = Endpoint(count, troubled=troubled)
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    url = f"http://{host}:{port}"
    assert urlsplit(url).port
    print(url, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), troubled=sys.argv[2] == "troubled"))
