# %% [markdown] lang="en"
# # Common mistakes, and what they cost
#
# **{Framework}** · about 60 minutes · before this: [01 Cats and dogs](01_cats_vs_dogs_{framework}.ipynb).
#
# Every text on transfer learning warns of the same mistakes. Here you make each of them on purpose. Some ruin
# everything, some cost nothing that we can see, and some make the result look better than it is. After this lesson you
# can
#
# - say what each mistake costs, in points of accuracy with an interval, and by which symptom it is known;
# - find out what a training has really moved: weights and BatchNorm statistics, layer by layer;
# - tell what {Framework} does when you freeze or unfreeze after the optimizer was made;
# - find copies of pictures in two parts of a data set, and explain why choosing by the test makes it worthless;
# - guard your own project with a checklist of short calls.

# %% [markdown] lang="es"
# # Errores frecuentes y lo que cuestan
#
# **{Framework}** · unos 60 minutos · antes: [01 Gatos y perros](01_cats_vs_dogs_{framework}.ipynb).
#
# Todos los textos sobre aprendizaje por transferencia advierten de los mismos errores. Aquí los va a cometer a
# propósito, uno por uno. Algunos lo arruinan todo, otros no cuestan nada que podamos ver y otros hacen que el resultado
# parezca mejor de lo que es. Al terminar podrá
#
# - decir qué cuesta cada error, en puntos de exactitud y con un intervalo, y por qué síntoma se reconoce;
# - averiguar qué ha movido de verdad un entrenamiento: pesos y estadísticas de BatchNorm, capa por capa;
# - explicar qué hace {Framework} cuando se congela o descongela con el optimizador ya creado;
# - encontrar copias de imágenes en dos partes de un conjunto de datos, y explicar por qué elegir con la prueba la
#   invalida;
# - proteger sus proyectos con una lista de comprobaciones breves.

# %% tags=["parameters"]
LANGUAGE = "en"  # of the figures: "en" or "es"
SEED = 0
DATASET = "drawn_pets_breeds"  # or "cats_vs_dogs", "oxford_pets_breeds", a folder with one sub-folder a class
BACKBONE = "mini_resnet"  # of the experiments on frozen features; or "mobilenet", "resnet50", ...
TUNED_BACKBONE = "mini_resnet_narrow"  # of the experiments that train a network: smaller, thus quick
IMAGE_SIZE = 64  # side of the images, in pixels; what the backbone was trained at
TRAIN_IMAGES = 320  # labelled training images, as many of each class
TEST_IMAGES = 384  # likewise
SEEDS = 3  # draws of training images
TUNE_IMAGES = 128  # training images where a network is trained
TUNE_SEEDS = 2
TUNE_EPOCHS = 4

# %% [markdown] lang="en"
# ## What do you expect?

# %% [markdown] lang="es"
# ## ¿Qué espera usted?

# %%
# %matplotlib inline
from functools import partial

import numpy as np

from tlhelpers import plots
from tlhelpers.legacy import metrics as evaluation
from tlhelpers.legacy import guards
from tlhelpers.claims import claim
from tlhelpers.data.datasets import load_splits
from tlhelpers.legacy.mistake_plots import plot_costs
from tlhelpers.legacy.mistakes import (
    MistakeTable,
    as_received,
    hidden_by_accuracy,
    random_heads,
    wrong_preprocessings,
)
from tlhelpers.quiz import show_quiz

ENGLISH = LANGUAGE == "en"
POINTS = "points" if ENGLISH else "puntos"  # differences of percentages
DEFAULT = BACKBONE == "mini_resnet" and DATASET == "drawn_pets_breeds"
claim_here = partial(claim, language=LANGUAGE, asserted=DEFAULT)  # the bounds hold for these data
show_quiz("05_common_mistakes/before", LANGUAGE)

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
from tlhelpers.legacy.pytorch.guards import (
    features_in_training_mode,
    snapshot,
    unknown_layers,
    what_moved,
    with_preprocessing,
)

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
from tlhelpers.legacy.tensorflow.guards import (
    features_in_training_mode,
    snapshot,
    unknown_layers,
    what_moved,
    with_preprocessing,
)

# %% [markdown] lang="en"
# ## 1. First, do it right
#
# A cost is a difference. So we need something to compare with: a frozen
# [backbone](../../docs/glossary.md#backbone), its [features](../../docs/glossary.md#feature), and a linear
# [head](../../docs/glossary.md#head) on them, a logistic regression.
#
# We draw the training images several times, and train a head for each draw. In this lesson we look at the test images
# again and again. We may, because we choose nothing by them: they only measure. (Section 9 shows what happens
# otherwise.)

# %% [markdown] lang="es"
# ## 1. Primero, hacerlo bien
#
# Un coste es una diferencia. Así que necesitamos con qué comparar: una [red base](../../docs/glosario.md#red-base)
# congelada, sus [características](../../docs/glosario.md#característica) y, sobre ellas, una
# [cabeza](../../docs/glosario.md#cabeza) lineal, una regresión logística.
#
# Sorteamos varias veces las imágenes de entrenamiento y entrenamos una cabeza con cada sorteo. En esta lección miramos
# las imágenes de prueba una y otra vez. Podemos hacerlo porque no elegimos nada con ellas: solo miden. (La sección 9
# muestra qué ocurre si no).

# %% tags=["nbval-check-output"]
data = load_splits(DATASET, image_size=IMAGE_SIZE, seed=SEED, test_fraction=0.4, progress=False)
num_classes = len(data.train.class_names)


def balanced(part, count, seed=SEED):  # about so many images, as many of each class
    each = min(max(4, count // num_classes), int(np.bincount(part.labels).min()))
    return part.per_class(each, seed=seed)


pool, test = balanced(data.train, TRAIN_IMAGES), balanced(data.test, TEST_IMAGES)
print(f"{num_classes} × {len(pool) // num_classes} / {num_classes} × {len(test) // num_classes}")

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def train_probe(features, labels, **options):
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000, **options))
    return probe.fit(features, labels)


def draw(seed, share=0.8):
    rng = np.random.default_rng(seed)
    rows = [rng.permutation(np.flatnonzero(pool.labels == k)) for k in range(num_classes)]
    return np.concatenate([mine[: max(2, round(share * len(mine)))] for mine in rows])


# %%
backbone = load_backbone(BACKBONE, image_size=IMAGE_SIZE)
features = extract_features(backbone, pool.images, progress=False)
test_features = extract_features(backbone, test.images, progress=False)
draws = [draw(seed) for seed in range(SEEDS)]
heads = [train_probe(features[rows], pool.labels[rows]) for rows in draws]


def right(heads, test_features):  # of each head, for each test image: was it right?
    return np.stack([head.predict(test_features) == test.labels for head in heads])


baseline = right(heads, test_features)
print(evaluation.accuracy_estimate(baseline.mean(1), len(test)))

# %% [markdown] lang="en"
# That is the accuracy of the right way, with its 95 % interval. From now on, each mistake gets a row in a table: how
# many **points** of accuracy it costs, with an interval. Both ways answer the same images, so we compare image by
# image, and the interval is narrower than that of two separate numbers.
#
# Where an interval contains zero, the row says "not visible here". That is an honest answer. It does not prove that the
# mistake is harmless: another task may show it. And with some twenty intervals of 95 %, one or two will be off by
# chance.

# %% [markdown] lang="es"
# Esa es la exactitud de la forma correcta, con su intervalo del 95 %. Desde ahora, cada error tendrá una fila en una
# tabla: cuántos **puntos** de exactitud cuesta, con un intervalo. Las dos formas responden a las mismas imágenes, así
# que comparamos imagen por imagen, y el intervalo es más estrecho que el de dos números por separado.
#
# Cuando un intervalo contiene el cero, la fila dice «aquí no se ve». Es una respuesta honrada. No demuestra que el
# error sea inofensivo: en otra tarea puede notarse. Y con unos veinte intervalos del 95 %, uno o dos fallarán por azar.

# %%
table = MistakeTable(LANGUAGE)


def cost(wrong, reference=None):  # how much more often the right way is right, with a 95 % interval
    return evaluation.paired_difference(wrong, baseline if reference is None else reference)


# %% [markdown] lang="en"
# ## 2. The pixels are not what the network expects
#
# A network was trained with pixels in a certain form: red first, less a mean, divided by a spread. In this course that
# recipe travels inside the backbone, so you cannot get it wrong. To get it wrong on purpose, we put another recipe in.
#
# - `0-255`: raw pixels, nothing divided.
# - `0-1`: divided by 255, but no mean and no spread.
# - `other recipe`: scaled as another family of networks wants it.
# - `BGR`: blue first. OpenCV reads images like that.
# - `scaled twice`: the pixels were already 0 to 1, and the recipe expects 0 to 255.
#
# What would the network have to be shown, to receive the same numbers in the right way?

# %% [markdown] lang="es"
# ## 2. Los píxeles no son los que la red espera
#
# Una red se entrenó con los píxeles de una forma determinada: primero el rojo, menos una media, divididos por una
# dispersión. En este curso esa receta viaja dentro de la red base, así que no es posible equivocarse. Para
# equivocarnos a propósito, le ponemos otra.
#
# - `0-255`: los píxeles tal cual, sin dividir nada.
# - `0-1`: divididos por 255, pero sin media ni dispersión.
# - `other recipe` (otra receta): escalados como quiere otra familia de redes.
# - `BGR`: primero el azul. Así lee las imágenes OpenCV.
# - `scaled twice` (escalados dos veces): los píxeles ya iban de 0 a 1, y la receta espera de 0 a 255.
#
# ¿Qué habría que enseñarle a la red para que, por la vía correcta, recibiera esos mismos números?

