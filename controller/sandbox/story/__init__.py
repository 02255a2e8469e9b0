"""The specs of the demo, as files of the package."""
