"""What the controller knows about Gaudi on DL1, and ECS does not.

    cards, visibility, lookalikes      which cards a container sees, and how that is said
    requirements, scaleout             what a task needs beside them, with reasons
    environment, image_rules, rules    what of a user's values cannot work
    image, references, catalogue       images, and what was ever published
    ports, demand, collisions          how two tasks are kept off one card
    instances, drivers, occupancy      the fleet: what is there, and who holds which card
    hosts, outlook, capacity, fleet    how a rollout would end on it
    symptoms, stops, smoke             why a task died; whether an instance works

All of it is pure. `docs/gaudi.md` says the same for users, with what is not known.
"""