# %%
wrong = wrong_preprocessings(backbone.preprocessing)
two = test.images[[0, 5]]
received = [as_received(two, recipe, backbone.preprocessing) for recipe in wrong.values()]
recipe_words = {} if ENGLISH else {"other recipe": "otra receta", "scaled twice": "escalados dos veces"}
titles = ["right" if ENGLISH else "correcta", *(recipe_words.get(name, name) for name in wrong)] * 2
pictures = np.stack([two, *received], axis=1).reshape(-1, *two.shape[1:])
axes = plots.show_images(pictures, titles, columns=len(wrong) + 1)
for ax in axes.flat:  # a frame, since some are as white as the page
    ax.axis("on")
    ax.set(xticks=[], yticks=[])

# %% [markdown] lang="en"
# *Two pictures as the network receives them. Some recipes leave only glare or darkness (values beyond black and white
# are cut off here, though the network gets them). Others you hardly notice.*
#
# Now a question that is rarely asked: **where** is the mistake? It can be made everywhere, in training and in use. Or
# training was right, and only the program that uses the model prepares its pixels otherwise. Which is worse?

# %% [markdown] lang="es"
# *Dos imágenes tal como las recibe la red. Algunas recetas solo dejan resplandor u oscuridad (lo que pasa del blanco o
# del negro se recorta aquí, aunque a la red sí le llega). Otras apenas se notan.*
#
# Y ahora una pregunta que rara vez se hace: ¿**dónde** está el error? Puede cometerse en todas partes, en el
# entrenamiento y en el uso. O bien el entrenamiento era correcto, y solo el programa que usa el modelo prepara los
# píxeles de otra forma. ¿Qué es peor?

# %%
crooked, everywhere, in_use = {}, {}, {}
for name, recipe in wrong.items():
    network = with_preprocessing(backbone, recipe)
    crooked[name] = tuple(extract_features(network, part.images, progress=False) for part in (pool, test))
    retrained = [train_probe(crooked[name][0][rows], pool.labels[rows]) for rows in draws]
    everywhere[name] = cost(right(retrained, crooked[name][1]))
    in_use[name] = cost(right(heads, crooked[name][1]))

# %%
for name in wrong:
    size = f"{np.abs(crooked[name][1]).mean() / np.abs(test_features).mean():.1f}"
    word = recipe_words.get(name, name)
    table.add(
        {"en": f"{word}, everywhere", "es": f"{word}, en todo"},
        everywhere[name],
        {
            "en": f"none in training; mean feature × {size}",
            "es": f"ninguno al entrenar; característica media × {size}",
        },
    )
    table.add(
        {"en": f"{word}, only in use", "es": f"{word}, solo en el uso"},
        in_use[name],
        {"en": "fine in the lab, poor in the field", "es": "bien en el laboratorio, mal en la calle"},
    )

# %% [markdown] lang="en"
# Read the rows in pairs. Where the mistake is made everywhere, the head is trained on the crooked features and gets
# used to them, as far as they still hold what it needs. (Our head puts each feature on one scale first, which helps
# it.) Where the mistake is made only in use, nobody gets used to anything.
#
# So the textbook's "wrong normalisation ruins transfer" is half of the truth. The dangerous case is the
# **difference between training and use**.

# %% [markdown] lang="es"
# Lea las filas por parejas. Si el error se comete en todas partes, la cabeza se entrena con las características
# torcidas y se acostumbra a ellas, mientras conserven lo que necesita. (Nuestra cabeza pone antes todas las
# características en la misma escala, y eso la ayuda). Si el error se comete solo en el uso, nadie se acostumbra a nada.
#
# Así que el «una normalización equivocada arruina la transferencia» de los libros es la mitad de la verdad. El caso
# peligroso es la **diferencia entre el entrenamiento y el uso**.

# %%
gap = np.mean([in_use[name].value - everywhere[name].value for name in wrong])
claim_here(
    "difference_is_the_danger",
    100 * gap,
    en="The same mistake costs far more when it is made only in use, on average over the recipes",
    es="El mismo error cuesta mucho más cuando se comete solo en el uso, en promedio de las recetas",
    at_least=10,
    unit=POINTS,
)
claim_here(
    "swapped_colours_can_be_learnt",
    100 * everywhere["BGR"].value,
    en="Swapped colours, the same in training and in use, cost at most 8 points",
    es="Con los colores cambiados, tanto al entrenar como en el uso, se pierden 8 puntos como mucho",
    at_most=8,
    unit=POINTS,
)
if "0-255" in wrong:
    claim(
        "raw_pixels_in_use",
        100 * in_use["0-255"].value,
        en="Raw pixels, only in use, ruin the answers",
        es="Los píxeles sin escalar, solo en el uso, arruinan las respuestas",
        at_least=20,
        unit=POINTS,
        language=LANGUAGE,
    )

# %% [markdown] lang="en"
# ### The guards
#
# `Backbone.preprocessing` holds the recipe, and `extract_features` refuses numbers that cannot be pixels
# (`check_images`). But no check of types can see that red and blue are swapped. For that, keep a few pictures and their
# answers beside the model, and compare them wherever it runs: `check_reference`.

# %% [markdown] lang="es"
# ### Las protecciones
#
# `Backbone.preprocessing` contiene la receta, y `extract_features` rechaza números que no pueden ser píxeles
# (`check_images`). Pero ninguna comprobación de tipos puede ver que el rojo y el azul están cambiados. Para eso, guarde
# unas cuantas imágenes con sus respuestas junto al modelo y compárelas allí donde se ejecute: `check_reference`.

# %%
try:
    extract_features(backbone, test.images[:4].astype(np.float32), progress=False)
except ValueError as error:
    print(f"check_images: {error}\n")

kept = heads[0].predict_proba(test_features[:16])
found = {}
for name, (_, features_in_use) in crooked.items():
    try:
        guards.check_reference(kept, heads[0].predict_proba(features_in_use[:16]))
    except ValueError as error:
        found[name] = str(error)
print(f"check_reference: {found.get('BGR')}\n{', '.join(found)}")

