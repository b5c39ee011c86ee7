# %% [markdown] lang="en"
# # Cats and dogs: how much does transfer learning save?
#
# **{Framework}** · about 45 minutes · before this: [00 Start here](00_start_here_{framework}.ipynb).
#
# You have some pictures of cats and dogs, few of them labelled, and a laptop. After this lesson you can
#
# - look at a data set and find its defects before they find you;
# - use a pretrained network as a frozen **feature extractor**, and train a head on its features;
# - measure how many labels and how much time that saves against training from scratch;
# - **fine-tune** the last layers, and say with an interval whether it helped;
# - read a confusion matrix, look at the worst mistakes, save a model and try it on a photo of your own.

# %% [markdown] lang="es"
# # Gatos y perros: ¿cuánto ahorra el aprendizaje por transferencia?
#
# **{Framework}** · unos 45 minutos · antes: [00 Empiece aquí](00_start_here_{framework}.ipynb).
#
# Tiene unas cuantas imágenes de gatos y perros, pocas de ellas etiquetadas, y un portátil. Al terminar podrá
#
# - examinar un conjunto de datos y encontrar sus defectos antes de que le den un disgusto;
# - usar una red preentrenada y congelada como **extractor de características**, y entrenar una cabeza sobre estas;
# - medir cuántas etiquetas y cuánto tiempo ahorra eso frente a entrenar desde cero;
# - hacer un **ajuste fino** de las últimas capas y decir, con un intervalo, si ha servido;
# - leer una matriz de confusión, mirar los peores errores, guardar un modelo y probarlo con una foto suya.

# %% tags=["parameters"]
LANGUAGE = "en"  # of the figures: "en" or "es"
SEED = 0
DATASET = "drawn_pets"  # or "cats_vs_dogs", "oxford_pets_species", a folder with one sub-folder a class
BACKBONE = "mini_resnet"  # or "mobilenet", "resnet50", ...
IMAGE_SIZE = 64  # side of the images, in pixels; what the backbone was trained at
LABELS_A_CLASS = 50  # labelled training images of each class, at most
SEEDS = 3  # how often an experiment is repeated
SCRATCH_SEEDS = 3  # the same for training from scratch, which is slow with a large backbone
SCRATCH_EPOCHS = 12  # passes over the data from scratch, at least
FINE_TUNE_EPOCHS = 5

# %% [markdown] lang="en"
# ## What do you expect?
#
# Two questions before we start. A guess that turns out wrong is remembered best.

# %% [markdown] lang="es"
# ## ¿Qué espera usted?
#
# Dos preguntas antes de empezar. Lo que mejor se recuerda es la suposición que resulta equivocada.

# %%
# %matplotlib inline
import time

import numpy as np

from tlhelpers import metrics as evaluation, plots
from tlhelpers.claims import claim, record_result
from tlhelpers.data.datasets import load_splits
from tlhelpers.quiz import show_quiz

POINTS = {"en": "points", "es": "puntos"}[LANGUAGE]  # differences of percentages
show_quiz("01_cats_vs_dogs/before", LANGUAGE)

# %% framework="pytorch"
from tlhelpers.legacy.pytorch import (
    build_classifier,
    build_head,
    count_parameters,
    extract_features,
    feature_maps,
    fit,
    freeze,
    get_weights,
    load_backbone,
    load_classifier,
    predict_proba,
    save_classifier,
    set_seed,
    set_weights,
    unfreeze,
)

# %% framework="tensorflow"
from tlhelpers.legacy.tensorflow import (
    build_classifier,
    build_head,
    count_parameters,
    extract_features,
    feature_maps,
    fit,
    freeze,
    get_weights,
    load_backbone,
    load_classifier,
    predict_proba,
    save_classifier,
    set_seed,
    set_weights,
    unfreeze,
)

# %% [markdown] lang="en"
# ## 1. Look at the data
#
# Before any network: what is in the folder? `load_splits` reads every file once, writes down what it used and what it
# left out, and why. It changes nothing in your files.

# %% [markdown] lang="es"
# ## 1. Mirar los datos
#
# Antes que cualquier red: ¿qué hay en la carpeta? `load_splits` lee cada archivo una vez y anota qué ha usado, qué ha
# descartado y por qué. No cambia nada en sus archivos.

# %% tags=["nbval-check-output"]
data = load_splits(DATASET, image_size=IMAGE_SIZE, seed=SEED, val_fraction=0.2, progress=False)
print(data.manifest.summary(LANGUAGE))
for name, part in (("train", data.train), ("val", data.val), ("test", data.test)):
    print(f"{name:>5}: {len(part):5,}", dict(zip(part.class_names, np.bincount(part.labels).tolist())))

# %%
some = data.train.per_class(6, seed=SEED)
order = np.argsort(some.labels, kind="stable")
class_words = plots.class_words(some.class_names, LANGUAGE)
axes = plots.show_images(some.images[order], [class_words[k] for k in some.labels[order]], columns=6)

