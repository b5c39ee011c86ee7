"""The toolbox in TensorFlow: what the lessons build in front of the learner. `tlhelpers.pytorch` is its twin.

Every function here is shown, as this text, in the lesson that first needs it (docs/toolbox.md says which). Models are
plain `keras.Model`s. Import from the modules: `from tlhelpers.tensorflow.training import fit`.
"""
