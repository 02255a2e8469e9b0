"""The only rooms that speak to AWS: the client, the error table, the ECS gateway."""