# %% [markdown] lang="en"
# *Training images, one row for each class. Look for what could be mistaken: poses, backgrounds, things in front.*
#
# Three parts, each with its own use. We learn from [**train**](../../docs/glossary.md#training-set). We choose with
# [**val**](../../docs/glossary.md#validation-set) (validation): when to stop, which of two ways.
# [**test**](../../docs/glossary.md#test-set) is for the very end, once, so that nothing was chosen to suit it.
#
# ### What defects look like
#
# Real collections have broken files, files with the wrong extension, and the same photo twice. A photo that is both in
# train and in test is an answer that [leaked](../../docs/glossary.md#data-leakage). To see what the audit does about
# it, let us make a small folder and damage it on purpose.

# %% [markdown] lang="es"
# *Imágenes de entrenamiento, una fila por clase. Busque lo que podría confundir: posturas, fondos, objetos que tapan al
# animal.*
#
# Tres partes, cada una con su uso. De [**train**](../../docs/glosario.md#conjunto-de-entrenamiento) (entrenamiento)
# aprendemos. Con [**val**](../../docs/glosario.md#conjunto-de-validación) (validación) elegimos: cuándo parar, cuál de
# dos métodos. [**test**](../../docs/glosario.md#conjunto-de-prueba) (prueba) es para el final, una sola vez, para que
# nada se haya elegido a su medida.
#
# ### Qué aspecto tienen los defectos
#
# Las colecciones reales tienen archivos rotos, archivos con la extensión equivocada y fotos repetidas. Una foto que
# está en entrenamiento y también en prueba es una respuesta que [se ha filtrado](../../docs/glosario.md#fuga-de-datos).
# Para ver qué hace con todo ello la auditoría de `load_splits`, creemos una carpeta pequeña y estropeémosla a
# propósito.

# %%
import tempfile
from pathlib import Path

from PIL import Image

folder = Path(tempfile.mkdtemp())
for i, (image, label) in enumerate(zip(some.images, some.labels)):
    (folder / some.class_names[label]).mkdir(exist_ok=True)
    Image.fromarray(image).save(folder / some.class_names[label] / f"{i}.jpg")
