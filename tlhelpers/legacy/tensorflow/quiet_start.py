"""Import TensorFlow without its notes on stderr."""

from tlhelpers.quiet import import_tensorflow

import_tensorflow()
