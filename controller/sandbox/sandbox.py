"""All regions of the sandboxed account: one world each, made when first asked for.

Neighbours: `transport` and `server` (route by region), `simulator` (one region).
"""

from controller.sandbox.simulator import Options, Simulator


class Sandbox:
    """The simulators of one account, by region. Every region begins with the same fleet."""

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self._regions: dict[str, Simulator] = {}

    def region(self, name: str, now: float) -> Simulator:
        """The simulator of a region, as old as its first call (`now`, epoch seconds)."""
        known = self._regions.get(name)
        if known is None:
            known = self._regions[name] = Simulator(region=name, now=now, options=self.options)
        return known

    def copy(self) -> "Sandbox":
        """An independent sandbox in the same state."""
        other = Sandbox(self.options)
        other._regions = {name: simulator.copy() for name, simulator in self._regions.items()}
        return other