cats = folder / some.class_names[0]
whole = (cats / f"{np.flatnonzero(some.labels == 0)[0]}.jpg").read_bytes()
(cats / "twice.jpg").write_bytes(whole)
(cats / "half.jpg").write_bytes(whole[: len(whole) // 2])
(cats / "empty.jpg").write_bytes(b"")
(cats / "Thumbs.db").write_bytes(b"not an image")

damaged = load_splits(str(folder), image_size=IMAGE_SIZE, progress=False)
print(damaged.manifest.summary(LANGUAGE))

# %%
claim(
    "defects_found",
    len(damaged.manifest.left_out),
    en="The audit leaves out all four defective files",
    es="La auditoría descarta los cuatro archivos defectuosos",
    at_least=4,
    at_most=4,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# ## 2. What does a pretrained backbone already know?
#
# A [**backbone**](../../docs/glossary.md#backbone) is a network without its last layer, the one that names classes.
# What it knows is in its **weights**, the numbers that training has set.

# %% [markdown] lang="es"
# ## 2. ¿Qué sabe ya una red base preentrenada?
#
# Una [**red base**](../../docs/glosario.md#red-base) (*backbone*) es una red sin su última capa, la que nombra las
# clases. Lo que sabe está en sus **pesos**, los números que el entrenamiento ha fijado.

# %%
set_seed(SEED)
backbone = load_backbone(BACKBONE, image_size=IMAGE_SIZE)
print(backbone)

# %% [markdown] lang="en"
# It was trained on other pictures. What would it call our animals? The embedded backbone still has its old last layer,
# with words for 202 things, so we can ask. (Another backbone comes without; then this cell shows nothing.)

# %% [markdown] lang="es"
# Se entrenó con otras imágenes. ¿Cómo llamaría a nuestros animales? La red incluida en el curso conserva su antigua
# última capa, con palabras para 202 cosas (en inglés), así que podemos preguntarle. (Con otra red, esta celda no
# muestra nada.)

# %%
from tlhelpers.legacy.backbones import source_classes

if BACKBONE == "mini_resnet":
    answers = source_classes(extract_features(backbone, some.images[order], progress=False), top=2)
    titles = ["\n".join(f"{name[:16]} {p:.0%}" for name, p in best) for best in answers]
    axes = plots.show_images(some.images[order], titles, columns=6)

# %% [markdown] lang="en"
# *The two old words that the network finds most probable for each picture. Most are wrong, and some are absurd: none of
# its words means "a drawn cat".*
#
# So the old answers are of little use here. But the answers are only the last layer. What matters is what lies before
# it.

# %% [markdown] lang="es"
# *Las dos palabras antiguas que la red considera más probables para cada imagen. La mayoría son erróneas y algunas,
# absurdas: ninguna de sus palabras significa «gato dibujado».*
#
# Así que las respuestas antiguas sirven aquí de poco. Pero las respuestas son solo la última capa. Lo que importa es lo
# que hay antes de ella.

# %% [markdown] lang="en"
# What do the early layers make of a cat, and what do the late ones? Each layer holds [**feature
# maps**](../../docs/glossary.md#feature-map): small pictures that are bright where the layer has found what it looks
# for.

# %% [markdown] lang="es"
# ¿Ven lo mismo en un gato las primeras capas y las últimas? Cada capa produce [**mapas de
# características**](../../docs/glosario.md#mapa-de-características): pequeñas imágenes que brillan donde la capa ha
# encontrado lo que busca.

# %%
one_cat = some.images[np.flatnonzero(some.labels == 0)[:1]]
names = backbone.layer_names
shown = [names[round(k)] for k in np.linspace(0, len(names) - 1, 4)]
maps = {name: feature_maps(backbone, one_cat, name)[0] for name in shown}
axes = plots.show_images(one_cat, side=1.6)
axes = plots.show_feature_maps({name: m for name, m in maps.items() if m.ndim == 3})

# %% [markdown] lang="en"
# *A cat, and six maps (channels) of each of four layers, from the first to the last; yellow is strong. Early maps still
# show the cat's outline. Late maps have few pixels: they no longer say where exactly, but what.*

# %% [markdown] lang="es"
# *Un gato, y seis mapas (canales) de cada una de cuatro capas, de la primera a la última; el amarillo indica una
# respuesta fuerte. En los primeros mapas aún se ve el contorno del gato. Los últimos tienen pocos píxeles: ya no dicen
# dónde exactamente, sino qué.*

# %% [markdown] lang="en"
# The mean of each map of the last layer is one number. All of them together are the
# [**features**](../../docs/glossary.md#feature) of the picture. Let us compute them for all training and validation
# images, and time it twice.

# %% [markdown] lang="es"
# La media de cada mapa de la última capa es un número. Todos juntos son las
# [**características**](../../docs/glosario.md#característica) de la imagen. Calculémoslas para todas las imágenes de
# entrenamiento y validación, y midamos el tiempo dos veces.


# %%
def timed(action):
    started = time.perf_counter()
    return action(), time.perf_counter() - started


images = np.concatenate([data.train.images, data.val.images])
_, first_seconds = timed(lambda: extract_features(backbone, images))
both, second_seconds = timed(lambda: extract_features(backbone, images))
features, val_features = both[: len(data.train)], both[len(data.train) :]
first, second = {"en": ("first", "second"), "es": ("primera vez", "segunda vez")}[LANGUAGE]
table = f"{len(images):,} × {features.shape[1]:,}"
print(f"{table}; {first}: {first_seconds:.2f} s, {second}: {second_seconds:.2f} s")

# %% [markdown] lang="en"
# The second time they came from the disk. A frozen backbone gives the same features for the same picture, always; so
# once is enough. (If you run this notebook again, the first time is short too.)
#
# ## 3. A head on frozen features
#
# The [**head**](../../docs/glossary.md#head) is one linear layer: it weighs the features and gives one score a class.
# It is all that we train.

# %% [markdown] lang="es"
# La segunda vez se leyeron del disco. Una red congelada da siempre las mismas características para la misma imagen, así
# que basta calcularlas una vez. (Si ejecuta de nuevo este cuaderno, la primera vez también será corta.)
#
# ## 3. Una cabeza sobre características congeladas
#
# La [**cabeza**](../../docs/glosario.md#cabeza) es una sola capa lineal: pondera las características y da una
# puntuación por clase. Es lo único que entrenamos.

# %%
num_classes = len(data.train.class_names)
labels_a_class = min(LABELS_A_CLASS, int(np.bincount(data.train.labels).min()))
few = data.train.per_class(labels_a_class, seed=SEED)
few_features = extract_features(backbone, few.images, progress=False)


def train_head(seed):
    set_seed(seed)
    head = build_head(backbone.feature_size, num_classes)
    history = fit(
        head, few_features, few.labels, val_features, data.val.labels,
        epochs=30, lr=3e-3, weight_decay=1e-2, patience=6, seed=seed, progress=False,
    )  # fmt: skip
    return head, history


head, history = train_head(SEED)
axes = plots.plot_history(history, language=LANGUAGE)

# %% [markdown] lang="en"
# *[Loss](../../docs/glossary.md#loss) (how wrong the answers are; lower is better) and accuracy after each pass over
# the data (an [epoch](../../docs/glossary.md#epoch)). The dotted line marks the epoch whose weights were kept: the one
# with the lowest validation loss.*
#
# Backbone and head together make a **classifier**. How much of it did we train?

# %% [markdown] lang="es"
# *[Pérdida](../../docs/glosario.md#función-de-pérdida) (cuánto se equivocan las respuestas; menos es mejor) y exactitud
# tras cada pasada por los datos (una [época](../../docs/glosario.md#época)). La línea de puntos marca la época cuyos
# pesos se han conservado: la de menor pérdida de validación.*
#
# La red base y la cabeza forman juntas un **clasificador**. ¿Qué parte de él hemos entrenado?

# %%
classifier = build_classifier(backbone, head=head)
freeze(classifier)
counts = count_parameters(classifier)
print(counts)
claim(
    "few_parameters",
    100 * counts.trainable / (counts.trainable + counts.frozen),
    en="The head is less than 1 % of the classifier's parameters",
    es="La cabeza es menos del 1 % de los parámetros del clasificador",
    at_most=1,
    unit="%",
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# ## 4. How many labels does transfer save?
#
# Labels cost work. So the fair question is: with the *same* labels, how far does each way get?
#
# - **Transfer**: [logistic regression](../../docs/glossary.md#logistic-regression) on frozen features (a linear head
#   again, fitted until it cannot improve).
# - **From scratch**: the same architecture, all weights random at the start, all of it trained, with flipped and
#   shifted copies of the images.
#
# We repeat it with several [**seeds**](../../docs/glossary.md#seed), the numbers that fix what is left to chance: each
# draws other images and other starting weights. One run alone could be luck.

# %% [markdown] lang="es"
# ## 4. ¿Cuántas etiquetas ahorra la transferencia?
#
# Etiquetar cuesta trabajo. Así que la pregunta justa es: con las *mismas* etiquetas, ¿hasta dónde llega cada método?
#
# - **Transferencia**: [regresión logística](../../docs/glosario.md#regresión-logística) sobre características
#   congeladas (otra cabeza lineal, ajustada hasta que ya no puede mejorar).
# - **Desde cero**: la misma arquitectura, con todos los pesos al azar al principio, entrenada entera, con copias
#   reflejadas y desplazadas de las imágenes.
#
# Lo repetimos con varias [**semillas**](../../docs/glosario.md#semilla), los números que fijan lo que se deja al azar:
# cada una elige otras imágenes y otros pesos iniciales. Un solo resultado podría deberse a la suerte.

# %%
label_counts = [n for n in (10, 25) if n < labels_a_class] + [labels_a_class]


def random_network(seed):
    set_seed(seed)
    model = build_classifier(load_backbone(BACKBONE, weights="random", image_size=IMAGE_SIZE), num_classes)
    unfreeze(model, batch_norm=True)
    return model


def train_from_scratch(model, images, labels, seed):
    # with few images, more passes: as many steps as make sense
    epochs = max(SCRATCH_EPOCHS, 300 // len(images))
    fit(
        model, images, labels, epochs=epochs, lr=1e-3, batch_size=16, weight_decay=1e-2,
        schedule="cosine", augment=True, seed=seed, progress=False,
    )  # fmt: skip


# %%
transfer = np.zeros((SEEDS, len(label_counts)))
for seed in range(SEEDS):
    for k, count in enumerate(label_counts):
        subset = data.train.per_class(count, seed=seed)
        subset_features = extract_features(backbone, subset.images, progress=False)
        probabilities = evaluation.linear_probe(subset_features, subset.labels, val_features)
        transfer[seed, k] = evaluation.accuracy(data.val.labels, probabilities)
print(np.round(100 * transfer, 1))

# %%
scratch = np.zeros((SCRATCH_SEEDS, len(label_counts)))
scratch_models, scratch_seconds = [], 0.0
for seed in range(SCRATCH_SEEDS):
    model = random_network(seed)
    start = get_weights(model)
    for k, count in enumerate(label_counts):
        set_weights(model, start)  # the same random weights, however many labels
        subset = data.train.per_class(count, seed=seed)
        _, seconds = timed(lambda: train_from_scratch(model, subset.images, subset.labels, seed))
        scratch[seed, k] = evaluation.accuracy(data.val.labels, predict_proba(model, data.val.images))
    scratch_models.append(model)  # the one with most labels, and its seconds
    scratch_seconds += seconds / SCRATCH_SEEDS
print(np.round(100 * scratch, 1))

# %%
curve_names = {
    "en": ("transfer, frozen", "from scratch"),
    "es": ("transferencia, congelada", "desde cero"),
}[LANGUAGE]
ax = plots.plot_accuracy_over_labels(
    label_counts, dict(zip(curve_names, (transfer, scratch))), chance=1 / num_classes, language=LANGUAGE
)

# %% [markdown] lang="en"
# *Validation accuracy against the number of labelled images of each class. Lines join the means; pale marks are single
# seeds.*

# %% [markdown] lang="es"
# *Exactitud de validación según el número de imágenes etiquetadas de cada clase. Las líneas unen las medias; cada marca
# pálida es una semilla.*

# %%
ten = label_counts.index(min(10, labels_a_class))
claim(
    "transfer_beats_scratch",
    100 * (transfer[:, ten].mean() - scratch[:, ten].mean()),
    en=f"With {label_counts[ten]} labels a class, transfer is far ahead of training from scratch",
    es=f"Con {label_counts[ten]} etiquetas por clase, la transferencia va muy por delante de empezar de cero",
    at_least=15,
    unit=POINTS,
    language=LANGUAGE,
)
claim(
    "fewer_labels_are_enough",
    100 * (transfer[:, -2].mean() - scratch[:, -1].mean()),
    en=f"Transfer with {label_counts[-2]} labels a class is no worse than scratch with {label_counts[-1]}",
    es=f"La transferencia con {label_counts[-2]} etiquetas por clase no es peor que empezar de cero "
    f"con {label_counts[-1]}",
    at_least=0,
    unit=POINTS,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# ## 5. How much time does it save?
#
# The frozen backbone sees each picture once, not once an epoch. So ten epochs of head training should cost about as
# much as one. We measure three epochs with the backbone run in each, work out what ten would take, and compare with
# computing the features once and ten epochs on them.

# %% [markdown] lang="es"
# ## 5. ¿Cuánto tiempo ahorra?
#
# La red congelada ve cada imagen una vez, no una vez por época. Así que entrenar la cabeza diez épocas debería costar
# más o menos lo mismo que una.
#
# Medimos tres épocas en las que cada imagen pasa por la red base y calculamos cuánto durarían diez. Lo comparamos con
# calcular las características una sola vez y entrenar diez épocas sobre ellas.

# %%
whole_model = build_classifier(backbone, num_classes)
freeze(whole_model)
slow = fit(whole_model, few.images, few.labels, epochs=3, progress=False)
slow_seconds = 10 * np.median(slow.seconds)


def cached_way():
    fresh = extract_features(backbone, few.images, cache=False, progress=False)
    return fit(build_head(backbone.feature_size, num_classes), fresh, few.labels, epochs=10, progress=False)


_, fast_seconds = timed(cached_way)
time_names = {
    "en": ("backbone in each epoch", "features once"),
    "es": ("red base en cada época", "características una vez"),
}[LANGUAGE]
ax = plots.plot_seconds(dict(zip(time_names, (slow_seconds, fast_seconds))), language=LANGUAGE)

# %% [markdown] lang="en"
# *Time for ten epochs of training the head, in seconds; shorter is better.*

# %% [markdown] lang="es"
# *Tiempo de diez épocas de entrenamiento de la cabeza, en segundos; cuanto menos, mejor.*

# %%
claim(
    "cached_features_are_faster",
    slow_seconds / fast_seconds,
    en="Ten epochs on features computed once are at least twice as fast",
    es="Diez épocas sobre características calculadas una vez son al menos el doble de rápidas",
    at_least=2,
    unit="×",
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# ## 6. Fine-tuning
#
# The backbone learnt from other pictures. Can it adapt to ours? [**Fine-tuning**](../../docs/glossary.md#fine-tuning)
# lets its last layers train a little, at a low [**learning rate**](../../docs/glossary.md#learning-rate) (the size of a
# training step), so that they are corrected and not overwritten.
#
# We start from the trained head. A random head would send large, senseless corrections into the backbone.

# %% [markdown] lang="es"
# ## 6. Ajuste fino
#
# La red base aprendió de otras imágenes. ¿Puede adaptarse a las nuestras? El [**ajuste
# fino**](../../docs/glosario.md#ajuste-fino) (*fine-tuning*) permite que sus últimas capas se entrenen un poco, con una
# [**tasa de aprendizaje**](../../docs/glosario.md#tasa-de-aprendizaje) baja (el tamaño de cada paso). Así se corrigen
# sin perder lo que saben.
#
# Partimos de la cabeza ya entrenada. Una cabeza con pesos al azar enviaría a la red correcciones grandes y sin sentido.

# %% framework="pytorch"
LAST_LAYERS = {"mini_resnet": "stage4", "mobilenet": "blocks.4", "resnet18": "layer4", "resnet50": "layer4"}

# %% framework="tensorflow"
LAST_LAYERS = {"mini_resnet": "stage4", "mobilenet": "conv_dw_12", "resnet50": "conv5_block1_1_conv"}


# %%
def fine_tune(seed):
    # the same head again: fine-tuning goes on from it, and the frozen one stays as it was
    head, _ = train_head(seed)
    set_seed(seed)
    model = build_classifier(load_backbone(BACKBONE, image_size=IMAGE_SIZE), head=head)
    unfreeze(model, from_layer=LAST_LAYERS.get(BACKBONE))
    history = fit(
        model, few.images, few.labels, data.val.images, data.val.labels, epochs=FINE_TUNE_EPOCHS, lr=1e-4,
        batch_size=16, schedule="cosine", augment=True, seed=seed, progress=False,
    )  # fmt: skip
    return model, history


# %%
heads, head_seconds, tuned_models, tuned_seconds = [], 0.0, [], 0.0
for seed in range(SEEDS):
    (head, _), seconds = timed(lambda: train_head(seed))
    heads.append(head)
    head_seconds += seconds / SEEDS
    (model, history), seconds = timed(lambda: fine_tune(seed))
    tuned_models.append(model)
    tuned_seconds += seconds / SEEDS
print(count_parameters(model))
axes = plots.plot_history(history, language=LANGUAGE)

# %% [markdown] lang="en"
# *Fine-tuning with the last seed. It goes on from the trained head, so the first epoch is good already.*
#
# As before, the lowest validation loss decides which epoch is kept.
#
# ## 7. The test, once
#
# Everything is chosen: now, and only now, the test images. Each way has as many labels of each class, and several
# seeds. (Frozen and fine-tuned share their images, and choose their epoch with the validation images; from scratch
# draws others with each seed.)
#
# The interval tells how far the number could be off, because the test has only so many images and because seeds differ.
# Intervals that overlap do not settle which is better; for that we compare image by image.

# %% [markdown] lang="es"
# *Ajuste fino con la última semilla. Continúa desde la cabeza ya entrenada, así que la primera época ya es buena.*
#
# Como antes, la menor pérdida de validación decide qué época se conserva.
#
# ## 7. La prueba, una sola vez
#
# Ya está todo elegido. Ahora, y solo ahora, miramos las imágenes de prueba. Cada método dispone de las mismas etiquetas
# por clase y de varias semillas. (La red congelada y el ajuste fino comparten imágenes y eligen su época con las de
# validación; el entrenamiento desde cero elige otras imágenes con cada semilla.)
#
# El intervalo dice cuánto podría desviarse el resultado, porque las imágenes de prueba son un número limitado y porque
# las semillas difieren. Que dos intervalos se solapen no permite decidir qué método es mejor; para eso comparamos
# imagen por imagen.

# %%
test = data.test
test_features = extract_features(backbone, test.images, progress=False)
predictions = {
    "frozen": [predict_proba(head, test_features) for head in heads],
    "fine_tuned": [predict_proba(model, test.images) for model in tuned_models],
    "scratch": [predict_proba(model, test.images) for model in scratch_models],
}
seconds = {"frozen": head_seconds, "fine_tuned": tuned_seconds, "scratch": scratch_seconds}
estimates = {}
for method, runs in predictions.items():
    accuracies = [evaluation.accuracy(test.labels, run) for run in runs]
    estimates[method] = evaluation.accuracy_estimate(accuracies, len(test))
    record_result(
        "accuracy", method=method, accuracy=estimates[method].value, low=estimates[method].low,
        high=estimates[method].high, data=DATASET, backbone=BACKBONE, seconds=seconds[method],
        labels_a_class=labels_a_class, test_images=len(test), seeds=len(runs),
    )  # fmt: skip

# %%
method_names = {
    "en": {"frozen": "frozen", "fine_tuned": "fine-tuned", "scratch": "from scratch"},
    "es": {"frozen": "congelada", "fine_tuned": "ajuste fino", "scratch": "desde cero"},
}[LANGUAGE]
for method, estimate in estimates.items():
    print(f"{method_names[method]:>12}: {estimate}   {seconds[method]:6.1f} s")
ax = plots.plot_estimates({method_names[m]: e for m, e in estimates.items()}, language=LANGUAGE)

# %% [markdown] lang="en"
# *Test accuracy, the mean of all seeds, with its 95 % interval. The lines above the figure add the seconds of
# training.*
#
# Did fine-tuning help? A difference whose interval contains zero is no difference that this test can see.

# %% [markdown] lang="es"
# *Exactitud en la prueba, media de todas las semillas, con su intervalo del 95 %. Las líneas de texto encima de la
# figura añaden los segundos de entrenamiento.*
#
# ¿Ha servido el ajuste fino? Una diferencia cuyo intervalo contiene el cero es una diferencia que esta prueba no puede
# ver.


# %%
def right(method, seeds):
    return np.stack([run.argmax(1) == test.labels for run in predictions[method][:seeds]])


tuning = evaluation.paired_difference(right("frozen", SEEDS), right("fine_tuned", SEEDS))
common = min(SEEDS, SCRATCH_SEEDS)
saving = evaluation.paired_difference(right("scratch", common), right("frozen", common))
print({"en": "Fine-tuned against frozen:", "es": "Ajuste fino frente a red congelada:"}[LANGUAGE],
      evaluation.describe_difference(tuning, LANGUAGE))  # fmt: skip
print({"en": "Frozen against scratch:", "es": "Red congelada frente a empezar de cero:"}[LANGUAGE],
      evaluation.describe_difference(saving, LANGUAGE))  # fmt: skip

# %%
claim(
    "frozen_beats_scratch_on_test",
    100 * saving.low,
    en="Frozen beats scratch on the test images: the whole interval of the difference is above zero",
    es="En la prueba, la red congelada supera a empezar de cero: todo el intervalo es mayor que cero",
    at_least=0,
    unit=POINTS,
    language=LANGUAGE,
)
claim(
    "low_rate_does_no_harm",
    100 * tuning.value,
    en="Fine-tuning with a low rate and the best epoch kept costs no more than 3 points",
    es="El ajuste fino con tasa baja, guardando la mejor época, no cuesta más de 3 puntos",
    at_least=-3,
    unit=POINTS,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# ## 8. Where does it go wrong?
#
# One number hides who is mistaken for whom. The [**confusion matrix**](../../docs/glossary.md#confusion-matrix) shows
# it: rows are true classes, columns are answers.

# %% [markdown] lang="es"
# ## 8. ¿Dónde se equivoca?
#
# Un solo número esconde quién se confunde con quién. La [**matriz de
# confusión**](../../docs/glosario.md#matriz-de-confusión) lo muestra: las filas son las clases verdaderas; las
# columnas, las respuestas.

# %%
probabilities = predictions["fine_tuned"][0]
predicted = probabilities.argmax(1)
ax = plots.plot_confusion_matrix(test.labels, predicted, class_words, language=LANGUAGE)

# %%
worst = evaluation.most_confident_mistakes(test.labels, probabilities, top=6)
sure = probabilities.max(1)
titles = [f"{class_words[test.labels[i]]} → {class_words[predicted[i]]}\n{sure[i]:.0%}" for i in worst]
if len(worst):
    axes = plots.show_images(test.images[worst], titles, columns=6)

# %% [markdown] lang="en"
# *The mistakes of which the network was most certain: true class → answer, and its probability. Can you see what misled
# it? A percentage is not a promise: these were wrong.*
#
# ## 9. Keep it
#
# A model that cannot be loaded again is not finished. The file holds weights, class names and preprocessing. Its
# format, safetensors, cannot run code when it is opened; not every format can say the same.

# %% [markdown] lang="es"
# *Los errores de los que la red estaba más segura: clase verdadera → respuesta, y su probabilidad. ¿Ve usted qué la ha
# confundido? Un porcentaje no es una promesa: estas respuestas eran erróneas.*
#
# ## 9. Guardar el modelo
#
# Un modelo que no se puede volver a cargar no está terminado. El archivo guarda los pesos, los nombres de las clases y
# el preprocesamiento. Su formato, safetensors, no puede ejecutar código al abrirse; no todos los formatos pueden decir
# lo mismo.

# %%
path = save_classifier(tuned_models[0], folder / "cats_and_dogs.safetensors", test.class_names)
loaded, class_names = load_classifier(path)
before, after = (predict_proba(model, test.images[:32]) for model in (tuned_models[0], loaded))
print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB, {class_names}")
claim(
    "saved_equals_loaded",
    np.abs(after - before).max(),
    en="The loaded classifier gives the same probabilities as the saved one",
    es="El clasificador cargado da las mismas probabilidades que el guardado",
    at_most=1e-3,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# ## 10. A photo of your own
#
# Press the button and choose a photo. It stays on the machine that runs this notebook. Try your cat, then try something
# that is neither cat nor dog: the network knows only two words, and will use one of them.

# %% [markdown] lang="es"
# ## 10. Una foto suya
#
# Pulse el botón y elija una foto. No sale del equipo que ejecuta este cuaderno. Pruebe con su gato y luego con algo que
# no sea ni gato ni perro: la red solo conoce dos palabras, y usará una de ellas.

# %%
from tlhelpers.data.images import prepare_photo
from tlhelpers.widgets import ask_for_photo


def answer(photo):
    image = prepare_photo(photo, IMAGE_SIZE)
    for name, probability in zip(class_names, predict_proba(loaded, image[None])[0]):
        print(f"{name:>8} {probability:7.1%}")
    plots.plt.show(plots.show_images(image[None], side=2.5)[0, 0].figure)


ask_for_photo(answer, LANGUAGE)

# %% [markdown] lang="en"
# ## 11. A challenge: pictures of another kind
#
# Our classifier learnt from one kind of picture. What does it make of the same kind of animal, drawn in pencil or seen
# at night? The task is the same; the [domain](../../docs/glossary.md#domain-shift), $P(X)$, has changed. Guess first,
# then look.

# %% [markdown] lang="es"
# ## 11. Un reto: imágenes de otro tipo
#
# Nuestro clasificador aprendió de un solo tipo de imágenes. ¿Qué hará con gatos y perros dibujados a lápiz o vistos de
# noche? La tarea es la misma; el [dominio](../../docs/glosario.md#cambio-de-dominio), $P(X)$, ha cambiado. Primero
# apueste; luego mire.

# %%
from tlhelpers.drawn_pets import SPECIES, STYLES, draw_pets

shifted = {}
for style in STYLES if class_names == SPECIES else ():  # classes of your own have no drawings
    pets = draw_pets(120, seed=SEED + 1000, size=IMAGE_SIZE, style=style)
    answers = [predict_proba(model, pets.images) for model in tuned_models]
    accuracies = [evaluation.accuracy(pets.species, probabilities) for probabilities in answers]
    shifted[style] = evaluation.accuracy_estimate(accuracies, len(pets.images))
style_words = {"en": STYLES, "es": ("foto", "boceto", "noche")}[LANGUAGE]
if shifted:
    ax = plots.plot_estimates(dict(zip(style_words, shifted.values())), language=LANGUAGE)

# %% [markdown] lang="en"
# *Accuracy on 120 new drawings of each style, with its 95 % interval.*

# %% [markdown] lang="es"
# *Exactitud con 120 dibujos nuevos de cada estilo, con su intervalo del 95 %.*

# %%
if shifted:
    claim(
        "another_domain_costs_accuracy",
        100 * (estimates["fine_tuned"].value - shifted["sketch"].value),
        en="On sketches the classifier is clearly worse than on its own kind of pictures",
        es="Con bocetos, el clasificador es claramente peor que con su propio tipo de imágenes",
        at_least=5,
        unit=POINTS,
        language=LANGUAGE,
    )

# %% [markdown] lang="en"
# **Your turn.** Can you win back what was lost? Some ideas: add ten labelled pictures of the new style to the training
# data; fine-tune from an earlier layer; train on grey pictures. Change one thing at a time, choose with validation
# images of the new style, and report the difference with its interval.

# %% [markdown] lang="es"
# **Le toca a usted.** ¿Puede recuperar lo perdido? Algunas ideas: añadir al entrenamiento diez imágenes etiquetadas del
# estilo nuevo; hacer el ajuste fino desde una capa anterior; entrenar con imágenes en gris. Cambie una sola cosa cada
# vez, elija con imágenes de validación del estilo nuevo e informe de la diferencia con su intervalo.

# %% tags=["solution"]
if shifted:  # the first idea, for sketches: the backbone stays frozen, the head learns from ten pictures more
    sketches = draw_pets(120, seed=SEED + 1000, size=IMAGE_SIZE, style="sketch")  # those of the figure
    sketch_features = extract_features(backbone, sketches.images, progress=False)
    names = {"en": ("before", "with ten sketches"), "es": ("antes", "con diez bocetos")}[LANGUAGE]
    runs = {name: [] for name in names}
    for seed in range(SEEDS):  # ten other sketches each time; nothing is chosen, so no validation images
        ten = draw_pets(10, seed=SEED + 2000 + seed, size=IMAGE_SIZE, style="sketch")
        x = np.concatenate([few_features, extract_features(backbone, ten.images, progress=False)])
        y = np.concatenate([few.labels, ten.species])
        for name, n in zip(names, (len(few_features), len(x))):
            answers = evaluation.linear_probe(x[:n], y[:n], sketch_features)
            runs[name].append(answers.argmax(1) == sketches.species)
    for name, found in runs.items():
        print(f"{name:>17}:", evaluation.accuracy_estimate([run.mean() for run in found], len(sketches.images)))
    print(evaluation.describe_difference(evaluation.paired_difference(*runs.values()), LANGUAGE))

# %% [markdown] lang="en"
# ## What was learnt
#
# - A pretrained backbone turns pictures into features that already separate what we care about.
# - With few labels, a linear head on frozen features is far ahead of training from scratch. The figure of section 4
#   says how far, for these pictures.
# - Frozen features are computed once; training a head on them takes seconds.
# - Whether fine-tuning adds something has to be measured, with an interval. Section 7 says what it was here.
# - A model that does well on one kind of picture promises nothing for another kind.

# %% [markdown] lang="es"
# ## Qué hemos aprendido
#
# - Una red base preentrenada convierte las imágenes en características que ya separan lo que nos interesa distinguir.
# - Con pocas etiquetas, una cabeza lineal sobre características congeladas va muy por delante del entrenamiento desde
#   cero. La figura de la sección 4 dice cuánto, con estas imágenes.
# - Las características congeladas se calculan una sola vez; entrenar una cabeza sobre ellas lleva segundos.
# - Hay que medir, con un intervalo, si el ajuste fino aporta algo. La sección 7 dice cuánto aportó aquí.
# - Que un modelo funcione bien con un tipo de imágenes no promete nada para otro tipo.

# %%
show_quiz("01_cats_vs_dogs/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - J. Elson, J. R. Douceur, J. Howell and J. Saul, "Asirra: a CAPTCHA that exploits interest-aligned manual image
#   categorization", *ACM CCS* 2007: where the photos of Cats vs Dogs come from.
# - S. Kornblith, J. Shlens and Q. V. Le, "Do better ImageNet models transfer better?", *CVPR* 2019.
# - A. S. Razavian, H. Azizpour, J. Sullivan and S. Carlsson, "CNN features off-the-shelf: an astounding baseline for
#   recognition", *CVPR Workshops* 2014.

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - J. Elson, J. R. Douceur, J. Howell y J. Saul, «Asirra: a CAPTCHA that exploits interest-aligned manual image
#   categorization», *ACM CCS* 2007: de dónde salen las fotos de Cats vs Dogs.
# - S. Kornblith, J. Shlens y Q. V. Le, «Do better ImageNet models transfer better?», *CVPR* 2019.
# - A. S. Razavian, H. Azizpour, J. Sullivan y S. Carlsson, «CNN features off-the-shelf: an astounding baseline for
#   recognition», *CVPR Workshops* 2014.
