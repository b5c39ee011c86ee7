# %% [markdown] lang="en"
# # Fine-tuning: how much to change, how fast, and at what price
#
# **{Framework}** · about 60 minutes · before this: [01 Cats and dogs](01_cats_vs_dogs_{framework}.ipynb).
#
# Fine-tuning changes a network that already knows something. After this lesson you can
#
# - choose how much of a network to train, from its head alone to all of it, and say what each choice costs;
# - find a **learning rate** by a test, and recognise one that is ten times too high;
# - measure what a network **forgets** when it learns something new, and reduce it in five ways;
# - decide what BatchNorm should do during fine-tuning;
# - say when the usual rules hold, and find a case where transfer does harm.

# %% [markdown] lang="es"
# # Ajuste fino: cuánto cambiar, a qué velocidad y a qué precio
#
# **{Framework}** · unos 60 minutos · antes: [01 Gatos y perros](01_cats_vs_dogs_{framework}.ipynb).
#
# El ajuste fino cambia una red que ya sabe algo. Al terminar esta lección podrá
#
# - elegir qué parte de una red entrenar, desde solo la cabeza hasta toda ella, y decir qué cuesta cada opción;
# - encontrar una **tasa de aprendizaje** mediante una prueba, y reconocer la que es diez veces demasiado alta;
# - medir lo que una red **olvida** al aprender algo nuevo, y reducirlo de cinco maneras;
# - decidir qué debe hacer BatchNorm durante el ajuste fino;
# - decir cuándo se cumplen las reglas habituales y encontrar un caso en que transferir perjudica.

# %% tags=["parameters"]
LANGUAGE = "en"  # of the figures: "en" or "es"
SEED = 0
DATASET = "drawn_pets_breeds"  # the new task; or "cats_vs_dogs", "oxford_pets_breeds", a folder of your own
STYLE = "sketch"  # of drawn pictures: "photo", "sketch" or "night"
BACKBONE = "mini_resnet_narrow"  # half as wide as mini_resnet and about three times as fast: we train it many times
IMAGE_SIZE = 48  # side of the images, in pixels; less than the 64 of the backbone's training, again for speed
LABELS_A_CLASS = 4  # labelled images of each class of the new task
SEEDS = 2  # how often each way of training is repeated
EPOCHS = 5  # passes over the new images
SCRATCH_EPOCHS = 8  # the same from scratch
LEARNING_RATE = 1e-3
BATCH_SIZE = 8
TEST_IMAGES = 192  # images of the new task that are tested
OLD_IMAGES = 320  # pictures from which the network learns the old task
GRID_SIZE = 32  # side of the images of the large tables, in pixels: many runs, so small images
NEGATIVE_SEEDS = 3  # repetitions for the case where transfer does harm

# %% [markdown] lang="en"
# ## What do you expect?

# %% [markdown] lang="es"
# ## ¿Qué espera usted?

# %%
# %matplotlib inline
import time
from functools import partial

import numpy as np

from tlhelpers import plots
from tlhelpers.legacy import metrics as evaluation
from tlhelpers.legacy import fine_tuning_plots as figures
from tlhelpers.claims import claim
from tlhelpers.data.datasets import load_splits
from tlhelpers.drawn_pets import BREEDS, draw_pets
from tlhelpers.quiz import show_quiz
from tlhelpers.legacy.similarity import linear_cka
from tlhelpers.legacy.training import discriminative_rates, learning_rate
from tlhelpers.widgets import explore

ENGLISH = LANGUAGE == "en"
POINTS = "points" if ENGLISH else "puntos"  # differences of percentages
DEFAULT = BACKBONE == "mini_resnet_narrow" and DATASET == "drawn_pets_breeds" and STYLE == "sketch"
claim_here = partial(claim, language=LANGUAGE, asserted=DEFAULT)  # the bounds hold for these tasks
show_quiz("03_fine_tuning/before", LANGUAGE)

# %% framework="pytorch"
from tlhelpers.legacy.pytorch import (
    build_classifier,
    build_head,
    count_parameters,
    extract_features,
    fit,
    freeze,
    load_backbone,
    predict_proba,
    set_seed,
    unfreeze,
)
from tlhelpers.legacy.pytorch.classifiers import get_weights, set_weights
from tlhelpers.legacy.pytorch.inspection import layer_features
from tlhelpers.legacy.pytorch.rate_test import rate_range_test

LAST_LAYERS = {"mobilenet": "blocks.4", "resnet18": "layer4", "resnet50": "layer4"}
CLASS_AXIS = 0  # PyTorch keeps the weights of a linear layer as (classes, features)

# %% framework="tensorflow"
from tlhelpers.legacy.tensorflow import (
    build_classifier,
    build_head,
    count_parameters,
    extract_features,
    fit,
    freeze,
    load_backbone,
    predict_proba,
    set_seed,
    unfreeze,
)
from tlhelpers.legacy.tensorflow.classifiers import get_weights, set_weights
from tlhelpers.legacy.tensorflow.inspection import layer_features
from tlhelpers.legacy.tensorflow.rate_test import rate_range_test

LAST_LAYERS = {"mobilenet": "conv_dw_12", "resnet50": "conv5_block1_1_conv"}
CLASS_AXIS = 1  # Keras keeps the weights of a dense layer as (features, classes)

# %% [markdown] lang="en"
# ## 1. An old task and a new one
#
# Our network has a job already: it names the breed of an animal in a photo. That is the **old task**. We teach it with
# many labelled pictures, on the frozen features of a pretrained [backbone](../../docs/glossary.md#backbone), as in
# lesson 01.
#
# Then a **new task** comes: the same breeds in pencil sketches, with only a few labels of each. Everything in sections
# 2 to 5 is about this step, from the old task to the new one. We always ask two questions: how good is the network at
# the new task, and how good is it *still* at the old one?

# %% [markdown] lang="es"
# ## 1. Una tarea antigua y otra nueva
#
# Nuestra red ya tiene un trabajo: decir la raza de un animal en una foto. Esa es la **tarea antigua**. Se la enseñamos
# con muchas imágenes etiquetadas, sobre las características congeladas de una
# [red base](../../docs/glosario.md#red-base) preentrenada, como en la lección 01.
#
# Después llega una **tarea nueva**: las mismas razas en bocetos a lápiz, con solo unas pocas etiquetas de cada una.
# Las secciones 2 a 5 tratan de este paso, de la tarea antigua a la nueva. Siempre haremos dos preguntas: ¿qué tal
# resuelve la red la tarea nueva, y qué tal resuelve *todavía* la antigua?

