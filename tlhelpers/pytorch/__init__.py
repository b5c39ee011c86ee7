"""The toolbox in PyTorch: what the lessons build in front of the learner. `tlhelpers.tensorflow` is its twin.

Every function here is shown, as this text, in the lesson that first needs it (docs/toolbox.md says which). Models are
plain `nn.Module`s. Import from the modules: `from tlhelpers.pytorch.training import fit`.
"""
