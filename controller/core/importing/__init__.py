"""A live service, or what another tool has exported of one, as a spec that asks for exactly what is there."""