# %%
style = {"style": STYLE} if DATASET.startswith("drawn_pets") else {}
data = load_splits(DATASET, image_size=IMAGE_SIZE, seed=SEED, val_fraction=0.1, progress=False, **style)
test = data.test.per_class(max(1, TEST_IMAGES // len(data.test.class_names)), seed=SEED)
num_classes = len(test.class_names)
old = draw_pets(OLD_IMAGES + 160, seed=SEED + 500, size=IMAGE_SIZE)
old_images, old_labels = old.images[OLD_IMAGES:], old.breeds[OLD_IMAGES:]  # the test of the old task

backbone = load_backbone(BACKBONE, image_size=IMAGE_SIZE)
print(backbone)
old_features = extract_features(backbone, old.images, progress=False)
set_seed(SEED)
old_head = build_head(backbone.feature_size, len(BREEDS))
fit(old_head, old_features[:OLD_IMAGES], old.breeds[:OLD_IMAGES], epochs=30, lr=3e-3, weight_decay=1e-2, progress=False)
old_before = evaluation.accuracy(old_labels, predict_proba(old_head, old_features[OLD_IMAGES:]))
print(("Old task, before: " if ENGLISH else "Tarea antigua, antes: ") + f"{old_before:.1%}")

# %%
axes = plots.show_images(
    np.concatenate([old_images[:6], data.train.per_class(1, seed=SEED).images[:6]]), columns=6, side=1.2
)

# %% [markdown] lang="en"
# *Above, six pictures of the old task. Below, six of the new one.*
#
# ## 2. How much of the network should learn?
#
# There is a ladder, from the least to the most:
#
# - **frozen**: only a new [head](../../docs/glossary.md#head) learns, on features computed once
#   ([feature extraction](../../docs/glossary.md#feature-extraction));
# - **last stage**: the last group of layers learns too (partial
#   [fine-tuning](../../docs/glossary.md#fine-tuning));
# - **gradual** ([gradual unfreezing](../../docs/glossary.md#gradual-unfreezing)): first the last stage, then one stage
#   more at a time (Howard and Ruder, 2018);
# - **whole network**: every layer learns;
# - **from scratch**: every layer learns, and starts from random weights.
#
# All but the last start from the same trained head. Each is repeated with several
# [seeds](../../docs/glossary.md#seed), and each seed draws other labelled images. Which will be best with so few
# labels?

# %% [markdown] lang="es"
# *Arriba, seis imágenes de la tarea antigua. Abajo, seis de la nueva.*
#
# ## 2. ¿Qué parte de la red debe aprender?
#
# Hay una escalera, de menos a más:
#
# - **congelada**: solo aprende una [cabeza](../../docs/glosario.md#cabeza) nueva, sobre características calculadas una
#   vez ([extracción de características](../../docs/glosario.md#extracción-de-características));
# - **última etapa**: aprende también el último grupo de capas
#   ([ajuste fino](../../docs/glosario.md#ajuste-fino) parcial);
# - **gradual** ([descongelación gradual](../../docs/glosario.md#descongelación-gradual)): primero la última etapa y
#   después, cada vez, una etapa más (Howard y Ruder, 2018);
# - **red entera**: aprenden todas las capas;
# - **desde cero**: aprenden todas las capas, y parten de pesos al azar.
#
# Todas, salvo la última, parten de la misma cabeza ya entrenada. Cada una se repite con varias
# [semillas](../../docs/glosario.md#semilla), y cada semilla elige otras imágenes etiquetadas. ¿Cuál será la mejor con
# tan pocas etiquetas?

# %%
names = backbone.layer_names
last_layer = LAST_LAYERS.get(BACKBONE, names[-1])
steps = ("stage4", "stage3", None) if BACKBONE.startswith("mini_resnet") else (last_layer, None)
stages = names if BACKBONE.startswith("mini_resnet") else (names[0], last_layer)  # from the image inwards
model = build_classifier(backbone, num_classes)
pretrained = get_weights(model)  # the last two arrays are the head's
few = [data.train.per_class(LABELS_A_CLASS, seed=SEED + k) for k in range(SEEDS)]
starts = []  # for each seed the pretrained backbone with a trained head
for k, images in enumerate(few):
    features = extract_features(backbone, images.images, progress=False)
    set_seed(k)
    head = build_head(backbone.feature_size, num_classes)
    fit(head, features, images.labels, epochs=40, lr=3e-3, weight_decay=1e-2, seed=k, progress=False)
    starts.append(pretrained[:-2] + get_weights(head))

# %% [markdown] lang="en"
# `measure` looks at the network as it is after training. For the old task we put the **old head**, which has not
# changed, on the new backbone. If it no longer understands the features, the network has forgotten.

# %% [markdown] lang="es"
# `measure` examina la red tal como queda tras el entrenamiento. Para la tarea antigua ponemos la **cabeza antigua**,
# que no ha cambiado, sobre la red base nueva. Si ya no entiende las características, la red ha olvidado.

# %%
runs = {}  # by method, for each seed what was measured


def measure(method, seconds, answers=None):
    answers = predict_proba(model, test.images) if answers is None else answers
    features = extract_features(backbone, old_images, cache=False, progress=False)
    new = answers.argmax(1) == test.labels
    old = predict_proba(old_head, features).argmax(1) == old_labels
    runs.setdefault(method, []).append(
        {"new": new, "old": old, "seconds": seconds, "parameters": count_parameters(model)}
    )


def train(k, start=None, from_layer=None, batch_norm=False, **options):
    started = time.perf_counter()
    set_weights(model, starts[k] if start is None else start)
    unfreeze(model, from_layer=from_layer, batch_norm=batch_norm)
    usual = dict(epochs=EPOCHS, lr=LEARNING_RATE, batch_size=BATCH_SIZE, schedule="cosine", augment=True)
    history = fit(model, few[k].images, few[k].labels, seed=k, progress=False, **(usual | options))
    return history, time.perf_counter() - started


# %%
whole_weights = []
for k in range(SEEDS):
    set_weights(model, starts[k])
    freeze(model)
    measure("frozen", 0.0)
    measure("last_stage", train(k, from_layer=last_layer)[1])
    weights, seconds = starts[k], 0.0
    for layer in steps:
        seconds += train(k, weights, layer, epochs=-(-EPOCHS // len(steps)))[1]
        weights = get_weights(model)
    measure("gradual", seconds)
    measure("whole", train(k)[1])
    whole_weights.append(get_weights(model))
    set_seed(k)
    fresh = load_backbone(BACKBONE, weights="random", layer=backbone.layer, image_size=IMAGE_SIZE)
    random_weights = get_weights(build_classifier(fresh, num_classes))
    measure("scratch", train(k, random_weights, batch_norm=True, epochs=SCRATCH_EPOCHS)[1])

# %%
WORDS = {
    "frozen": ("frozen", "congelada"),
    "last_stage": ("last stage", "última etapa"),
    "gradual": ("gradual", "gradual"),
    "whole": ("whole network", "red entera"),
    "scratch": ("from scratch", "desde cero"),
    "ten_times": ("rate × 10", "tasa × 10"),
    "constant": ("constant rate", "tasa constante"),
    "discriminative": ("rate by layer", "tasa por capa"),
    "low": ("rate ÷ 5", "tasa ÷ 5"),
    "l2_sp": ("L2-SP", "L2-SP"),
    "replay": ("replay", "repaso"),
    "batch_norm": ("BatchNorm moves", "BatchNorm se mueve"),
    "pairs": ("the same, in pairs", "lo mismo, de dos en dos"),
}
WORDS = {name: both[0 if ENGLISH else 1] for name, both in WORDS.items()}


def right(method, task="new"):
    return np.stack([run[task] for run in runs[method]])


def difference(one, other, task="new"):
    """How much better `other` is than `one`."""
    return evaluation.paired_difference(right(one, task), right(other, task))


# %%
columns = ("trainable", "MB", "s", "accuracy") if ENGLISH else ("entrenables", "MB", "s", "exactitud")
print(f"{'':>18}" + "".join(f"{c:>13}" for c in columns))
estimates = {}
for name in ("frozen", "last_stage", "gradual", "whole", "scratch"):
    counts, seconds = runs[name][-1]["parameters"], np.mean([run["seconds"] for run in runs[name]])
    memory = 4 * (counts.trainable + counts.frozen + 3 * counts.trainable) / 1e6
    estimates[WORDS[name]] = evaluation.paired_difference(np.zeros_like(right(name)), right(name))
    print(f"{WORDS[name]:>18}{counts.trainable:>13,}{memory:>13.1f}{seconds:>13.1f}   {estimates[WORDS[name]]}")
ax = plots.plot_estimates(estimates, language=LANGUAGE)

# %% [markdown] lang="en"
# *Accuracy on the new task with its 95 % interval (a bootstrap over test images and seeds). The table above adds the
# numbers that are trained, the memory for weights, gradients and Adam's two moments (4 bytes each; the maps of the
# images come on top), and the seconds of training beyond the head.*
#
# The intervals are wide, because the test is small. So we compare image by image.

# %% [markdown] lang="es"
# *Exactitud en la tarea nueva con su intervalo del 95 % (bootstrap sobre imágenes y semillas). La tabla añade cuántos
# números se entrenan, la memoria para pesos, gradientes y los dos momentos de Adam (4 bytes cada uno; los mapas de las
# imágenes van aparte) y los segundos de entrenamiento además de la cabeza.*
#
# Los intervalos son anchos porque la prueba es pequeña. Por eso comparamos imagen por imagen.

# %%
for one, other in (("frozen", "last_stage"), ("last_stage", "whole"), ("whole", "gradual"), ("scratch", "whole")):
    against = "against" if ENGLISH else "frente a"
    print(f"{WORDS[other]} {against} {WORDS[one]}:", evaluation.describe_difference(difference(one, other), LANGUAGE))

# %%
claim_here(
    "fine_tuning_beats_scratch",
    100 * difference("scratch", "whole").value,
    en="With few labels, fine-tuning the whole network is far ahead of training it from scratch",
    es="Con pocas etiquetas, ajustar la red entera va muy por delante de entrenarla desde cero",
    at_least=10,
    unit=POINTS,
)
claim_here(
    "last_stage_gains",
    100 * difference("frozen", "last_stage").value,
    en="Fine-tuning the last stage is no worse than a frozen backbone",
    es="Ajustar la última etapa no es peor que dejar la red base congelada",
    at_least=0,
    unit=POINTS,
)
claim_here(
    "gradual_is_not_needed",
    100 * difference("whole", "gradual").value,
    en="Gradual unfreezing is not clearly better than training the whole network at once",
    es="Descongelar poco a poco no es claramente mejor que entrenar la red entera de una vez",
    at_most=5,
    unit=POINTS,
)

# %% [markdown] lang="en"
# Texts often recommend gradual unfreezing. Howard and Ruder found that it helped with language, on larger data and
# with longer runs. Here, with about as many epochs, shared among the steps, the last line but one says what it was
# worth.
#
# ## 3. How fast? The learning rate
#
# One number decides more than the rest: the [**learning rate**](../../docs/glossary.md#learning-rate), the size of a
# step. Too low, and nothing happens. Too high, and the network loses what it knew. How do we find it?
#
# ### A learning-rate range test
#
# Leslie Smith (2017) proposed the [range test](../../docs/glossary.md#learning-rate-range-test): take a few steps, let
# the rate grow at each, and watch the loss. Where the loss rises again, steps are too large. Choose a rate below that,
# here a third of the rate with the lowest loss. Afterwards the weights go back to where they were.

# %% [markdown] lang="es"
# Los textos suelen recomendar descongelar poco a poco. A Howard y Ruder les sirvió con lenguaje, con más datos y
# entrenamientos más largos. Aquí, con casi las mismas épocas, repartidas entre los pasos, la penúltima línea dice lo
# que ha aportado.
#
# ## 3. ¿A qué velocidad? La tasa de aprendizaje
#
# Un número decide más que los demás: la [**tasa de aprendizaje**](../../docs/glosario.md#tasa-de-aprendizaje), el
# tamaño de cada paso. Si es demasiado baja, no pasa nada. Si es demasiado alta, la red pierde lo que sabía. ¿Cómo se
# encuentra?
#
# ### Una prueba de tasas
#
# Leslie Smith (2017) propuso la [prueba de rango](../../docs/glosario.md#prueba-de-rango-de-la-tasa): dar unos pocos
# pasos, aumentar la tasa en cada uno y observar la pérdida. Donde la pérdida vuelve a subir, los pasos son demasiado
# grandes. Se elige una tasa menor; aquí, la tercera parte de la que da la pérdida mínima. Después, los pesos vuelven a
# su sitio.

# %%
set_weights(model, starts[0])
unfreeze(model)
rate_test = rate_range_test(model, few[0].images, few[0].labels, low=1e-5, high=0.3, steps=40, batch_size=16)
ax = figures.plot_rate_test(rate_test, language=LANGUAGE)

# %% [markdown] lang="en"
# *Loss of single batches (grey) and smoothed (blue), while the learning rate grows from left to right. Look for the
# place where the curve turns up.*

# %% [markdown] lang="es"
# *Pérdida de cada lote (gris) y suavizada (azul), mientras la tasa de aprendizaje crece de izquierda a derecha. Busque
# dónde la curva empieza a subir.*

# %%
claim_here(
    "range_test_finds_the_scale",
    rate_test.advice / LEARNING_RATE,
    en="The test advises a rate within a factor of ten of the one that we use",
    es="La prueba aconseja una tasa que no difiere más de diez veces de la que usamos",
    at_least=0.1,
    at_most=10,
    unit="×",
)

# %% [markdown] lang="en"
# ### Ten times too high
#
# Now let us use a rate ten times as high, on purpose. What will it do to the new task? And to the layers?
#
# To look at the layers we need a number for "the same features as before". [**Linear
# CKA**](../../docs/glossary.md#cka) is such a number (Kornblith and others, 2019): 1 means that two sets of features
# arrange the images in the same way, 0 that they have nothing in common. We compare each layer before and after, on
# pictures of the old task.
#
# In the same cell we try two other things. **Rates by layer** ([discriminative learning
# rates](../../docs/glossary.md#discriminative-learning-rates); Howard and Ruder, 2018): each layer learns 2.6 times as
# slowly as the one after it, since early layers need less change. And another **schedule**: a rate that stays constant.

# %% [markdown] lang="es"
# ### Diez veces demasiado alta
#
# Usemos ahora, a propósito, una tasa diez veces mayor. ¿Qué le hará a la tarea nueva? ¿Y a las capas?
#
# Para mirar las capas necesitamos un número que diga «las mismas características que antes». El [**CKA
# lineal**](../../docs/glosario.md#cka) lo es (Kornblith y otros, 2019): 1 significa que dos juegos de características
# ordenan las imágenes igual; 0, que no tienen nada en común. Comparamos cada capa antes y después, con imágenes de la
# tarea antigua.
#
# En la misma celda probamos otras dos cosas. **Tasas por capa** ([tasas
# discriminativas](../../docs/glosario.md#tasas-de-aprendizaje-discriminativas); Howard y Ruder, 2018): cada capa
# aprende 2,6 veces más despacio que la siguiente, porque las primeras necesitan cambiar menos. Y otro **programa** de
# la tasa: una tasa constante.

# %%
shown = [names[round(i)] for i in np.linspace(0, len(names) - 1, 5)]
set_weights(model, pretrained)
maps_before = layer_features(model, old_images, shown)
similarity = {}


def note_similarity(method):
    after = layer_features(model, old_images, shown)
    similarity.setdefault(method, []).append([linear_cka(maps_before[name], after[name]) for name in shown])


layer_rates = discriminative_rates(stages)
variants = {
    "discriminative": {"layer_rates": layer_rates},
    "ten_times": {"lr": 10 * LEARNING_RATE},
    "constant": {"schedule": "constant"},
}
for k in range(SEEDS):
    set_weights(model, whole_weights[k])  # trained in section 2
    note_similarity("whole")
    for method, options in variants.items():
        measure(method, train(k, **options)[1])
        if method in ("discriminative", "ten_times"):
            note_similarity(method)

# %%
compared = ("whole", "discriminative", "ten_times")
ax = figures.plot_similarity(shown, {WORDS[m]: np.array(similarity[m]) for m in compared}, language=LANGUAGE)
print({name: round(factor, 3) for name, factor in layer_rates.items()})
for method in ("whole", "discriminative", "ten_times", "constant"):
    new, kept = (100 * right(method, task).mean() for task in ("new", "old"))
    print(f"{WORDS[method]:>18}: {new:5.1f} % {'new' if ENGLISH else 'nueva':>6}, "
          f"{kept:5.1f} % {'old' if ENGLISH else 'antigua':>8}")  # fmt: skip

# %% [markdown] lang="en"
# *Similarity of each layer's features before and after fine-tuning; the bands span the seeds. Above the figure: the
# factors of the rates by layer, and the accuracy on both tasks after each run.*

# %% [markdown] lang="es"
# *Semejanza de las características de cada capa antes y después del ajuste fino; las bandas abarcan las semillas.
# Encima de la figura: los factores de las tasas por capa y la exactitud en las dos tareas tras cada entrenamiento.*

# %%
claim_here(
    "ten_times_ruins_the_new_task",
    100 * difference("ten_times", "whole").value,
    en="A rate ten times as high costs at least 20 points on the new task",
    es="Una tasa diez veces mayor cuesta al menos 20 puntos en la tarea nueva",
    at_least=20,
    unit=POINTS,
)
claim_here(
    "ten_times_ruins_the_old_task",
    100 * (old_before - right("ten_times", "old").mean()),
    en="and at least 40 points on the old one",
    es="y al menos 40 puntos en la antigua",
    at_least=40,
    unit=POINTS,
)
last_cka = {method: np.mean([values[-1] for values in seeds]) for method, seeds in similarity.items()}
claim_here(
    "ten_times_destroys_features",
    last_cka["whole"] - last_cka["ten_times"],
    en="The last layer's features stay much less like those of before (difference of CKA)",
    es="Las características de la última capa se parecen mucho menos a las de antes (diferencia de CKA)",
    at_least=0.2,
)

# %% [markdown] lang="en"
# ### Warm-up and decay
#
# A [schedule](../../docs/glossary.md#schedule) changes the rate during the run.
# [**Warm-up**](../../docs/glossary.md#warm-up): the rate climbs in the first steps, while the gradients are still
# large and uncertain. **Decay**: it falls towards the end, so that the weights settle. "Cosine" does both.

# %% [markdown] lang="es"
# ### Calentamiento y decaimiento
#
# Un [programa de la tasa](../../docs/glosario.md#programa-de-la-tasa) la cambia durante el entrenamiento.
# [**Calentamiento**](../../docs/glosario.md#calentamiento): la tasa sube en los primeros pasos, mientras los
# gradientes son aún grandes e inseguros. **Decaimiento**: baja hacia el final, para que los pesos se asienten.
# «Coseno» hace las dos cosas.

# %%
total = EPOCHS * -(-len(few[0]) // BATCH_SIZE)
schedules = {
    WORDS["constant"]: [learning_rate(1.0, "constant", step, total) for step in range(total)],
    "cosine" if ENGLISH else "coseno": [learning_rate(1.0, "cosine", step, total) for step in range(total)],
}
ax = figures.plot_schedules(schedules, language=LANGUAGE)
for task, words in (("new", "new task" if ENGLISH else "tarea nueva"),
                    ("old", "old task" if ENGLISH else "tarea antigua")):  # fmt: skip
    verdict = evaluation.describe_difference(difference("constant", "whole", task), LANGUAGE)
    print(f"{'cosine against' if ENGLISH else 'coseno frente a'} {WORDS['constant']}, {words}: {verdict}")

# %% [markdown] lang="en"
# *The learning rate over the steps of a run, as a share of its highest value. Above: what the cosine with warm-up was
# worth. Lesson 11 takes the two apart.*

# %% [markdown] lang="es"
# *La tasa de aprendizaje en cada paso, como fracción de su valor más alto. Encima: lo que ha aportado el coseno con
# calentamiento. La lección 11 los mide por separado.*

# %%
claim_here(
    "decay_forgets_less",
    100 * difference("constant", "whole", "old").value,
    en="With warm-up and decay the old task is forgotten no more than with a constant rate",
    es="Con calentamiento y decaimiento la tarea antigua no se olvida más que con una tasa constante",
    at_least=0,
    unit=POINTS,
)

# %% [markdown] lang="en"
# ## 4. What is forgotten?
#
# A network that learns something new may lose the old: [**catastrophic
# forgetting**](../../docs/glossary.md#catastrophic-forgetting) (McCloskey and Cohen, 1989). You saw it above in the
# column of the old task. Five remedies:
#
# - **freeze** the backbone: the old head still meets the old features;
# - a **low rate**, here a fifth;
# - **rates by layer**, from section 3;
# - **L2-SP** (Li, Grandvalet and Davoine, 2018): a spring that pulls the weights back to where they started;
# - **replay**: some pictures of the old task go into the batches of the new one.
#
# L2-SP adds this to the loss:
#
# $$\frac{\alpha}{2} \sum_i (w_i - w_i^0)^2$$
#
# Here $w_i$ is a weight of the backbone, $w_i^0$ its value at the start, and $\alpha$ the strength of the spring.

# %% [markdown] lang="es"
# ## 4. ¿Qué se olvida?
#
# Una red que aprende algo nuevo puede perder lo antiguo: es el [**olvido
# catastrófico**](../../docs/glosario.md#olvido-catastrófico) (McCloskey y Cohen, 1989). Lo ha visto más arriba, en la
# columna de la tarea antigua. Cinco remedios:
#
# - **congelar** la red base: la cabeza antigua sigue recibiendo las características de antes;
# - una **tasa baja**, aquí la quinta parte;
# - **tasas por capa**, de la sección 3;
# - **L2-SP** (Li, Grandvalet y Davoine, 2018): un muelle que devuelve los pesos hacia donde empezaron;
# - **repaso** (*replay*): algunas imágenes de la tarea antigua entran en los lotes de la nueva.
#
# L2-SP añade esto a la pérdida:
#
# $$\frac{\alpha}{2} \sum_i (w_i - w_i^0)^2$$
#
# Aquí $w_i$ es un peso de la red base, $w_i^0$ su valor al empezar y $\alpha$ la fuerza del muelle.

# %%
for k in range(SEEDS):
    measure("low", train(k, lr=LEARNING_RATE / 5)[1])
    measure("l2_sp", train(k, l2_sp=1.0)[1])

# %% [markdown] lang="en"
# Replay needs a head that knows both tasks: we join the old head and the new one. The first outputs are the old
# classes, the rest are the new. Two old pictures of each class are enough to try.

# %% [markdown] lang="es"
# El repaso necesita una cabeza que conozca las dos tareas: unimos la antigua y la nueva. Las primeras salidas son las
# clases antiguas; las demás, las nuevas. Para probar bastan dos imágenes antiguas de cada clase.

# %%
replayed = 2 * len(BREEDS)  # the breeds take turns, so this is two of each
both_head = build_head(backbone.feature_size, len(BREEDS) + num_classes)
both = build_classifier(backbone, head=both_head)
unfreeze(both)
for k in range(SEEDS):
    (old_weight, old_bias), (weight, bias) = get_weights(old_head), starts[k][-2:]
    joined = [np.concatenate([old_weight, weight], CLASS_AXIS), np.concatenate([old_bias, bias])]
    set_weights(both, starts[k][:-2] + joined)
    images = np.concatenate([few[k].images, old.images[:replayed]])
    labels = np.concatenate([len(BREEDS) + few[k].labels, old.breeds[:replayed]])
    history = fit(
        both, images, labels, epochs=EPOCHS, lr=LEARNING_RATE, batch_size=BATCH_SIZE, schedule="cosine",
        augment=True, seed=k, progress=False,
    )  # fmt: skip
    measure("replay", history.total_seconds, predict_proba(both, test.images)[:, len(BREEDS) :])

# %%
compared = ("frozen", "last_stage", "whole", "ten_times", "low", "discriminative", "l2_sp", "replay")
points = {WORDS[m]: np.stack([right(m, "old").mean(1), right(m).mean(1)], 1) for m in compared}
ax = figures.plot_old_and_new(points, old_before, language=LANGUAGE)

# %% [markdown] lang="en"
# *What is gained (up) against what is kept (right). Large marks are means, small ones single seeds. The best place is
# the upper right corner; the dotted line is the old task before anything was learnt.*

# %% [markdown] lang="es"
# *Lo que se gana (arriba) frente a lo que se conserva (a la derecha). Las marcas grandes son medias; las pequeñas,
# semillas. El mejor sitio es la esquina superior derecha; la línea de puntos es la tarea antigua antes de aprender
# nada.*

# %%
claim(
    "frozen_forgets_nothing",
    100 * abs(old_before - right("frozen", "old").mean()),
    en="A frozen backbone forgets nothing",
    es="Una red base congelada no olvida nada",
    at_most=0.01,
    unit=POINTS,
    language=LANGUAGE,
)
claim_here(
    "whole_network_forgets",
    100 * (old_before - right("whole", "old").mean()),
    en="Fine-tuning the whole network costs at least 5 points on the old task",
    es="Ajustar la red entera cuesta al menos 5 puntos en la tarea antigua",
    at_least=5,
    unit=POINTS,
)
remedies = {
    "discriminative": ("Rates by layer", "Las tasas por capa conservan"),
    "low": ("A low rate", "Una tasa baja conserva"),
    "l2_sp": ("L2-SP", "L2-SP conserva"),
    "replay": ("Replay", "El repaso conserva"),
}
for name, (english, spanish) in remedies.items():
    claim_here(
        f"{name}_forgets_less",
        100 * difference("whole", name, "old").value,
        en=f"{english} keeps at least 3 points more of the old task" if name != "discriminative"
        else f"{english} keep at least 3 points more of the old task",
        es=f"{spanish} al menos 3 puntos más de la tarea antigua",
        at_least=3,
        unit=POINTS,
    )  # fmt: skip

# %% [markdown] lang="en"
# Is it free? What does each remedy cost on the new task, against plain fine-tuning of the whole network?

# %% [markdown] lang="es"
# ¿Sale gratis? ¿Qué cuesta cada remedio en la tarea nueva, frente al ajuste fino corriente de la red entera?

# %%
for name in ("frozen", *remedies):
    print(f"{WORDS[name]:>15}:", evaluation.describe_difference(difference("whole", name), LANGUAGE))

# %% [markdown] lang="en"
# ### Exercise 1
#
# You may lose at most 10 points on the old task. Which method of the figure is then best at the new one? Read the
# figure, then write the method's key: one of `compared`, such as `"frozen"`.

# %% [markdown] lang="es"
# ### Ejercicio 1
#
# Puede perder como mucho 10 puntos en la tarea antigua. ¿Qué método de la figura es entonces el mejor en la nueva? Lea
# la figura y escriba la clave del método: una de `compared`, como `"frozen"`.

# %%
my_answer = None


def check_method(answer):
    allowed = [m for m in compared if 100 * (old_before - right(m, "old").mean()) <= 10]
    best = max(allowed, key=lambda m: right(m).mean())
    if answer is None:
        print(f"my_answer = ... {compared}")
    elif answer not in compared:
        print("✘", f"expected one of {compared}" if ENGLISH else f"se espera uno de {compared}")
    elif answer not in allowed:
        print("✘", "It forgets more than 10 points." if ENGLISH else "Olvida más de 10 puntos.")
    elif right(answer).mean() < right(best).mean():
        print("✘", "Another one stands higher." if ENGLISH else "Hay otro más arriba.")
    else:
        print("✔")
        return True
    return False


correct = check_method(my_answer)

# %% tags=["solution"]
allowed = [m for m in compared if 100 * (old_before - right(m, "old").mean()) <= 10]
my_answer = max(allowed, key=lambda m: right(m).mean())
print(my_answer)
assert check_method(my_answer)

# %% [markdown] lang="en"
# ## 5. BatchNorm
#
# Most convolutional networks contain [BatchNorm](../../docs/glossary.md#batch-normalisation): layers that subtract a
# mean and divide by a spread (Ioffe and Szegedy, 2015). Which mean? In **training mode** it is that of the batch, and
# a running average of it is kept. In **inference mode** it is the average that was kept. So BatchNorm has two faces,
# and fine-tuning must choose one.
#
# PyTorch chooses with `model.train()` and `model.eval()`, Keras with the argument `training=True` or `training=False`.
# Do they mean the same? A test that needs no second framework: in inference mode, the answer for a picture must not
# depend on the other pictures of its batch, and the averages must not move.

# %% [markdown] lang="es"
# ## 5. BatchNorm
#
# La mayoría de las redes convolucionales contienen [BatchNorm](../../docs/glosario.md#normalización-por-lotes): capas
# que restan una media y dividen por una desviación (Ioffe y Szegedy, 2015). ¿Qué media? En **modo de entrenamiento**,
# la del lote, de la que se guarda un promedio móvil. En **modo de inferencia**, el promedio guardado. Así que
# BatchNorm tiene dos caras, y el ajuste fino debe elegir una.
#
# PyTorch elige con `model.train()` y `model.eval()`; Keras, con el argumento `training=True` o `training=False`.
# ¿Significan lo mismo? Una prueba que no necesita la otra biblioteca: en modo de inferencia, la respuesta para una
# imagen no debe depender de las demás imágenes del lote, y los promedios no deben moverse.

# %% framework="pytorch"
import torch


def features_in_mode(images, training):
    backbone.train(training)  # eval() is train(False)
    with torch.no_grad():
        device = next(backbone.parameters()).device
        out = backbone(torch.from_numpy(images).to(device).float()).cpu().numpy()
    backbone.eval()
    return out


# %% framework="tensorflow"
def features_in_mode(images, training):
    return backbone(images.astype(np.float32), training=training).numpy()


# %%
set_weights(model, pretrained)
unfreeze(model, batch_norm=True)
first, rng = old_images[:1], np.random.default_rng(SEED)
companions = {
    size: [rng.choice(len(old_images) - 1, size - 1, replace=False) + 1 for _ in range(6)] for size in (2, 16)
}
spread, moved = {}, {}
for training in (False, True):
    for size, draws in companions.items():
        set_weights(model, pretrained)
        rows = [features_in_mode(np.concatenate([first, old_images[pick]]), training)[0] for pick in draws]
        spread[training, size] = float(np.std(rows, 0).mean() / np.mean(np.abs(rows)))
    floats = [(a, b) for a, b in zip(get_weights(model), pretrained) if a.dtype.kind == "f"]  # no counters
    moved[training] = max(float(np.abs(a - b).max()) for a, b in floats)
mode = {False: "training=False, eval()", True: "training=True, train()"}
for (training, size), value in spread.items():
    print(f"{mode[training]:>24}, {'batch of' if ENGLISH else 'lote de'} {size:>2}: {value:7.1%}")
set_weights(model, pretrained)

# %% [markdown] lang="en"
# The numbers say how far the features of *one and the same picture* vary, relative to their size, when its companions
# in the batch change. The smaller the batch, the more chance there is in its mean and spread.

# %% [markdown] lang="es"
# Los números dicen cuánto varían las características de *una misma imagen*, en relación con su tamaño, cuando cambian
# sus compañeras de lote. Cuanto menor es el lote, más azar hay en su media y en su desviación.

# %%
claim(
    "inference_ignores_companions",
    100 * max(spread[False, 2], spread[False, 16]),
    en="In inference mode a picture's features do not depend on its batch",
    es="En modo de inferencia, las características de una imagen no dependen del lote",
    at_most=0.5,
    unit="%",
    language=LANGUAGE,
)
claim(
    "inference_moves_nothing",
    moved[False],
    en="and the averages stay as they are",
    es="y los promedios no cambian",
    at_most=0,
    language=LANGUAGE,
)
claim(
    "training_mode_moves_averages",
    moved[True],
    en="In training mode the averages move, although no weight was trained",
    es="En modo de entrenamiento, los promedios se mueven aunque no se entrene ningún peso",
    at_least=0.001,
    language=LANGUAGE,
)
claim(
    "small_batches_are_noisy",
    spread[True, 2] / spread[True, 16],
    en="In training mode, a batch of 2 gives noisier features than one of 16",
    es="En modo de entrenamiento, un lote de 2 da características más ruidosas que uno de 16",
    at_least=1.5,
    unit="×",
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# In this course `unfreeze` leaves BatchNorm in inference mode unless you ask otherwise. Was that wise? Let us
# fine-tune the whole network once more with BatchNorm's weights and averages learning too: with the usual batches,
# and, with one seed since it is slow, with batches of two pictures. (The number of steps is about the same, so batches
# of two show the network fewer pictures: that comparison has two causes.)

# %% [markdown] lang="es"
# En este curso, `unfreeze` deja BatchNorm en modo de inferencia si no se le pide otra cosa. ¿Es una buena decisión?
# Ajustemos otra vez la red entera, ahora dejando que aprendan también los pesos y los promedios de BatchNorm: con los
# lotes de siempre y, con una sola semilla porque es lento, con lotes de dos imágenes. (Los pasos son más o menos los
# mismos, así que con lotes de dos la red ve menos imágenes: esa comparación tiene dos causas.)

# %%
for k in range(SEEDS):
    measure("batch_norm", train(k, batch_norm=True)[1])
few_epochs = -(-2 * EPOCHS // BATCH_SIZE)  # as many steps as with the usual batches
measure("pairs", train(0, batch_norm=True, batch_size=2, epochs=few_epochs)[1])  # slow, so with one seed
chosen = ("whole", "batch_norm", "pairs")
points = {WORDS[m]: np.stack([right(m, "old").mean(1), right(m).mean(1)], 1) for m in chosen}
ax = figures.plot_old_and_new(points, old_before, language=LANGUAGE)
pairs = evaluation.paired_difference(right("batch_norm")[:1], right("pairs"))
for one, other, estimate in (
    ("whole", "batch_norm", difference("whole", "batch_norm")),
    ("batch_norm", "pairs", pairs),
):
    verdict = evaluation.describe_difference(estimate, LANGUAGE)
    print(f"{WORDS[other]} {'against' if ENGLISH else 'frente a'} {WORDS[one]}: {verdict}")

# %% [markdown] lang="en"
# *As in section 4, with BatchNorm fixed (whole network), learning, and learning in batches of two. Above: the
# differences on the new task.*

# %% [markdown] lang="es"
# *Como en la sección 4, con BatchNorm fijo (red entera), aprendiendo, y aprendiendo en lotes de dos. Encima: las
# diferencias en la tarea nueva.*

# %%
claim_here(
    "moving_batch_norm_forgets",
    100 * difference("batch_norm", "whole", "old").value,
    en="Letting BatchNorm move costs at least 20 points more of the old task",
    es="Dejar que BatchNorm se mueva cuesta al menos 20 puntos más de la tarea antigua",
    at_least=20,
    unit=POINTS,
)

# %% [markdown] lang="en"
# The averages now describe sketches. The old head still waits for photos. One warning remains: texts say that small
# batches harm BatchNorm. The features became noisier, as you saw; the lines above the figure say whether the *new
# task* suffered in so short a run.
#
# ## 6. Which strategy when? The decision matrix
#
# Textbooks give a table with two questions. How many labelled images do you have? How much do they resemble what the
# network was trained on?
#
# | | near the source | far from it |
# |---|---|---|
# | few images | frozen, late features | frozen, early features |
# | many images | fine-tune | fine-tune, or train from scratch |
#
# Let us measure it. Three tasks with two classes each, at a small image size so that many runs fit:
#
# - **near**: cat or dog in drawn photos;
# - **far, textures**: coloured noise, smeared a little downwards or sideways; no objects at all;
# - **far, shuffled**: the same cats and dogs, but the pixels of all pictures have changed places in the same way.
#
# Which cell do you expect to break the rule?

# %% [markdown] lang="es"
# Los promedios describen ahora bocetos. La cabeza antigua sigue esperando fotos. Queda una advertencia: los textos
# dicen que los lotes pequeños perjudican a BatchNorm. Las características se volvieron más ruidosas, como ha visto;
# las líneas encima de la figura dicen si la *tarea nueva* lo ha notado en un entrenamiento tan corto.
#
# ## 6. ¿Qué estrategia y cuándo? La matriz de decisión
#
# Los libros dan una tabla con dos preguntas. ¿Cuántas imágenes etiquetadas tiene? ¿Cuánto se parecen a aquellas con
# las que se entrenó la red?
#
# | | cerca del origen | lejos |
# |---|---|---|
# | pocas imágenes | congelada, características tardías | congelada, características tempranas |
# | muchas imágenes | ajuste fino | ajuste fino, o entrenar desde cero |
#
# Vamos a medirlo. Tres tareas de dos clases cada una, con imágenes pequeñas para que quepan muchos entrenamientos:
#
# - **cerca**: gato o perro en fotos dibujadas;
# - **lejos, texturas**: ruido de colores, un poco corrido hacia abajo o hacia un lado; ningún objeto;
# - **lejos, barajadas**: los mismos gatos y perros, pero los píxeles de todas las imágenes han cambiado de sitio de la
#   misma manera.
#
# ¿En qué casilla espera usted que falle la regla?

# %%
GRID_TEST, sizes = 400, {20: 6, 80: 3, 320: 3}  # images for training, and epochs
pets = draw_pets(max(sizes) + GRID_TEST, seed=SEED + 900, size=GRID_SIZE)
shuffle = np.random.default_rng(SEED).permutation(GRID_SIZE**2)
shuffled = pets.images.reshape(len(pets), -1, 3)[:, shuffle].reshape(pets.images.shape)

rng = np.random.default_rng(SEED)
directions = np.arange(len(pets)) % 2
noise = rng.normal(size=pets.images.shape)
smeared = np.where(directions[:, None, None, None] == 0, np.roll(noise, 1, axis=1), np.roll(noise, 1, axis=2))
textures = np.clip(128 + 40 * (noise + 0.35 * smeared), 0, 255).astype(np.uint8)

tasks = {"near": (pets.images, pets.species), "textures": (textures, directions), "shuffled": (shuffled, pets.species)}
task_words = ("near", "far: textures", "far: shuffled") if ENGLISH else ("cerca", "lejos: texturas", "lejos: barajadas")
axes = plots.show_images(np.concatenate([x[:2] for x, _ in tasks.values()]), np.repeat(task_words, 2), columns=6)

# %% [markdown] lang="en"
# *Two pictures of each task, one of each class.*
#
# Four strategies: late features (the last layer) or early ones (of the first stage), both frozen and with logistic
# regression; the whole network fine-tuned; from scratch. Fine-tuning and scratch get the same rate and epochs. (This
# table always uses the small backbone `mini_resnet_narrow`.)

# %% [markdown] lang="es"
# *Dos imágenes de cada tarea, una de cada clase.*
#
# Cuatro estrategias: características tardías (de la última capa) o tempranas (de la primera etapa), ambas congeladas y
# con regresión logística; la red entera con ajuste fino; desde cero. El ajuste fino y el entrenamiento desde cero
# tienen la misma tasa y las mismas épocas. (Esta tabla usa siempre la red pequeña `mini_resnet_narrow`.)

# %%
small = build_classifier(load_backbone("mini_resnet_narrow", image_size=GRID_SIZE), 2)
small_pretrained = get_weights(small)


random_starts = []
for seed in range(NEGATIVE_SEEDS):
    set_seed(SEED + seed)
    fresh = load_backbone("mini_resnet_narrow", weights="random", image_size=GRID_SIZE)
    random_starts.append(get_weights(build_classifier(fresh, 2)))


def train_small(x, y, n, seed, strategy):
    """Which of the test images a small network gets right after training on n others."""
    start = random_starts[seed]
    set_weights(small, start if strategy == "scratch" else small_pretrained[:-2] + start[-2:])
    unfreeze(small, batch_norm=strategy == "scratch")
    fit(small, x[:n], y[:n], epochs=sizes[n], lr=1e-3, batch_size=16, schedule="cosine", seed=seed, progress=False)
    return predict_proba(small, x[-GRID_TEST:]).argmax(1) == y[-GRID_TEST:]


# %%
strategies = ("late", "early", "fine_tuned", "scratch")
grid = {}  # by task, size and strategy: which test images were right
for task, (x, y) in tasks.items():
    set_weights(small, small_pretrained)
    found = layer_features(small, x, ["stage1", "stage4"])
    for n in sizes:
        for strategy, layer in (("late", "stage4"), ("early", "stage1")):
            f = found[layer]
            answers = evaluation.linear_probe(f[:n], y[:n], f[-GRID_TEST:])
            grid[task, n, strategy] = answers.argmax(1) == y[-GRID_TEST:]
        for strategy in ("fine_tuned", "scratch"):
            grid[task, n, strategy] = train_small(x, y, n, 0, strategy)


# %%
def winners(task, n):
    """The best strategy, and those that this test cannot tell from it."""
    order = sorted(range(4), key=lambda k: -grid[task, n, strategies[k]].mean())
    best, *others = (grid[task, n, strategies[k]] for k in order)
    return [order[0]] + [k for k, x in zip(order[1:], others) if evaluation.paired_difference(x, best).low <= 0]


strategy_words = ("late features", "early features", "fine-tuned", "from scratch") if ENGLISH else (
    "tardías", "tempranas", "ajuste fino", "desde cero")  # fmt: skip
short = "LEFS" if ENGLISH else "TEAC"
measured = [[winners(task, n) for task in tasks] for n in sizes]
textbook = [[[0], [1], [1]], [[2], [2], [2]], [[2], [2, 3], [2, 3]]]
notes = [[" ".join(f"{a}{100 * grid[task, n, s].mean():.0f}" for a, s in zip(short, strategies)) for task in tasks]
         for n in sizes]  # fmt: skip
rows = [f"{n} {'images' if ENGLISH else 'imágenes'}" for n in sizes]
panels = dict(zip(("measured", "the textbook") if ENGLISH else ("medido", "el libro"), (measured, textbook)))
tie = "no winner" if ENGLISH else "ninguna gana"
axes = figures.plot_decisions(rows, task_words, panels, strategy_words, notes, tie)

# %% [markdown] lang="en"
# *Left, what was best in each cell; strategies joined by "=" could not be told from it by this test, and grey means
# none could. The small numbers are accuracies in percent: L late features, E early features, F fine-tuned, S from
# scratch. Right, the textbook's advice for the same cells.*

# %% [markdown] lang="es"
# *A la izquierda, lo mejor en cada casilla; las estrategias unidas por «=» no se distinguen de la mejor con esta
# prueba, y en gris no se distingue ninguna. Los números pequeños son exactitudes en tanto por ciento: T
# características tardías, E tempranas, A ajuste fino, C desde cero. A la derecha, el consejo del libro para las mismas
# casillas.*

# %%
disagree = [
    (n, word)
    for row, (n, book) in enumerate(zip(sizes, textbook))
    for column, word in enumerate(task_words)
    if not set(measured[row][column]) & set(book[column])
]
print("Cells where the textbook's choice was not among the best:" if ENGLISH
      else "Casillas donde el consejo del libro no estaba entre los mejores:", disagree)  # fmt: skip

# %%
large = max(sizes)


def gain(task, n, one, other):
    return 100 * evaluation.paired_difference(grid[task, n, one], grid[task, n, other]).value


claim(
    "near_and_many_fine_tune",
    gain("near", large, "late", "fine_tuned"),
    en="Near the source and with many images, fine-tuning is no worse than frozen features",
    es="Cerca del origen y con muchas imágenes, el ajuste fino no es peor que las características congeladas",
    at_least=0,
    unit=POINTS,
    language=LANGUAGE,
)
claim(
    "far_and_few_early_features",
    gain("textures", min(sizes), "late", "early"),
    en="Far from the source and with few images, early features beat late ones: textures",
    es="Lejos del origen y con pocas imágenes, las características tempranas superan a las tardías: texturas",
    at_least=5,
    unit=POINTS,
    language=LANGUAGE,
)
claim(
    "far_and_many_need_no_scratch",
    gain("textures", large, "scratch", "early"),
    en="“Far” alone is no reason to start from scratch: on textures early features stay ahead even with many images",
    es="«Lejos» no basta para empezar de cero: con texturas, las características tempranas siguen delante incluso con "
    "muchas imágenes",
    at_least=5,
    unit=POINTS,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# ### Negative transfer
#
# The shuffled pictures hold exactly the same information as the near ones. But what the network knows, that
# neighbouring pixels belong together, is false there. When transfer does worse than no transfer, it is called
# [**negative transfer**](../../docs/glossary.md#negative-transfer) (Wang and others, 2019). Is it there, or was it
# luck? We repeat the largest cell with more seeds.

# %% [markdown] lang="es"
# ### Transferencia negativa
#
# Las imágenes barajadas contienen exactamente la misma información que las cercanas. Pero lo que la red sabe, que los
# píxeles vecinos van juntos, allí es falso. Cuando transferir da peor resultado que no transferir, se habla de
# [**transferencia negativa**](../../docs/glosario.md#transferencia-negativa) (Wang y otros, 2019). ¿Existe aquí, o fue
# suerte? Repetimos la casilla mayor con más semillas.

# %%
x, y = tasks["shuffled"]
repeated = {}
for strategy in ("fine_tuned", "scratch"):
    more = [train_small(x, y, large, seed, strategy) for seed in range(1, NEGATIVE_SEEDS)]
    repeated[strategy] = np.stack([grid["shuffled", large, strategy], *more])
late = np.stack([grid["shuffled", large, "late"]] * NEGATIVE_SEEDS)  # the probe has no chance in it
negative = {
    "late": evaluation.paired_difference(late, repeated["scratch"]),
    "fine_tuned": evaluation.paired_difference(repeated["fine_tuned"], repeated["scratch"]),
}
for name, estimate in negative.items():
    words = strategy_words[strategies.index(name)]
    print(f"{strategy_words[3]} {'against' if ENGLISH else 'frente a'} {words}:",
          evaluation.describe_difference(estimate, LANGUAGE))  # fmt: skip

# %%
claim(
    "frozen_features_do_harm",
    100 * negative["late"].low,
    en="On shuffled pictures, training from scratch beats frozen features: the whole interval is above zero",
    es="Con imágenes barajadas, entrenar desde cero supera a las características congeladas: todo el intervalo es mayor "
    "que cero",
    at_least=0,
    unit=POINTS,
    language=LANGUAGE,
)
claim(
    "pretrained_start_does_harm",
    100 * negative["fine_tuned"].value,
    en="Starting from pretrained weights is worse there than starting from random ones",
    es="Empezar allí con pesos preentrenados es peor que empezar con pesos al azar",
    at_least=2,
    unit=POINTS,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# ## 7. Turn the knobs yourself
#
# Depth of unfreezing, learning rate, labels: they act together. The next cell trains once for each combination, on the
# 16 breeds at the small size. Then move the sliders. The results are there already, so the figure follows at once.
#
# Before you move one: which depth bears the highest rate?

# %% [markdown] lang="es"
# ## 7. Mueva usted los mandos
#
# Profundidad descongelada, tasa de aprendizaje, etiquetas: actúan juntas. La celda siguiente entrena una vez con cada
# combinación, con las 16 razas y el tamaño pequeño. Después, mueva los deslizadores. Los resultados ya están
# calculados, así que la figura responde al momento.
#
# Antes de mover ninguno: ¿qué profundidad soporta la tasa más alta?

# %%
depths = dict(zip(("head only", "last stage", "whole network") if ENGLISH
                  else ("solo la cabeza", "última etapa", "red entera"), ("head", "stage4", None)))  # fmt: skip
rates, label_counts = (1e-4, 1e-3, 1e-2), (2, 8)
knobs = build_classifier(small.backbone, len(BREEDS))
set_seed(SEED)
untrained = get_weights(build_head(small.backbone.feature_size, len(BREEDS)))
surface = {}
for labels_a_class in label_counts:
    n = labels_a_class * len(BREEDS)  # the breeds take turns
    for depth, layer in depths.items():
        for rate in rates if layer != "head" else rates[:1]:
            set_weights(knobs, small_pretrained[:-2] + untrained)
            freeze(knobs) if layer == "head" else unfreeze(knobs, from_layer=layer)
            fit(knobs, pets.images[:n], pets.breeds[:n], epochs=3, lr=rate, batch_size=16,
                schedule="cosine", layer_rates={"head": 1e-2 / rate}, progress=False)  # fmt: skip
            answers = predict_proba(knobs, pets.images[-200:])
            for same in [rate] if layer != "head" else rates:  # nothing of the backbone learns: one run for all
                surface[labels_a_class, depth, same] = evaluation.accuracy(pets.breeds[-200:], answers)


# %%
def draw_surface(depth, rate, labels_a_class):
    curves = {d: [surface[labels_a_class, d, r] for r in rates] for d in depths}
    return figures.plot_rates_by_depth(rates, curves, (depth, rate), language=LANGUAGE)


names_of_sliders = ("trained", "learning rate", "labels a class") if ENGLISH else (
    "se entrena", "tasa de aprendizaje", "etiquetas por clase")  # fmt: skip
choices = dict(zip(names_of_sliders, (list(depths), rates, label_counts)))
explore(choices, draw_surface, start=dict(zip(names_of_sliders, (list(depths)[1], 1e-3, 8))))

# %% [markdown] lang="en"
# *Accuracy on 200 test pictures over the learning rate of the backbone, one curve a depth; the circle marks what the
# sliders have chosen. The head always learns at 0.01. With 200 pictures, differences below about 7 points mean
# nothing.*

# %% [markdown] lang="es"
# *Exactitud con 200 imágenes de prueba según la tasa de aprendizaje de la red base, una curva por profundidad; el
# círculo marca lo elegido con los deslizadores. La cabeza aprende siempre a 0,01. Con 200 imágenes, las diferencias de
# menos de unos 7 puntos no significan nada.*

# %%
_, stage, everything = depths
claim(
    "depth_needs_a_low_rate",
    100 * (surface[8, stage, 1e-2] - surface[8, everything, 1e-2]),
    en="At the highest rate, training the last stage alone is no worse than training the whole network",
    es="Con la tasa más alta, entrenar solo la última etapa no es peor que entrenar la red entera",
    at_least=0,
    unit=POINTS,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# ### Exercise 2
#
# Write the factors of the learning rate for four parts of a network, from the image inwards: `"stem"`, `"stage1"`,
# `"stage2"` and `"head"`. Each part shall learn three times as slowly as the one after it, and the head at factor 1.
# `my_answer` is a dictionary from names to numbers.

# %% [markdown] lang="es"
# ### Ejercicio 2
#
# Escriba los factores de la tasa de aprendizaje de cuatro partes de una red, desde la imagen hacia dentro: `"stem"`,
# `"stage1"`, `"stage2"` y `"head"`. Cada parte debe aprender tres veces más despacio que la siguiente, y la cabeza con
# factor 1. `my_answer` es un diccionario de nombres a números.

# %%
my_answer = None


def check_rates(answer):
    wanted = discriminative_rates(("stem", "stage1", "stage2"), divide=3)
    if answer is None:
        print("my_answer = {...}")
    elif not isinstance(answer, dict) or set(answer) != set(wanted):
        print("✘", f"expected the keys {list(wanted)}" if ENGLISH else f"se esperan las claves {list(wanted)}")
    elif answer["head"] != 1:
        print("✘", "The head has factor 1." if ENGLISH else "La cabeza tiene factor 1.")
    elif not np.allclose([answer[k] for k in wanted], list(wanted.values()), rtol=0.02):
        print("✘", "Divide by 3 at each part, going from the head towards the image." if ENGLISH
              else "Divida por 3 en cada parte, yendo de la cabeza hacia la imagen.")  # fmt: skip
    else:
        print("✔")
        return True
    return False


correct = check_rates(my_answer)

# %% tags=["solution"]
my_answer = {"stem": 1 / 27, "stage1": 1 / 9, "stage2": 1 / 3, "head": 1}
assert check_rates(my_answer)
assert not check_rates({"stem": 1, "stage1": 1 / 3, "stage2": 1 / 9, "head": 1})

# %% [markdown] lang="en"
# ## What was learnt
#
# - More trainable layers are not always better. With few labels, compare frozen, last stage and whole network, with
#   intervals.
# - The learning rate matters more than the depth. A range test gives its scale in seconds; ten times too high destroys
#   the features of both tasks.
# - A new task can be learnt at the price of the old one. Freezing keeps everything; low rates, rates by layer, L2-SP
#   and replay keep a part. Measure both tasks.
# - Leave BatchNorm in inference mode unless you have a reason, and measure if you have one.
# - The decision matrix is a first guess. "Far" has more than one meaning: early features may still help, and on
#   shuffled pixels transfer did harm.

# %% [markdown] lang="es"
# ## Qué hemos aprendido
#
# - Entrenar más capas no siempre es mejor. Con pocas etiquetas, compare red congelada, última etapa y red entera, con
#   intervalos.
# - La tasa de aprendizaje importa más que la profundidad. Una prueba de tasas da su orden de magnitud en segundos; una
#   diez veces demasiado alta destruye las características de las dos tareas.
# - Una tarea nueva puede aprenderse a costa de la antigua. Congelar lo conserva todo; las tasas bajas, las tasas por
#   capa, L2-SP y el repaso conservan una parte. Mida las dos tareas.
# - Deje BatchNorm en modo de inferencia si no tiene un motivo, y si lo tiene, mida.
# - La matriz de decisión es una primera suposición. «Lejos» quiere decir más de una cosa: las características
#   tempranas aún pueden servir, y con los píxeles barajados transferir perjudicó.

# %%
show_quiz("03_fine_tuning/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - J. Howard and S. Ruder, "Universal Language Model Fine-tuning for Text Classification", *ACL* 2018: gradual
#   unfreezing and rates by layer.
# - L. N. Smith, "Cyclical Learning Rates for Training Neural Networks", *WACV* 2017: the range test.
# - X. Li, Y. Grandvalet and F. Davoine, "Explicit Inductive Bias for Transfer Learning with Convolutional Networks",
#   *ICML* 2018: L2-SP.
# - M. McCloskey and N. J. Cohen, "Catastrophic Interference in Connectionist Networks", *Psychology of Learning and
#   Motivation* 24, 1989.
# - A. Robins, "Catastrophic Forgetting, Rehearsal and Pseudorehearsal", *Connection Science* 7, 1995: replay.
# - S. Ioffe and C. Szegedy, "Batch Normalization", *ICML* 2015.
# - S. Kornblith, M. Norouzi, H. Lee and G. Hinton, "Similarity of Neural Network Representations Revisited", *ICML*
#   2019: CKA.
# - J. Yosinski, J. Clune, Y. Bengio and H. Lipson, "How transferable are features in deep neural networks?", *NIPS*
#   2014.
# - Z. Wang, Z. Dai, B. Póczos and J. Carbonell, "Characterizing and Avoiding Negative Transfer", *CVPR* 2019.

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - J. Howard y S. Ruder, «Universal Language Model Fine-tuning for Text Classification», *ACL* 2018: descongelar poco
#   a poco y tasas por capa.
# - L. N. Smith, «Cyclical Learning Rates for Training Neural Networks», *WACV* 2017: la prueba de tasas.
# - X. Li, Y. Grandvalet y F. Davoine, «Explicit Inductive Bias for Transfer Learning with Convolutional Networks»,
#   *ICML* 2018: L2-SP.
# - M. McCloskey y N. J. Cohen, «Catastrophic Interference in Connectionist Networks», *Psychology of Learning and
#   Motivation* 24, 1989.
# - A. Robins, «Catastrophic Forgetting, Rehearsal and Pseudorehearsal», *Connection Science* 7, 1995: el repaso.
# - S. Ioffe y C. Szegedy, «Batch Normalization», *ICML* 2015.
# - S. Kornblith, M. Norouzi, H. Lee y G. Hinton, «Similarity of Neural Network Representations Revisited», *ICML*
#   2019: CKA.
# - J. Yosinski, J. Clune, Y. Bengio y H. Lipson, «How transferable are features in deep neural networks?», *NIPS*
#   2014.
# - Z. Wang, Z. Dai, B. Póczos y J. Carbonell, «Characterizing and Avoiding Negative Transfer», *CVPR* 2019.
