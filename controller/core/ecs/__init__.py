"""The ECS API as data: the shapes that a spec may use, taken from botocore by `controller.aws.model`."""
