"""A shorter way through the SDK for reads of ECS, which are most of what a controller does.

Describing ten services costs aiobotocore more than signing, sending and decoding them: a dozen events, two objects for
each request, a signature from nothing, response objects, a walk over the output shape, a look at whether to retry. A
handler of `before-call` may answer a call instead (botocore's own Stubber works so). By then the SDK has checked the
parameters, found the endpoint and written the request; here it is signed with the SDK's credentials, offered to
`before-send` like any other, and sent through the SDK's own HTTP session, with its proxies, certificates, timeouts and
errors. An error is read by botocore's parser.

Refused, and so left to the SDK's own way: writes, whose last check hangs on `before-send` and which are few; clients
that retry, because the retries are part of what is left out; and whatever is not plain Signature Version 4 to the root
of a host. Neighbours: `client` (puts it there), `sigv4` (signs).
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.parsers import AioResponseParserFactory
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest
from botocore.hooks import first_non_none_response

from controller.aws.sigv4 import Signer, host_of

V4: Final = "v4"


@dataclass(slots=True, eq=False)
class FastPath:
    """A handler of `before-call` on one client.

    `reads` says which operations may go this way, `decoded` makes the answer of one from the body of a good response
    (and raises where it is none), `client` is the one on which it is registered.
    """

    client: Any
    reads: Callable[[str], bool]
    decoded: Callable[[Any, bytes], dict[str, Any]]
    _signer: Signer | None = None
    _host: tuple[str, str | None] = ("", None)
    """The last URL and the host to sign for; None where its requests are not signed here."""
    _parsers: AioResponseParserFactory = field(default_factory=AioResponseParserFactory)

    def register(self) -> None:
        """Answer the client's reads from now on. Last of all handlers: those before it write the request."""
        self.client.meta.events.register_last("before-call", self)

    async def __call__(
        self, *, model: Any, params: dict[str, Any], request_signer: Any, context: dict[str, Any], **_: Any
    ) -> tuple[Any, dict[str, Any]] | None:
        """The HTTP response and the answer of a read; None leaves the call to the SDK.

        Raises:
            BotoCoreError: as the SDK's own way would.
        """
        if not self.reads(model.name) or not self._is_plain(request_signer, context):
            return None
        url, body = params["url"], params["body"]
        headers: Any = dict(params["headers"])  # spelt as botocore spells them, without its slower mapping
        host = self._host_of(url)
        if host is None:
            return None
        auth = await request_signer.get_auth_instance(
            request_signer.signing_name, request_signer.region_name, signature_version=V4
        )
        if type(auth) is not SigV4Auth or auth.credentials is None:
            return None
        self._sign(headers, body, host, auth.credentials, request_signer)
        return await self._send(model, AWSPreparedRequest(params["method"], url, headers, body, False, context))

    def _is_plain(self, signer: Any, context: dict[str, Any]) -> bool:
        """Whether nothing asks for another signature than the client's, and that is version 4."""
        return (
            context.get("auth_type") in (None, V4)
            and "signing" not in context
            and signer.signature_version == V4
            and not self.client.meta.config.auth_scheme_preference
        )

    def _host_of(self, url: str) -> str | None:
        if self._host[0] != url:
            self._host = (url, host_of(url))
        return self._host[1]

    def _sign(self, headers: dict[str, str], body: bytes, host: str, keys: Any, request_signer: Any) -> None:
        signer = self._signer
        if signer is None:
            signer = self._signer = Signer(request_signer.signing_name, request_signer.region_name)
        signer.sign(headers, body, host=host, keys=keys, now=datetime.now(UTC))
        headers["amz-sdk-invocation-id"] = str(uuid.uuid4())
        headers["amz-sdk-request"] = "attempt=1"

    async def _send(self, model: Any, request: AWSPreparedRequest) -> tuple[Any, dict[str, Any]]:
        service = model.service_model.service_id.hyphenize()
        responses = await self.client.meta.events.emit(f"before-send.{service}.{model.name}", request=request)
        response = first_non_none_response(responses)
        if response is None:
            response = await self.client._endpoint.http_session.send(request)  # noqa: SLF001 - pinned by a test
        body = await response.content
        if response.status_code == 200:
            return response, self.decoded(model, body)
        return response, await self._parsed(model, response, body)

    async def _parsed(self, model: Any, response: AioAWSResponse, body: bytes) -> dict[str, Any]:
        """What botocore makes of any other answer, with the members that the error's own shape adds."""
        found = {
            "headers": response.headers,
            "status_code": response.status_code,
            "body": body,
            "context": {"operation_name": model.name},
        }
        parser = self._parsers.create_parser(model.service_model.resolved_protocol)
        parsed: dict[str, Any] = await parser.parse(found, model.output_shape)
        code = parsed.get("Error", {}).get("Code")
        shape = model.service_model.shape_for_error_code(code) if code is not None else None
        if shape is not None and response.status_code >= 300:
            parsed.update(await parser.parse(found, shape))
        return parsed
