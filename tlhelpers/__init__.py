"""Helpers of a course on transfer learning in computer vision.

Neutral modules know numpy, Pillow, scikit-learn and matplotlib; `tlhelpers.pytorch` and `tlhelpers.tensorflow` hold
the tools that the lessons build in front of the learner. Importing this package imports none of them.
"""

__version__ = "0.1.0"