# %%
claim(
    "reference_finds_wrong_pixels",
    len(found) / len(wrong),
    en="Sixteen reference pictures reveal every wrong recipe",
    es="Dieciséis imágenes de referencia delatan todas las recetas equivocadas",
    at_least=1,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# ### Exercise 1: which mistake is it?
#
# A colleague sends you features. The pictures are the first ones of `test`, the network is ours, but the pixels were
# prepared wrongly. You have `crooked`: for each recipe the features of training and test images. Write the name of the
# recipe into `my_answer`.

# %% [markdown] lang="es"
# ### Ejercicio 1: ¿qué error es?
#
# Un colega le envía características. Las imágenes son las primeras de `test` y la red es la nuestra, pero los píxeles
# se prepararon mal. Usted tiene `crooked`: para cada receta, las características de las imágenes de entrenamiento y de
# prueba. Escriba el nombre de la receta en `my_answer`.

# %%
culprit = list(wrong)[np.random.default_rng(SEED + 5).integers(len(wrong))]
strange = with_preprocessing(backbone, wrong[culprit])
mystery = extract_features(strange, test.images[:24], cache=False, progress=False)


def check_culprit(answer):
    names = ", ".join(wrong)
    todo = {
        "en": f"Compare mystery with crooked[name][1][:24]; write one of: {names}.",
        "es": f"Compare mystery con crooked[nombre][1][:24]; escriba uno de: {names}.",
    }
    yes = {"en": "✔ Yes: these features are the same.", "es": "✔ Sí: estas características coinciden."}
    no = {
        "en": "✘ No. For which name is np.abs(mystery - crooked[name][1][:24]).max() smallest?",
        "es": "✘ No. ¿Con qué nombre es mínimo np.abs(mystery - crooked[nombre][1][:24]).max()?",
    }
    print((todo if answer is None else yes if answer == culprit else no)[LANGUAGE])
    return answer == culprit


my_answer = None
solved = check_culprit(my_answer)

# %% tags=["solution"]
my_answer = min(crooked, key=lambda name: np.abs(mystery - crooked[name][1][:24]).max())
assert check_culprit(my_answer)

# %% [markdown] lang="en"
# ## 3. Augmentation on the test images
#
# [Augmentation](../../docs/glossary.md#augmentation) flips and shifts training images at random. One careless line, and
# the test images are flipped and shifted as well. Does it hurt?

# %% [markdown] lang="es"
# ## 3. Aumento de datos en las imágenes de prueba
#
# El [aumento de datos](../../docs/glosario.md#aumento-de-datos) refleja y desplaza al azar las imágenes de
# entrenamiento. Una línea descuidada, y también se reflejan y desplazan las de prueba. ¿Hace daño?

# %%
from tlhelpers.legacy.training import augment_batch

shaken = []
for seed in range(2):
    images = augment_batch(test.images, np.random.default_rng(seed))
    shaken.append(right(heads, extract_features(backbone, images, progress=False)))
numbers = ", ".join(f"{100 * run.mean():.1f} %" for run in shaken)
augmented = cost(np.concatenate(shaken), np.tile(baseline, (len(shaken), 1)))
table.add(
    {"en": "augmentation on the test images", "es": "aumento de datos en la prueba"},
    augmented,
    {
        "en": f"same model, another number each time: {numbers}",
        "es": f"mismo modelo, otro número cada vez: {numbers}",
    },
)

# %%
claim_here(
    "augmented_test_is_nearly_right",
    100 * augmented.value,
    en="Flips and shifts on the test images cost at most 10 points",
    es="Reflejar y desplazar las imágenes de prueba cuesta 10 puntos como mucho",
    at_most=10,
    unit=POINTS,
)

# %% [markdown] lang="en"
# A small cost is easily overlooked. The symptom is better than the cost: evaluate the same model twice, and look
# whether the two numbers are equal to the last digit. **Mend:** in this course only `fit(augment=True)` augments, and
# only training batches; `predict_proba` never does.
#
# ## 4. Does the optimizer know what it should train?
#
# The usual plan: freeze the backbone, train the head, then unfreeze the last layers and train on. Two moments matter:
# when the optimizer is told what to train, and when you change your mind.
#
# The cell below writes the training out, as {Framework} users do. `prepare` makes the optimizer, `train` does the
# steps.

# %% [markdown] lang="es"
# Un coste pequeño se pasa por alto con facilidad. El síntoma es mejor que el coste: evalúe dos veces el mismo modelo y
# mire si los dos números coinciden hasta la última cifra. **Remedio:** en este curso solo `fit(augment=True)` altera
# imágenes, y solo las de entrenamiento; `predict_proba`, nunca.
#
# ## 4. ¿Sabe el optimizador qué debe entrenar?
#
# El plan habitual: congelar la red base, entrenar la cabeza, después descongelar las últimas capas y seguir entrenando.
# Importan dos momentos: cuándo se le dice al optimizador qué entrenar y cuándo cambia usted de idea.
#
# La celda siguiente escribe el entrenamiento como lo hacen quienes usan {Framework}. `prepare` crea el optimizador,
# `train` da los pasos.

# %% framework="pytorch"
import torch
from torch.nn import functional as F


def prepare(classifier, lr):
    return torch.optim.Adam([p for p in classifier.parameters() if p.requires_grad], lr)


def train(classifier, optimizer, few, epochs, batch_size=32):
    order, losses = np.random.default_rng(SEED), []
    device = next(classifier.parameters()).device
    classifier.train()
    for _ in range(epochs):
        for rows in np.array_split(order.permutation(len(few)), max(1, len(few) // batch_size)):
            logits = classifier(torch.from_numpy(few.images[rows]).to(device).float())
            loss = F.cross_entropy(logits, torch.from_numpy(few.labels[rows]).to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    classifier.eval()
    return losses


LAST_LAYERS = {
    "mini_resnet_narrow": "stage4",
    "mini_resnet": "stage4",
    "mobilenet": "blocks.4",
    "resnet50": "layer4",
}

# %% framework="tensorflow"
import keras


def prepare(classifier, lr):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(optimizer=keras.optimizers.Adam(lr), loss=loss, jit_compile=False)
    return classifier.optimizer


def train(classifier, optimizer, few, epochs, batch_size=32):
    assert optimizer is classifier.optimizer  # fit uses the one that compile was given
    losses = []
    keep = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: losses.append(logs["loss"]))
    settings = dict(batch_size=batch_size, epochs=epochs, verbose=0, callbacks=[keep])
    classifier.fit(few.images, few.labels, **settings)
    return losses


LAST_LAYERS = {
    "mini_resnet_narrow": "stage4",
    "mini_resnet": "stage4",
    "mobilenet": "conv_dw_12",
    "resnet50": "conv5_block1_1_conv",
}

# %%
tuned_from = LAST_LAYERS.get(TUNED_BACKBONE)
narrow = load_backbone(TUNED_BACKBONE, image_size=IMAGE_SIZE)  # stays frozen
narrow_test = extract_features(narrow, test.images, progress=False)


def hits(model, x):
    return predict_proba(model, x).argmax(1) == test.labels


def start(seed):  # a few images, and a head that was trained on their frozen features
    few = balanced(pool, TUNE_IMAGES, seed)
    frozen_features = extract_features(narrow, few.images, progress=False)
    set_seed(seed)
    head = build_head(frozen_features.shape[1], num_classes)
    fit(head, frozen_features, few.labels, epochs=20, lr=3e-3, weight_decay=1e-2, seed=seed, progress=False)
    return few, head


def new_classifier(head=None):
    network = load_backbone(TUNED_BACKBONE, image_size=IMAGE_SIZE)
    return build_classifier(network, num_classes) if head is None else build_classifier(network, head=head)


# %% [markdown] lang="en"
# Now the mistake. We unfreeze, and train on **with the old optimizer**. `snapshot` keeps a copy of all weights before,
# and `what_moved` says afterwards which layers moved, and by what part of their size. Then the mend: a new optimizer.
#
# What do you expect to see in the two reports?

# %% [markdown] lang="es"
# Y ahora, el error. Descongelamos y seguimos entrenando **con el optimizador antiguo**. `snapshot` guarda antes una
# copia de todos los pesos, y `what_moved` dice después qué capas se han movido y en qué proporción de su tamaño. Luego,
# el remedio: un optimizador nuevo.
#
# ¿Qué espera ver en los dos informes?

# %%
LR = 1e-3
frozen, deaf, tuned = [], [], []
for seed in range(TUNE_SEEDS):
    few, head = start(seed)
    frozen.append(hits(head, narrow_test))
    classifier = new_classifier(head)
    freeze(classifier)
    optimizer = prepare(classifier, LR)
    train(classifier, optimizer, few, epochs=1)
    unfreeze(classifier, from_layer=tuned_from)  # and nobody tells the optimizer
    before, unknown = snapshot(classifier), unknown_layers(optimizer, classifier)
    train(classifier, optimizer, few, TUNE_EPOCHS)
    deaf_moved = what_moved(before, classifier)
    deaf.append(hits(classifier, test.images))
    optimizer, before = prepare(classifier, LR), snapshot(classifier)  # the mend
    train(classifier, optimizer, few, TUNE_EPOCHS)
    mended_moved = what_moved(before, classifier)
    tuned.append(hits(classifier, test.images))

# %%
print({"en": "old optimizer:", "es": "optimizador antiguo:"}[LANGUAGE])
print(f"{deaf_moved.summary(LANGUAGE)}\nunknown_layers: {unknown}\n")
print({"en": "new optimizer:", "es": "optimizador nuevo:"}[LANGUAGE])
print(mended_moved.summary(LANGUAGE))
frozen, deaf, tuned = np.stack(frozen), np.stack(deaf), np.stack(tuned)
table.add(
    {"en": "the optimizer does not know", "es": "el optimizador no se entera"},
    cost(deaf, tuned),
    {
        "en": "the loss falls, but what_moved names only the head",
        "es": "la pérdida baja, pero what_moved solo nombra la cabeza",
    },
)

# %%
claim(
    "deaf_optimizer",
    len([name for name in deaf_moved.moved if name != "head"]),
    en="With the old optimizer no layer of the backbone moves, though it is unfrozen",
    es="Con el optimizador antiguo no se mueve ninguna capa de la red base, aunque esté descongelada",
    at_most=0,
    language=LANGUAGE,
)
claim(
    "new_optimizer_trains",
    len([name for name in mended_moved.moved if name != "head"]),
    en="With a new optimizer the unfrozen layers move",
    es="Con un optimizador nuevo se mueven las capas descongeladas",
    at_least=1,
    language=LANGUAGE,
)
claim(
    "unknown_layers_found",
    len(unknown),
    en="unknown_layers names what the optimizer lacks, before a step is lost",
    es="unknown_layers nombra lo que le falta al optimizador, antes de perder un solo paso",
    at_least=1,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# There is no error and no odd number. The head goes on learning, the loss goes down, and the report says "fine-tuned".
# What it cost stands in the row above: the gain of fine-tuning, be it large or none. (The mended classifier trained
# some epochs longer, since it went on from the other one.)
#
# ### When exactly does the optimizer learn of a change?

# %% [markdown] lang="es"
# No hay ningún mensaje de error ni ningún número extraño. La cabeza sigue aprendiendo, la pérdida baja y el informe
# dice «ajuste fino». Lo que ha costado está en la fila de arriba: la ganancia del ajuste fino, sea grande o nula. (El
# clasificador corregido se entrenó algunas épocas más, porque continuó a partir del otro).
#
# ### ¿Cuándo se entera exactamente el optimizador de un cambio?

# %% [markdown] lang="en" framework="pytorch"
# In PyTorch an optimizer holds a list of parameters, made when it is built. Changing `requires_grad` later does not
# change that list. Two more cases, and both are told by the list:
#
# - optimizer built, **then** unfrozen, before any step: the new layers are not in the list;
# - trained, then **frozen**, same optimizer: the layers are in the list, but get no gradient any more.

# %% [markdown] lang="en" framework="tensorflow"
# The textbook says: after changing `trainable`, call `compile` again, or the change has no effect. Is the moment really
# `compile`? In Keras, `fit` builds the optimizer and traces the training step when it is **first called**. Two more
# cases:
#
# - compiled, **then** unfrozen, before the first `fit`;
# - trained, then **frozen**, without compiling again.

# %% [markdown] lang="es" framework="pytorch"
# En PyTorch un optimizador guarda una lista de parámetros, hecha cuando se construye. Cambiar después `requires_grad`
# no cambia esa lista. Dos casos más, y los dos los explica la lista:
#
# - se construye el optimizador y **después** se descongela, antes del primer paso: las capas nuevas no están en la
#   lista;
# - se entrena y después se **congela**, con el mismo optimizador: las capas están en la lista, pero ya no reciben
#   gradiente.

# %% [markdown] lang="es" framework="tensorflow"
# El manual dice: tras cambiar `trainable`, llame otra vez a `compile`, o el cambio no tendrá efecto. ¿De verdad el
# momento es `compile`? En Keras, `fit` construye el optimizador y traza el paso de entrenamiento **la primera vez que
# se llama**. Dos casos más:
#
# - se compila y **después** se descongela, antes del primer `fit`;
# - se entrena y después se **congela**, sin volver a compilar.

# %%
import warnings


def moved_backbone(action):  # layers of the backbone that a short training moves
    before = snapshot(classifier)
    action()
    return tuple(name for name in what_moved(before, classifier).moved if name != "head")


small = few.take(np.arange(min(32, len(few))))
freeze(classifier)  # frozen after training, with the optimizer of the mend
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    frozen_after = moved_backbone(lambda: train(classifier, optimizer, small, epochs=2))
told = [warning for warning in caught if "trainable" in str(warning.message)]

classifier = new_classifier(head)  # unfrozen before the first step
freeze(classifier)
optimizer = prepare(classifier, LR)
unfreeze(classifier, from_layer=tuned_from)
unfrozen_before = moved_backbone(lambda: train(classifier, optimizer, small, epochs=2))

# %%
nothing = {"en": "nothing", "es": "nada"}[LANGUAGE]
for words, moved in (
    ({"en": "unfrozen before the first step", "es": "descongelada antes del primer paso"}, unfrozen_before),
    ({"en": "frozen after training", "es": "congelada después de entrenar"}, frozen_after),
):
    print(f"{words[LANGUAGE]:38} → {', '.join(moved) or nothing}")
print({"en": "warnings about it:", "es": "avisos al respecto:"}[LANGUAGE], len(told))

# %% framework="pytorch"
print("PyTorch", torch.__version__)  # another version may do otherwise: the claims would tell
claim(
    "list_is_made_once",
    len(unfrozen_before),
    en="PyTorch: layers that are unfrozen after the optimizer was built do not train",
    es="PyTorch: las capas que se descongelan después de crear el optimizador no se entrenan",
    at_most=0,
    language=LANGUAGE,
)
claim(
    "freezing_works_at_once",
    len(frozen_after),
    en="PyTorch: freezing takes effect at once, whatever the optimizer holds",
    es="PyTorch: congelar tiene efecto de inmediato, tenga lo que tenga el optimizador",
    at_most=0,
    language=LANGUAGE,
)

# %% framework="tensorflow"
print("Keras", keras.__version__)  # another version may do otherwise: the claims would tell
claim(
    "compile_is_not_the_moment",
    len(unfrozen_before),
    en="Keras: unfrozen after compile but before the first fit, the layers do train",
    es="Keras: si se descongelan tras compile pero antes del primer fit, las capas sí se entrenan",
    at_least=1,
    language=LANGUAGE,
)
claim(
    "freezing_comes_too_late",
    len(frozen_after),
    en="Keras: frozen after the first fit, without compiling again, the layers go on training",
    es="Keras: si se congelan tras el primer fit, sin volver a compilar, las capas siguen entrenándose",
    at_least=1,
    language=LANGUAGE,
)

# %% [markdown] lang="en" framework="pytorch"
# So in PyTorch freezing is safe and unfreezing is not. (Safe as long as `zero_grad` sets gradients to `None`, its
# default: momentum and weight decay go on moving a weight whose gradient is zero.) **Mend:** build the optimizer after
# the last change, or add the new layers with `optimizer.add_param_group`. **Guard:** `unknown_layers(optimizer,
# classifier)` before training. In this course `fit` builds its optimizer itself, at each call. (Keras errs on the other
# side: there, freezing comes too late.)

# %% [markdown] lang="en" framework="tensorflow"
# So the textbook's sentence holds after the first `fit`, and not before it. And the case that is least known is the
# worst: frozen layers that go on training, while `trainable` says `False`. Do not wait for a warning: the line above
# counts those that Keras gave. **Mend:** compile after each change. **Guard:** `what_moved` after training. In this
# course `fit` builds its training step anew at each call. (PyTorch errs on the other side: there, freezing works at
# once, and unfreezing is missed.)

# %% [markdown] lang="es" framework="pytorch"
# Así que en PyTorch congelar es seguro y descongelar no. (Seguro mientras `zero_grad` ponga los gradientes a `None`,
# como hace por defecto: el momento y el decaimiento de pesos siguen moviendo un peso cuyo gradiente es cero).
# **Remedio:** cree el optimizador después del último cambio, o añada las capas nuevas con `optimizer.add_param_group`.
# **Protección:** `unknown_layers(optimizer, classifier)` antes de entrenar. En este curso `fit` crea su propio
# optimizador en cada llamada. (Keras falla por el otro lado: allí, lo que llega tarde es congelar).

# %% [markdown] lang="es" framework="tensorflow"
# Así que la frase del manual vale después del primer `fit`, y no antes. Y el caso menos conocido es el peor: capas
# congeladas que siguen entrenándose mientras `trainable` dice `False`. No espere un aviso: la línea de arriba cuenta
# los que ha dado Keras. **Remedio:** compile después de cada cambio. **Protección:** `what_moved` después de entrenar.
# En este curso `fit` construye de nuevo su paso de entrenamiento en cada llamada. (PyTorch falla por el otro lado: allí
# congelar tiene efecto de inmediato, y lo que se pierde es descongelar).

# %% [markdown] lang="en"
# ## 5. The learning rate is too high
#
# A pretrained network needs small corrections. We give it a
# [learning rate](../../docs/glossary.md#learning-rate) a hundred times as high as the one before.

# %% [markdown] lang="es"
# ## 5. La tasa de aprendizaje es demasiado alta
#
# Una red preentrenada necesita correcciones pequeñas. Le damos una
# [tasa de aprendizaje](../../docs/glosario.md#tasa-de-aprendizaje) cien veces mayor que la de antes.

# %%
burnt = []
for seed in range(TUNE_SEEDS):
    few, head = start(seed)
    classifier = new_classifier(head)
    unfreeze(classifier, from_layer=tuned_from)
    losses = train(classifier, prepare(classifier, 100 * LR), few, TUNE_EPOCHS)
    burnt.append(hits(classifier, test.images))
burnt_cost = cost(np.stack(burnt), tuned)
peak = f"{max(losses):.0f} (ln {num_classes} = {np.log(num_classes):.1f})"
table.add(
    {"en": "learning rate × 100", "es": "tasa de aprendizaje × 100"},
    burnt_cost,
    {"en": f"the loss jumps to {peak}", "es": f"la pérdida salta a {peak}"},
)
claim_here(
    "high_rate_ruins",
    100 * burnt_cost.value,
    en="A hundredfold learning rate ruins what was learnt",
    es="Una tasa de aprendizaje cien veces mayor arruina lo aprendido",
    at_least=20,
    unit=POINTS,
)

# %% [markdown] lang="en"
# **Symptom:** the loss of the first steps is far above $\ln K$, the loss of guessing among $K$ classes. **Mend:** start
# near 0.001 or 0.0001 with Adam, and warm up; lesson 03 measures a range of rates. `fit` stops by itself where the loss
# is no longer a number.
#
# ## 6. The backbone was meant to be frozen, and is not

# %% [markdown] lang="es"
# **Síntoma:** la pérdida de los primeros pasos está muy por encima de $\ln K$, la pérdida de quien responde al azar
# entre $K$ clases. **Remedio:** empiece cerca de 0,001 o 0,0001 con Adam y con calentamiento; la lección 03 mide todo
# un intervalo de tasas. `fit` se detiene solo cuando la pérdida deja de ser un número.
#
# ## 6. La red base debía estar congelada, y no lo está

# %% [markdown] lang="en" framework="pytorch"
# `module.requires_grad = False` looks right, and runs without an error. But a module has no such switch: Python just
# makes a new attribute that nobody reads. The right call is `module.requires_grad_(False)`, with an underscore.

# %% [markdown] lang="en" framework="tensorflow"
# The case from section 4: the model was compiled and has seen one batch, and only then is it frozen. The summary says
# "frozen", the training step that was traced before says otherwise.

# %% [markdown] lang="es" framework="pytorch"
# `module.requires_grad = False` parece correcto y se ejecuta sin error. Pero un módulo no tiene ese interruptor: Python
# se limita a crear un atributo nuevo que nadie lee. La llamada correcta es `module.requires_grad_(False)`, con guion
# bajo.

# %% [markdown] lang="es" framework="tensorflow"
# El caso de la sección 4: el modelo se compiló y ha visto un lote, y solo entonces se congela. El resumen dice
# «congelado»; el paso de entrenamiento que se trazó antes dice otra cosa.


# %% framework="pytorch"
def freeze_wrongly(classifier, lr, few):
    classifier.backbone.requires_grad = False  # the mistake
    return prepare(classifier, lr)


# %% framework="tensorflow"
def freeze_wrongly(classifier, lr, few):
    optimizer = prepare(classifier, lr)
    train(classifier, optimizer, few.take(np.arange(min(32, len(few)))), epochs=1)
    freeze(classifier)  # the mistake: too late
    return optimizer


# %% [markdown] lang="en"
# The head is new, so we train with a rate that suits a head. What does it do to the backbone? And what to **another
# head**, trained last week on the frozen features of the same backbone?

# %% [markdown] lang="es"
# La cabeza es nueva, así que entrenamos con una tasa propia de una cabeza. ¿Qué le hace eso a la red base? ¿Y a **otra
# cabeza**, entrenada la semana pasada con las características congeladas de esa misma red?

# %%
loose, other_head = [], []
for seed in range(TUNE_SEEDS):
    few, old_head = start(seed)
    set_seed(seed)
    classifier = new_classifier()
    optimizer = freeze_wrongly(classifier, 3e-3, few)
    counts, before = count_parameters(classifier), snapshot(classifier)
    train(classifier, optimizer, few, TUNE_EPOCHS + 1)  # the head is new
    moved = what_moved(before, classifier)
    moved_features = extract_features(classifier.backbone, test.images, cache=False, progress=False)
    loose.append(hits(classifier.head, moved_features))
    other_head.append(hits(old_head, moved_features))
print(f"count_parameters: {counts}\n{moved.summary(LANGUAGE)}")
try:
    guards.check_only_moved(moved, ["head"])
except ValueError as error:
    print(f"\ncheck_only_moved: {error}")

# %%
loose_cost, other_cost = cost(np.stack(loose), frozen), cost(np.stack(other_head), frozen)
table.add(
    {"en": "not frozen, though meant to be", "es": "sin congelar, aunque se quería"},
    loose_cost,
    {"en": "slow; what_moved names every layer", "es": "va lento; what_moved nombra todas las capas"},
)
table.add(
    {"en": "not frozen: the head of last week", "es": "sin congelar: la cabeza de la semana pasada"},
    other_cost,
    {"en": "another model that shares the backbone fails", "es": "falla otro modelo que comparte la red base"},
)

# %%
claim(
    "loose_backbone_is_found",
    100 * len(moved.moved) / len(moved.weights),
    en="what_moved finds that all layers moved, not only the head",
    es="what_moved descubre que se han movido todas las capas, no solo la cabeza",
    at_least=90,
    unit="%",
    language=LANGUAGE,
)
claim_here(
    "loose_backbone_can_do_well",
    100 * loose_cost.value,
    en="On its own task the unfrozen backbone loses at most 10 points",
    es="En su propia tarea, la red sin congelar pierde 10 puntos como mucho",
    at_most=10,
    unit=POINTS,
)
claim_here(
    "other_heads_pay",
    100 * other_cost.value,
    en="A head that relied on the frozen features loses its accuracy",
    es="Una cabeza que confiaba en las características congeladas pierde su exactitud",
    at_least=10,
    unit=POINTS,
)

# %% [markdown] lang="en"
# The textbook says that an unfrozen backbone under a new head is destroyed. Look at the first of the two rows: its
# interval says what became of that here, with few labels. Left of zero, the mistake even helped. A likely
# reason: our drawings are far from the photos of the pretraining, so a backbone that moves has something to gain.
# Moving it is not bad in itself; fine-tuning does nothing else.
#
# One loss is certain, though: the features are no longer those that were cached, published or used by others. That is
# the second row.

# %% [markdown] lang="es"
# Los libros dicen que una red base sin congelar, bajo una cabeza nueva, queda destruida. Mire la primera de las dos
# filas: su intervalo dice en qué ha quedado eso aquí, con pocas etiquetas. A la izquierda del cero, el error
# incluso ayudó. Una razón probable: nuestros dibujos están lejos de las fotos del preentrenamiento, así que una red que
# se mueve tiene algo que ganar. Moverla no es malo en sí; el ajuste fino no hace otra cosa.
#
# Pero hay una pérdida segura: las características ya no son las que se guardaron, se publicaron o usan otros. Esa es la
# segunda fila.

# %% [markdown] lang="en"
# **Guard:** `count_parameters` before training (look at it: was it right here?), `check_only_moved(what_moved(...))`
# after.
#
# ## 7. BatchNorm is left in training mode
#
# [Batch normalisation](../../docs/glossary.md#batch-normalisation) scales each channel by a mean and a variance. In use
# it takes **running** ones, kept from training. In training mode it takes those of **the batch** at hand, and shifts
# the running ones a little towards them. So two things can go wrong, and freezing the weights prevents neither:
#
# - in use: a picture's answer depends on its neighbours in the batch;
# - in training the head: the running statistics drift, though no weight moves.
#
# We ask for the same test images in mixed batches, and sorted by class, as a folder would give them.

# %% [markdown] lang="es"
# **Protección:** `count_parameters` antes de entrenar (mírelo: ¿decía aquí la verdad?) y
# `check_only_moved(what_moved(...))` después.
#
# ## 7. BatchNorm se queda en modo de entrenamiento
#
# La [normalización por lotes](../../docs/glosario.md#normalización-por-lotes) escala cada canal con una media y una
# varianza. En el uso toma las **acumuladas**, guardadas del entrenamiento. En modo de entrenamiento toma las **del
# lote** que tiene delante, y desplaza un poco hacia ellas las acumuladas. Así que pueden fallar dos cosas, y congelar
# los pesos no evita ninguna:
#
# - en el uso: la respuesta a una imagen depende de sus vecinas en el lote;
# - al entrenar la cabeza: las estadísticas acumuladas se desvían, aunque no se mueva ningún peso.
#
# Preguntamos por las mismas imágenes de prueba en lotes mezclados, y ordenadas por clase, como las daría una carpeta.

# %%
by_class = np.argsort(test.labels, kind="stable")
in_batches = {}
for name, order in (("mixed", np.arange(len(test))), ("sorted", by_class)):
    found = features_in_training_mode(backbone, test.images[order], batch_size=24)
    in_batches[name] = cost(right(heads, found[np.argsort(order)]))
table.add(
    {"en": "BatchNorm in training mode, mixed batches", "es": "BatchNorm en modo entrenamiento, mezclados"},
    in_batches["mixed"],
    {
        "en": "the same picture, another answer in another batch",
        "es": "la misma imagen, otra respuesta en otro lote",
    },
)
table.add(
    {"en": "BatchNorm in training mode, sorted by class", "es": "BatchNorm en modo entrenamiento, por clases"},
    in_batches["sorted"],
    {
        "en": "good with shuffled data, useless on a folder",
        "es": "bien con datos barajados, inútil con una carpeta",
    },
)

# %%
spare = load_backbone(BACKBONE, image_size=IMAGE_SIZE)
before = snapshot(spare)
for _ in range(2):  # two epochs of "training only the head", and the head is not even needed to show it
    features_in_training_mode(spare, pool.images[draws[0]], batch_size=16, keep_statistics=False)
drift = what_moved(before, spare)
print(drift.summary(LANGUAGE))
drifted = cost(right(heads, extract_features(spare, test.images, cache=False, progress=False)))
table.add(
    {"en": "BatchNorm statistics drift, weights frozen", "es": "las estadísticas de BatchNorm se desvían"},
    drifted,
    {"en": "no weight moved, and the features did", "es": "ningún peso se ha movido; las características, sí"},
)

# %%
if BACKBONE == "mini_resnet":  # another network may have no BatchNorm, or other running statistics
    claim(
        "statistics_drift_alone",
        len(drift.drifted) - len(drift.moved),
        en="The statistics of all five layers moved, and no weight",
        es="Se han movido las estadísticas de las cinco capas, y ningún peso",
        at_least=5,
        language=LANGUAGE,
    )
claim_here(
    "neighbours_matter",
    100 * (in_batches["sorted"].value - in_batches["mixed"].value),
    en="In training mode, sorting the same test images by class costs more accuracy",
    es="En modo de entrenamiento, ordenar por clases las mismas imágenes de prueba cuesta más exactitud",
    at_least=10,
    unit=POINTS,
)
claim_here(
    "drift_costs",
    100 * drifted.value,
    en="A head that was trained before the drift loses accuracy",
    es="Una cabeza entrenada antes de la desviación pierde exactitud",
    at_least=3,
    unit=POINTS,
)

# %% [markdown] lang="en"
# Even well mixed batches are no safe place: the batch's own mean is not the one that the head got used to. **Mend:**
# `eval()` in PyTorch, `training=False` in Keras, for everything that is frozen or used. **Guard:** predict a picture
# alone and in a batch; the answers must be equal. In this course `freeze` holds the statistics too, and `predict_proba`
# is always in inference mode. `what_moved` lists the statistics apart, because no list of weights would show them.
#
# ## 8. The loss is averaged twice
#
# The loss of {Framework} is already the mean over the batch. Dividing it by the size of the batch again is easily done.
# The gradient becomes 32 times smaller. Does it matter? Guess for two optimizers: SGD, whose step is the gradient times
# the rate, and Adam, which divides the gradient by its own size.

# %% [markdown] lang="es"
# Ni siquiera los lotes bien mezclados son lugar seguro: la media del propio lote no es aquella a la que se acostumbró
# la cabeza. **Remedio:** `eval()` en PyTorch, `training=False` en Keras, para todo lo que esté congelado o en uso.
# **Protección:** prediga una imagen sola y dentro de un lote; las respuestas deben coincidir. En este curso `freeze`
# sujeta también las estadísticas, y `predict_proba` está siempre en modo de inferencia. `what_moved` muestra aparte las
# estadísticas, porque ninguna lista de pesos las enseñaría.
#
# ## 8. La pérdida se promedia dos veces
#
# La pérdida de {Framework} ya es la media del lote. Dividirla otra vez por el tamaño del lote es un descuido fácil. El
# gradiente queda 32 veces más pequeño. ¿Importa? Apueste para dos optimizadores: SGD, cuyo paso es el gradiente por la
# tasa, y Adam, que divide el gradiente por su propio tamaño.

# %% framework="pytorch"
OPTIMIZERS = {
    "SGD": lambda head: torch.optim.SGD(head.parameters(), lr=0.05, momentum=0.9),
    "Adam": lambda head: torch.optim.Adam(head.parameters(), lr=3e-3),
}


def train_head(x, y, optimizer, divisor, seed, epochs=12):
    set_seed(seed)
    head, rng, losses = build_head(x.shape[1], num_classes), np.random.default_rng(seed), []
    device, step = next(head.parameters()).device, OPTIMIZERS[optimizer](head)
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(x)), len(x) // 32):
            logits = head(torch.from_numpy(x[rows]).to(device))
            loss = F.cross_entropy(logits, torch.from_numpy(y[rows]).to(device)) / divisor
            step.zero_grad()
            loss.backward()
            step.step()
            losses.append(loss.item())
    return head, losses


# %% framework="tensorflow"
import tensorflow as tf

OPTIMIZERS = {
    "SGD": lambda head: keras.optimizers.SGD(0.05, momentum=0.9),
    "Adam": lambda head: keras.optimizers.Adam(3e-3, epsilon=1e-8),
}


def train_head(x, y, optimizer, divisor, seed, epochs=12):
    set_seed(seed)
    head, rng, losses = build_head(x.shape[1], num_classes), np.random.default_rng(seed), []
    variables, chosen = head.trainable_variables, OPTIMIZERS[optimizer](head)
    chosen.build(variables)

    @tf.function
    def step(batch, labels):
        with tf.GradientTape() as tape:
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, head(batch))
            loss = tf.reduce_mean(each) / divisor
        chosen.apply(tape.gradient(loss, variables), variables)
        return loss

    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(x)), len(x) // 32):
            losses.append(float(step(tf.constant(x[rows]), tf.constant(y[rows]))))
    return head, losses


# %%
answers, last_loss = {}, {}
parts = [(features[rows], pool.labels[rows]) for rows in draws[:2]]
for optimizer in OPTIMIZERS:
    for divisor in (1, 32):
        runs = [train_head(*part, optimizer, divisor, seed=k) for k, part in enumerate(parts)]
        answers[optimizer, divisor] = np.stack([hits(head, test_features) for head, _ in runs])
        last_loss[optimizer, divisor] = np.mean([divisor * np.mean(losses[-4:]) for _, losses in runs])
    slowed = last_loss[optimizer, 32] / last_loss[optimizer, 1]
    table.add(
        {"en": f"loss averaged twice, {optimizer}", "es": f"pérdida promediada dos veces, {optimizer}"},
        cost(answers[optimizer, 32], answers[optimizer, 1]),
        {
            "en": f"first loss 32 times too small; last loss × {slowed:.1f}",
            "es": f"la primera pérdida, 32 veces menor; la última, × {slowed:.1f}",
        },
    )
first_loss = runs[0][1][0]  # of the last run, which divides twice
try:
    guards.check_first_loss(first_loss, num_classes)
except ValueError as error:
    print(f"\ncheck_first_loss: {error}")

# %%
claim(
    "sgd_is_slowed",
    last_loss["SGD", 32] / last_loss["SGD", 1],
    en="SGD with a loss averaged twice has at least twice the training loss after the same epochs",
    es="SGD con la pérdida promediada dos veces tiene, tras las mismas épocas, al menos el doble de pérdida",
    at_least=2,
    unit="×",
    language=LANGUAGE,
)
claim(
    "adam_does_not_notice",
    last_loss["Adam", 32] / last_loss["Adam", 1],
    en="Adam ends with nearly the same loss",
    es="Adam termina casi con la misma pérdida",
    at_least=0.67,
    at_most=1.5,
    unit="×",
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# With SGD the mistake is a learning rate that is 32 times smaller than you think. With Adam it is only a wrong number
# in the report; but a wrong number has misled many a comparison. **Guard:** an untrained head guesses, so the first
# loss must be near $\ln K$. `check_first_loss` compares.
#
# ### Exercise 2: divided by what?
#
# A colleague trains a head for 37 breeds. The first loss is 0.0564. By what number was the mean loss divided again?
# Write it into `my_divisor`.

# %% [markdown] lang="es"
# Con SGD, el error equivale a una tasa de aprendizaje 32 veces menor de lo que usted cree. Con Adam es solo un número
# equivocado en el informe; pero un número equivocado ha estropeado muchas comparaciones. **Protección:** una cabeza sin
# entrenar responde al azar, así que la primera pérdida debe estar cerca de $\ln K$. `check_first_loss` lo compara.
#
# ### Ejercicio 2: ¿dividida por cuánto?
#
# Una colega entrena una cabeza para 37 razas. La primera pérdida es 0,0564. ¿Por qué número se dividió otra vez la
# pérdida media? Escríbalo en `my_divisor`.


# %%
def check_divisor(answer):
    good = answer is not None and abs(answer - 64) <= 1
    todo = {
        "en": "A head that guesses among K classes has the loss ln K: np.log(37).",
        "es": "Una cabeza que responde al azar entre K clases tiene la pérdida ln K: np.log(37).",
    }
    yes = {"en": "✔ Yes: a batch of 64.", "es": "✔ Sí: un lote de 64."}
    no = {
        "en": "✘ No. What must ln 37 be divided by, to give 0.0564?",
        "es": "✘ No. ¿Por cuánto hay que dividir ln 37 para obtener 0,0564?",
    }
    print((todo if answer is None else yes if good else no)[LANGUAGE])
    return good


my_divisor = None
solved = check_divisor(my_divisor)

# %% tags=["solution"]
my_divisor = round(np.log(37) / 0.0564)
assert check_divisor(my_divisor)

# %% [markdown] lang="en"
# ## 9. Leakage: the answers are in the training data
#
# So far accuracy was lost. Now it is **invented**: the reported number is higher than what the model will do.
#
# First, copies. Half of the test images are also in the training data, saved anew as JPEG and a little brighter, as
# happens when pictures are collected from the web. (This is [data leakage](../../docs/glossary.md#data-leakage).)

# %% [markdown] lang="es"
# ## 9. Fuga de datos: las respuestas están en el entrenamiento
#
# Hasta ahora se perdía exactitud. Ahora se **inventa**: el número anunciado es mejor que lo que hará el modelo.
#
# Primero, las copias. La mitad de las imágenes de prueba están también en el entrenamiento, guardadas otra vez en JPEG
# y algo más claras, como ocurre cuando las imágenes se recogen de la web. (Es una [fuga de
# datos](../../docs/glosario.md#fuga-de-datos)).

# %%
from tlhelpers.legacy.distortions import distort
from tlhelpers.errors import DatasetError

leaked = np.sort(np.random.default_rng(SEED).permutation(len(test))[: len(test) // 2])
copies = distort(np.clip(test.images[leaked] * 1.1, 0, 255).astype(np.uint8), "JPEG 75")
copied_features = np.concatenate([features, extract_features(backbone, copies, progress=False)])
copied_labels = np.concatenate([pool.labels, test.labels[leaked]])
copied = np.arange(len(pool), len(copied_labels))
with_copies = [np.append(rows, copied) for rows in draws]
leaky = [train_probe(copied_features[rows], copied_labels[rows]) for rows in with_copies]
leak = evaluation.paired_difference(baseline, right(leaky, test_features))
table.add(
    {"en": "half of the test has copies in training", "es": "media prueba tiene copias en el entrenamiento"},
    leak,
    {
        "en": "very good on the test, ordinary on new data",
        "es": "muy bien en la prueba, normal con datos nuevos",
    },
    kind="illusion",
)

# %%
clean, dirty = guards.find_overlap(pool, test), guards.find_overlap(copies, test)
print({"en": "our own split:", "es": "nuestra partición:"}[LANGUAGE], len(clean))
print({"en": "with copies:", "es": "con copias:"}[LANGUAGE], f"{len(dirty.second)} / {len(leaked)}")
try:
    guards.check_no_overlap(copies, test)
except DatasetError as error:
    print(f"\ncheck_no_overlap: {error}")

# %%
claim_here(
    "copies_hide_errors",
    100 * leak.value / (1 - baseline.mean()),
    en="The copies hide at least a quarter of the errors",
    es="Las copias ocultan al menos la cuarta parte de los errores",
    at_least=25,
    unit="%",
)
claim(
    "copies_are_found",
    100 * np.isin(leaked, dirty.second).mean(),
    en="check_no_overlap finds the copies, though no pixel is the same",
    es="check_no_overlap encuentra las copias, aunque ningún píxel coincida",
    at_least=95,
    unit="%",
    language=LANGUAGE,
)
if DATASET.startswith("drawn_pets"):
    claim(
        "no_false_alarm",
        len(clean),
        en="It finds none in our own split, where there are none",
        es="No encuentra ninguna en nuestra partición, donde no las hay",
        at_most=0,
        language=LANGUAGE,
    )

# %% [markdown] lang="en"
# `load_splits` leaves out files with the same bytes. Copies that were saved anew have other bytes, so ask
# `check_no_overlap` as well. It finds new compression, brightness, size and mirror images; not crops or rotations.
#
# ### Choosing by the test
#
# The second leak needs no copies. You try 200 variants of the head and keep the one that does best on the test. Surely
# that is what a test is for?
#
# Let us try it where nothing can be learnt: **labels thrown with a coin**. Every head has a true accuracy of 50 %. We
# choose the best of 200 by 100 test images, and then look at fresh ones. We repeat it ten times.

# %% [markdown] lang="es"
# `load_splits` descarta los archivos con los mismos bytes. Las copias guardadas de nuevo tienen otros bytes, así que
# pregunte también a `check_no_overlap`. Encuentra otra compresión, otro brillo, otro tamaño y las imágenes reflejadas;
# no los recortes ni los giros.
#
# ### Elegir con la prueba
#
# La segunda fuga no necesita copias. Usted prueba 200 variantes de la cabeza y se queda con la que mejor va en la
# prueba. ¿No es para eso una prueba?
#
# Probémoslo donde no hay nada que aprender: **etiquetas echadas a cara o cruz**. La exactitud verdadera de toda cabeza
# es del 50 %. Elegimos la mejor de 200 con 100 imágenes de prueba y luego miramos otras nuevas. Lo repetimos diez
# veces.

# %%
CHOSEN_BY = min(100, len(test) // 2)  # test images that choose; the rest stays fresh


def choose(train_labels, test_labels, seed):
    hit = random_heads(features, train_labels, test_features, seed=seed) == test_labels
    order = np.random.default_rng(seed).permutation(len(test))
    chooses, fresh = hit[:, order[:CHOSEN_BY]].mean(1), hit[:, order[CHOSEN_BY:]].mean(1)
    return chooses.max(), fresh[chooses.argmax()]


coins = [np.random.default_rng((SEED, k)).integers(0, 2, len(pool) + len(test)) for k in range(10)]
on_coins = np.array([choose(coin[: len(pool)], coin[len(pool) :], k) for k, coin in enumerate(coins)])
on_labels = np.array([choose(pool.labels, test.labels, k) for k in range(10)])
for words, found in (
    (("coin labels", "etiquetas al azar"), on_coins),
    (("real labels", "etiquetas reales"), on_labels),
):
    said, true = (evaluation.mean_interval(column) for column in found.T)
    print(f"{words[not ENGLISH]:18} {'reported' if ENGLISH else 'anunciado'} {said}   "
          f"{'fresh' if ENGLISH else 'nuevas'} {true}")  # fmt: skip

# %%
optimism = evaluation.mean_interval(on_labels[:, 0] - on_labels[:, 1])
table.add(
    {"en": "best of 200 chosen by the test", "es": "la mejor de 200, elegida con la prueba"},
    optimism,
    {"en": "the record is not reached on fresh images", "es": "el récord no se repite con imágenes nuevas"},
    kind="illusion",
)
claim(
    "a_coin_is_predicted",
    100 * (on_coins[:, 0] - 0.5).mean(),
    en="Chosen by the test, a head seems to predict coins",
    es="Elegida con la prueba, una cabeza parece adivinar monedas",
    at_least=5,
    unit=POINTS,
    language=LANGUAGE,
)
claim(
    "a_coin_is_not_predicted",
    100 * on_coins[:, 1].mean(),
    en="On fresh images it guesses",
    es="Con imágenes nuevas, acierta como el azar",
    at_least=45,
    at_most=55,
    unit="%",
    language=LANGUAGE,
)
claim_here(
    "choosing_flatters",
    100 * optimism.value,
    en="With real labels, too, the best of 200 is reported too well",
    es="También con etiquetas reales, la mejor de 200 sale mejor de lo que es",
    at_least=1,
    unit=POINTS,
)

# %% [markdown] lang="en"
# Nothing was trained on the test images, and still they are spent. The best of many is partly the best and partly the
# luckiest, and luck does not come again. **Mend:** choose by `val`, then open `test` once.
#
# ## 10. Accuracy hides a rare class
#
# A question with a rare answer: is it a picture of our first class, when one in about sixteen is? This is [class
# imbalance](../../docs/glossary.md#class-imbalance). We compare an answer that needs no network ("always no"), a head,
# and a head that weighs each class by its rarity. **Recall** is the share of a class that is found. **Balanced
# accuracy** is the mean of the recalls of both classes.

# %% [markdown] lang="es"
# Nada se ha entrenado con las imágenes de prueba, y aun así están gastadas. La mejor de muchas es en parte la mejor y
# en parte la más afortunada, y la suerte no se repite. **Remedio:** elija con `val` y abra `test` una sola vez.
#
# ## 10. La exactitud esconde una clase rara
#
# Una pregunta con respuesta rara: ¿es una imagen de nuestra primera clase, si lo es más o menos una de cada dieciséis?
# Es un [desequilibrio de clases](../../docs/glosario.md#desequilibrio-de-clases). Comparamos una respuesta que no
# necesita red («siempre no»), una cabeza y una cabeza que pondera cada clase según su rareza. La **sensibilidad**
# (*recall*) es la parte de una clase que se encuentra. La **exactitud equilibrada** es la media de las sensibilidades
# de las dos clases.

# %%
RARE = 0.06


def rare_against_rest(labels):  # all others, and so many of class 0 that they are RARE: places; is it class 0?
    others, mine = np.flatnonzero(labels != 0), np.flatnonzero(labels == 0)
    rows = np.concatenate([others, mine[: max(3, round(RARE / (1 - RARE) * len(others)))]])
    return rows, labels[rows] == 0


rows, is_rare = rare_against_rest(pool.labels)
test_rows, test_rare = rare_against_rest(test.labels)
said = {"no": np.zeros(len(test_rows), bool)}
for name, weight in (("plain", None), ("weighted", "balanced")):
    probe = train_probe(features[rows], is_rare, class_weight=weight)
    said[name] = probe.predict(test_features[test_rows])
good = {name: answer == test_rare for name, answer in said.items()}
recall = {name: (hit[test_rare].mean(), hit[~test_rare].mean()) for name, hit in good.items()}

# %%
words = ("always no", "head", "weighted head") if ENGLISH else ("siempre no", "cabeza", "cabeza ponderada")
columns = ("accuracy", "recall", "balanced") if ENGLISH else ("exactitud", "sensibil.", "equilibrada")
print(f"{'':18}" + "".join(f"{column:>13}" for column in columns))
for word, name in zip(words, good):
    print(f"{word:18}{good[name].mean():13.1%}{recall[name][0]:13.1%}{np.mean(recall[name]):13.1%}")
table.add(
    {"en": "accuracy hides a rare class", "es": "la exactitud esconde una clase rara"},
    hidden_by_accuracy(good["plain"], test_rare),
    {
        "en": f"recall of the rare class: {recall['plain'][0]:.0%}",
        "es": f"sensibilidad de la clase rara: {recall['plain'][0]:.0%}",
    },
    kind="illusion",
)

# %%
claim(
    "saying_no_is_accurate",
    100 * good["no"].mean(),
    en="An answer that never looks at the picture is more than nine in ten times right",
    es="Una respuesta que nunca mira la imagen acierta más de nueve de cada diez veces",
    at_least=90,
    unit="%",
    language=LANGUAGE,
)
claim_here(
    "rare_class_is_missed",
    100 * (good["plain"].mean() - recall["plain"][0]),
    en="The head's accuracy is above its recall of the rare class",
    es="La exactitud de la cabeza supera su sensibilidad en la clase rara",
    at_least=5,
    unit=POINTS,
)
claim_here(
    "weights_find_the_rare",
    100 * (recall["weighted"][0] - recall["plain"][0]),
    en="Weighted by rarity, the head finds more of the rare class",
    es="Ponderada por la rareza, la cabeza encuentra más de la clase rara",
    at_least=5,
    unit=POINTS,
)

# %% [markdown] lang="en"
# **Guard:** always print the accuracy of the commonest answer beside your own, and the recall of each class.
#
# ## 11. No seed
#
# A [seed](../../docs/glossary.md#seed) fixes what is left to chance. Without one, the same program gives another number
# each time. That costs no accuracy. It costs the **meaning** of a comparison: run both ways often enough, and either
# wins.

# %% [markdown] lang="es"
# **Protección:** ponga siempre junto a su exactitud la de la respuesta más frecuente, y la sensibilidad de cada clase.
#
# ## 11. Sin semilla
#
# Una [semilla](../../docs/glosario.md#semilla) fija lo que se deja al azar. Sin ella, el mismo programa da cada vez
# otro número. Eso no cuesta exactitud. Cuesta el **sentido** de una comparación: repita ambas formas lo suficiente, y
# ganará cualquiera.


# %%
def trained_with(seed):
    set_seed(seed)
    head = build_head(features.shape[1], num_classes)
    fit(head, features, pool.labels, epochs=3, lr=3e-3, seed=seed, progress=False)
    return predict_proba(head, test_features)


first, again, other = (trained_with(seed) for seed in (SEED, SEED, SEED + 1))
lots = [draw(seed, share=0.5) for seed in range(20)]
luck = right([train_probe(features[rows], pool.labels[rows]) for rows in lots], test_features).mean(1)
flattered = evaluation.mean_interval(luck.reshape(4, 5).max(1) - luck.mean())
print(f"|Δp|: {np.abs(first - again).max():.1e}, {np.abs(first - other).max():.1e}")
spread = f"{100 * luck.min():.1f} – {100 * luck.max():.1f} %"
table.add(
    {"en": "no seed: the best of five runs", "es": "sin semilla: la mejor de cinco veces"},
    flattered,
    {"en": f"20 runs of one method: {spread}", "es": f"20 veces el mismo método: {spread}"},
    kind="illusion",
)

# %%
claim(
    "same_seed_same_model",
    np.abs(first - again).max(),
    en="With the same seed the probabilities are the same",
    es="Con la misma semilla, las probabilidades son las mismas",
    at_most=1e-5,
    language=LANGUAGE,
)
claim_here(
    "runs_differ",
    100 * (luck.max() - luck.min()),
    en="Twenty runs of one method, each with its own draw of images, differ by a point or more",
    es="Veinte ejecuciones de un mismo método, cada una con su sorteo, difieren en un punto o más",
    at_least=1,
    unit=POINTS,
)

# %% [markdown] lang="en"
# **Mend:** `set_seed` at the start, and `seed=` for `fit` and `load_splits`. But a seed only repeats one stroke of
# luck. To know how large luck is, run several seeds and report the interval.
#
# ## 12. The bill

# %% [markdown] lang="es"
# **Remedio:** `set_seed` al principio, y `seed=` en `fit` y `load_splits`. Pero una semilla solo repite un golpe de
# suerte. Para saber cuánto pesa la suerte, use varias semillas y dé el intervalo.
#
# ## 12. La cuenta

# %%
table

# %%
ax = plot_costs(table)

# %% [markdown] lang="en"
# *What each mistake cost, in points of accuracy, with its 95 % interval. Circles: accuracy that is lost. Squares:
# accuracy that was reported, and is not there. Hollow: the interval contains zero, so this test sees no cost. Left of
# zero the mistake helped.*
#
# Three lessons are in this figure. Mistakes that change something **between training and use** are the dearest. Some
# famous mistakes cost nothing that we can see, on this task. And the squares are the ones that no user of your model
# forgives: they look like success.

# %% [markdown] lang="es"
# *Lo que ha costado cada error, en puntos de exactitud, con su intervalo del 95 %. Círculos: exactitud perdida.
# Cuadrados: exactitud anunciada que no existe. Hueco: el intervalo contiene el cero, así que esta prueba no ve ningún
# coste. A la izquierda del cero, el error ayudó.*
#
# En esta figura hay tres lecciones. Los errores que cambian algo **entre el entrenamiento y el uso** son los más caros.
# Algunos errores famosos no cuestan nada que podamos ver en esta tarea. Y los cuadrados son los que nadie que use su
# modelo le perdonará: parecen un éxito.

# %%
visible = [row for row in table.rows if row.visible]
print(f"{len(visible)} / {len(table.rows)}")
claim_here(
    "not_every_warning_costs",
    len(table.rows) - len(visible),
    en="At least two of the mistakes cost nothing that this test can see",
    es="Al menos dos de los errores no cuestan nada que esta prueba pueda ver",
    at_least=2,
)

# %% [markdown] lang="en"
# ## 13. A checklist
#
# | before you believe a number | call |
# | --- | --- |
# | pixels: red first, 0 to 255, scaled once | `Backbone.preprocessing`, `check_images` (inside `extract_features`) |
# | the same answers in use as in training | `check_reference(kept, found)` |
# | the parts share no picture | `load_splits(...).manifest`, `check_no_overlap(train, test)` |
# | what is meant to train, can | `count_parameters(classifier)`, `unknown_layers(optimizer, classifier)` |
# | only that has moved, statistics too | `snapshot`, `what_moved`, `check_only_moved` |
# | frozen means frozen | `freeze(classifier)`: weights and BatchNorm statistics |
# | the first loss is near ln K | `check_first_loss(loss, num_classes)` |
# | evaluated twice, the number is the same | `predict_proba`, without augmentation, in inference mode |
# | chosen by val, tested once | `data.val` for choices, `data.test` at the end |
# | better than the commonest answer, in each class | recall of each class beside the accuracy |
# | repeatable, and repeated | `set_seed`, several seeds, `paired_difference` |

# %% [markdown] lang="es"
# ## 13. Lista de comprobación
#
# | antes de creerse un número | llamada |
# | --- | --- |
# | píxeles: primero el rojo, de 0 a 255, escalados una vez | `Backbone.preprocessing`, `check_images` (dentro de `extract_features`) |
# | en el uso, las mismas respuestas que al entrenar | `check_reference(kept, found)` |
# | las partes no comparten ninguna imagen | `load_splits(...).manifest`, `check_no_overlap(train, test)` |
# | lo que debe entrenarse puede hacerlo | `count_parameters(classifier)`, `unknown_layers(optimizer, classifier)` |
# | solo eso se ha movido, también las estadísticas | `snapshot`, `what_moved`, `check_only_moved` |
# | congelado quiere decir congelado | `freeze(classifier)`: pesos y estadísticas de BatchNorm |
# | la primera pérdida está cerca de ln K | `check_first_loss(loss, num_classes)` |
# | evaluado dos veces, el número es el mismo | `predict_proba`, sin aumento de datos, en modo de inferencia |
# | elegido con val, probado una vez | `data.val` para elegir, `data.test` al final |
# | mejor que la respuesta más frecuente, en cada clase | sensibilidad de cada clase junto a la exactitud |
# | repetible, y repetido | `set_seed`, varias semillas, `paired_difference` |

# %%
show_quiz("05_common_mistakes/after", LANGUAGE)

# %% [markdown] lang="en"
# ## What was learnt
#
# - A mistake that is the same in training and in use is often half forgiven. One that differs between them is not.
# - Symptoms are more telling than costs: a second evaluation, the first loss, the list of what moved.
# - The two frameworks forget in different ways. PyTorch's optimizer misses what is unfrozen later; Keras's traced
#   training step misses what is frozen later.
# - BatchNorm has a memory of its own, which freezing the weights does not hold.
# - Copies in training, and choices made by the test, invent accuracy without any error in the code.
#
# ## Further reading
#
# - A. Karpathy, "A recipe for training neural networks", 2019 (blog): check the loss at the start, overfit one batch.
# - S. Kaufman, S. Rosset and C. Perlich, "Leakage in data mining: formulation, detection, and avoidance", *KDD* 2011.
# - B. Recht, R. Roelofs, L. Schmidt and V. Shankar, "Do ImageNet classifiers generalize to ImageNet?", *ICML* 2019:
#   what ten years of one test set did.
# - B. Barz and J. Denzler, "Do we train on test data? Purging CIFAR of near-duplicates", *Journal of Imaging* 6(6),
#   2020.
# - S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
#   shift", *ICML* 2015.

# %% [markdown] lang="es"
# ## Qué hemos aprendido
#
# - Un error que es igual en el entrenamiento y en el uso se perdona a menudo a medias. Uno que difiere entre ambos, no.
# - Los síntomas dicen más que los costes: una segunda evaluación, la primera pérdida, la lista de lo que se ha movido.
# - Cada biblioteca olvida a su manera. Al optimizador de PyTorch se le escapa lo que se descongela después; al paso de
#   entrenamiento trazado de Keras, lo que se congela después.
# - BatchNorm tiene una memoria propia, que congelar los pesos no sujeta.
# - Las copias en el entrenamiento, y elegir con la prueba, inventan exactitud sin ningún fallo en el código.
#
# ## Para seguir leyendo
#
# - A. Karpathy, «A recipe for training neural networks», 2019 (blog): mirar la pérdida al principio, sobreajustar un
#   lote.
# - S. Kaufman, S. Rosset y C. Perlich, «Leakage in data mining: formulation, detection, and avoidance», *KDD* 2011.
# - B. Recht, R. Roelofs, L. Schmidt y V. Shankar, «Do ImageNet classifiers generalize to ImageNet?», *ICML* 2019: qué
#   hicieron diez años con un mismo conjunto de prueba.
# - B. Barz y J. Denzler, «Do we train on test data? Purging CIFAR of near-duplicates», *Journal of Imaging* 6(6), 2020.
# - S. Ioffe y C. Szegedy, «Batch normalization: accelerating deep network training by reducing internal covariate
#   shift», *ICML* 2015.
