# %% [markdown] lang="en"
# # A tiny lesson in {Framework}
#
# Its data are $D = \{X, P(X)\}$.

# %% [markdown] lang="es"
# # Una lección mínima en {Framework}
#
# Sus datos son $D = \{X, P(X)\}$.

# %%
# %matplotlib inline
from tlhelpers.claims import lesson_claims, record_result

# %% tags=["parameters"]
LANGUAGE = "en"  # the language of figure labels: "en" or "es"
SEED = 0
DATASET = "drawn_pets"
BACKBONE = "mini_resnet"
IMAGE_SIZE = 64  # pixels

# %%
FRAMEWORK = "pytorch"

# %% [markdown] lang="en" framework="pytorch"
# A module in [PyTorch](01_tiny_{framework}.ipynb).

# %% [markdown] lang="en" framework="tensorflow"
# A layer in [TensorFlow](01_tiny_{framework}.ipynb).

# %% [markdown] lang="es" framework="pytorch"
# Un módulo en [PyTorch](01_tiny_{framework}.ipynb).

# %% [markdown] lang="es" framework="tensorflow"
# Una capa en [TensorFlow](01_tiny_{framework}.ipynb).

# %% framework="pytorch"
accuracy = 0.90625

# %% framework="tensorflow"
accuracy = 0.9125

# %% tags=["NBVAL_CHECK_OUTPUT"]
print(f"{FRAMEWORK} in {LANGUAGE}, seed {SEED}, {IMAGE_SIZE} px")

# %%
said = {"en": "The frozen network tells cats from dogs.", "es": "La red congelada distingue gatos de perros."}
claim = lesson_claims({"accuracy": said | {"at_least": 0.9}}, LANGUAGE, asserted=True)
claim("accuracy", accuracy)
for method in ("frozen", "scratch"):
    record_result("accuracy", method=method, accuracy=accuracy, low=0.85, high=0.95, data=DATASET, backbone=BACKBONE)

# %%
2 + SEED

# %%
2 + SEED
