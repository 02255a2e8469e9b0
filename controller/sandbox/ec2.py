"""The little of EC2 that the sandbox's own machines need: DescribeInstances by id, with their private address.

Everything else of EC2 is moto's, which does not know these machines. Neighbours: `instances` (the machines), `server`
and `inprocess` (ask here first).
"""

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from controller.sandbox.wire import Wire
from controller.sandbox.world import Instance, World

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
_SIGNED = re.compile(r"Credential=[^/,\s]+/\d{8}/[a-z0-9-]+/ec2/")
_ID = re.compile(r"InstanceId\.\d+|Filter\.1\.Value\.\d+")


def is_ec2(headers: Mapping[str, str]) -> bool:
    """Whether a request was signed for EC2."""
    return bool(_SIGNED.search(headers.get("Authorization", "")))


def address_of(instance: Instance) -> str:
    """The private address of a machine, the same at any time."""
    low, high = sha256(instance.ec2_id.encode()).digest()[:2]
    return f"10.1.{high}.{low}"


def describe_instances(world: World, ids: Iterable[str]) -> Wire:
    """DescribeInstances filtered by id: the machines that there are, unknown ones left out."""
    by_id = {instance.ec2_id: instance for instance in world.instances.values()}
    found = [by_id[one] for one in ids if one in by_id]
    return {
        "Reservations": [
            {"Instances": [{"InstanceId": instance.ec2_id, "PrivateIpAddress": address_of(instance)}]}
            for instance in found
        ]
    }


def ids_of(params: Mapping[str, Any]) -> list[str]:
    """The ids that a DescribeInstances names, by `InstanceIds` or by the filter `instance-id`."""
    filters = [one["Values"] for one in params.get("Filters", ()) if one["Name"] == "instance-id"]
    return [*params.get("InstanceIds", ()), *(one for values in filters for one in values)]


def asked_for(body: bytes) -> list[str]:
    """The ids that a DescribeInstances on the wire names; empty where it is another request, or one about others."""
    form = dict(parse_qsl(body.decode(errors="replace")))
    if form.get("Action") != "DescribeInstances" or form.get("Filter.1.Name", "instance-id") != "instance-id":
        return []
    return [value for name, value in form.items() if _ID.fullmatch(name)]


def on_the_wire(answer: Wire, *, request_id: str) -> bytes:
    """The XML of a DescribeInstances."""
    items = "".join(
        "<item><instancesSet>"
        + "".join(
            f"<item><instanceId>{escape(machine['InstanceId'])}</instanceId>"
            f"<privateIpAddress>{escape(machine['PrivateIpAddress'])}</privateIpAddress></item>"
            for machine in reservation["Instances"]
        )
        + "</instancesSet></item>"
        for reservation in answer["Reservations"]
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><DescribeInstancesResponse xmlns="{NAMESPACE}">'
        f"<requestId>{request_id}</requestId><reservationSet>{items}</reservationSet></DescribeInstancesResponse>"
    ).encode()
