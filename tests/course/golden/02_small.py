# %% [markdown] lang="en"
# # A small lesson in {Framework}
#
# **{Framework}** · about 1 minute
#
# It shows what it uses. After this lesson you can
#
# {map}

# %% [markdown] lang="es"
# # Una lección pequeña en {Framework}
#
# **{Framework}** · 1 minuto
#
# Enseña lo que usa. Al terminar podrá
#
# {map}

# %% tags=["parameters"]
SEED = 0
DATASET = "drawn_pets"
BACKBONE = "mini_resnet"
IMAGE_SIZE = 64  # pixels
STARTS = [8.0, 16.0]

# %%
import functools
import math

# %% framework="pytorch" shows="tlhelpers.pytorch.training.STEPS, tlhelpers.pytorch.training.RATE" tags=["folded"]

# %% framework="tensorflow"
STEPS = 3

# %% framework="pytorch" shows="tlhelpers.pytorch.training.step tlhelpers.pytorch.training.fit"
losses = fit(STARTS[0])

# %% framework="tensorflow" shows="tlhelpers.tensorflow.training.fit"
losses = fit(STARTS[0], STEPS)

# %% shows="tlhelpers.metrics.share"

# %%
print(words["last"], losses[-1], FRAMEWORK, LANGUAGE)

# %%
claim("falls", 100 * share(losses[-1], losses[0]))

# %% tags=["solution"]
print("solved")

# %%
for name in ("first", "last"):
    print(words[name])
