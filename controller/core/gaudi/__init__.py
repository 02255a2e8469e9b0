"""What the controller knows about Gaudi on DL1, and ECS does not: cards, what they need, how they are kept apart."""
