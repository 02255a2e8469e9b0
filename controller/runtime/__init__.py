"""A keyed work queue and the workers that empty it: the machine of controller-runtime, free of any domain."""
