"""Each lesson stands in two languages and two frameworks: four notebooks."""

LANGUAGES = ("en", "es")
FRAMEWORKS = ("pytorch", "tensorflow")
FRAMEWORK_NAMES = {"pytorch": "PyTorch", "tensorflow": "TensorFlow"}
