# %% [markdown] lang="en"
# # How good is it, and how sure are we?
#
# **{Framework}** · about 75 minutes · before this: [01 Cats and dogs](01_cats_vs_dogs_{framework}.ipynb).
#
# "97 % accuracy." On which images? How many? Against what? After this lesson you can
#
# - choose, practise and test on different images, and say why;
# - read precision, recall, F1, the ROC curve and top-k, and choose the one that fits the task;
# - give every number an interval, and check that such intervals keep their promise;
# - compare two models on the same images with a paired test;
# - read learning curves, and tell overfitting from underfitting;
# - find out whether "90 % sure" means nine in ten, and mend it where it does not;
# - report accuracy and cost together, and look for what fails: other conditions, slices of the data, shortcuts.

# %% [markdown] lang="es"
# # ¿Es bueno el modelo? ¿Y hasta qué punto lo sabemos?
#
# **{Framework}** · unos 75 minutos · antes: [01 Gatos y perros](01_cats_vs_dogs_{framework}.ipynb).
#
# «97 % de exactitud». ¿Con qué imágenes? ¿Con cuántas? ¿Comparado con qué? Al terminar podrá
#
# - elegir, practicar y probar con imágenes distintas, y explicar por qué;
# - leer precisión, sensibilidad, F1, curva ROC y top-k, y escoger la medida adecuada para cada tarea;
# - dar un intervalo con cada número, y comprobar que esos intervalos cumplen lo que prometen;
# - comparar dos modelos con las mismas imágenes mediante una prueba pareada;
# - leer curvas de aprendizaje y distinguir el sobreajuste del subajuste;
# - averiguar si «90 % de seguridad» significa nueve de cada diez, y corregirlo si no es así;
# - presentar juntos exactitud y coste, y buscar lo que falla: otras condiciones, partes de los datos, atajos.

# %% tags=["parameters"]
LANGUAGE = "en"  # of the figures: "en" or "es"
SEED = 0
DATASET = "drawn_pets"  # two classes; or "cats_vs_dogs", "oxford_pets_species"
BACKBONE = "mini_resnet"  # or "mobilenet", "resnet50", ...
OTHER_BACKBONE = "mini_resnet_narrow"  # a smaller one, to compare with
IMAGE_SIZE = 64  # side of the images, in pixels; what the backbones were trained at
LABELS_A_CLASS = 25  # labelled training images of each class, at most
SEEDS = 5  # how often an experiment with a head is repeated
FINE_TUNE_EPOCHS = 4
FINE_TUNE_RATE = 1e-4  # learning rate; a deeper network needs a lower one (lesson 03 tests it)
SCRATCH_EPOCHS = 16
TEST_DRAWINGS = 208  # new drawings of each style: 13 of each breed
TRAIN_DRAWINGS = 200  # drawings to train on where the data are biased on purpose

# %% [markdown] lang="en"
# ## What do you expect?

# %% [markdown] lang="es"
# ## ¿Qué espera usted?

# %%
# %matplotlib inline
from functools import partial

import numpy as np
from sklearn import metrics

from tlhelpers import plots
from tlhelpers.legacy import metrics as evaluation
from tlhelpers.legacy import calibration, evaluation_plots
from tlhelpers.claims import claim, record_result
from tlhelpers.data.datasets import load_splits
from tlhelpers.quiz import show_quiz

ENGLISH = LANGUAGE == "en"
FRAMEWORK = "pytorch"
POINTS = "points" if ENGLISH else "puntos"  # differences of percentages
DEFAULT = BACKBONE == "mini_resnet" and DATASET == "drawn_pets"
claim_here = partial(claim, language=LANGUAGE, asserted=DEFAULT)  # the bounds hold for these data
show_quiz("06_evaluation/before", LANGUAGE)

# %% framework="pytorch"
from tlhelpers.legacy.pytorch import (
    build_classifier,
    build_head,
    extract_features,
    fit,
    load_backbone,
    predict_proba,
    set_seed,
    unfreeze,
)
from tlhelpers.legacy.pytorch.costs import measure_cost

# %% framework="tensorflow"
from tlhelpers.legacy.tensorflow import (
    build_classifier,
    build_head,
    extract_features,
    fit,
    load_backbone,
    predict_proba,
    set_seed,
    unfreeze,
)
from tlhelpers.legacy.tensorflow.costs import measure_cost

# %% [markdown] lang="en"
# ## 1. Three parts, and why
#
# We learn from **train**, choose with **val** ([validation](../../docs/glossary.md#validation-set)) and look at **test**
# once, at the end. In this lesson we practise all measurements on the validation images. The test images wait for
# section 8.
#
# Most experiments need only the features of a frozen [backbone](../../docs/glossary.md#backbone). So we compute them
# once.

# %% [markdown] lang="es"
# ## 1. Tres partes, y por qué
#
# Aprendemos de **train** (entrenamiento), elegimos con **val** ([validación](../../docs/glosario.md#conjunto-de-validación)) y
# miramos **test** (prueba) una sola vez, al final. En esta lección practicamos todas las medidas con las imágenes de
# validación. Las de prueba esperan a la sección 8.
#
# Casi todos los experimentos solo necesitan las características de una [red base](../../docs/glosario.md#red-base)
# congelada. Las calculamos una sola vez.

# %% tags=["nbval-check-output"]
data = load_splits(DATASET, image_size=IMAGE_SIZE, seed=SEED, val_fraction=0.3, progress=False)
train, val, test = data.train, data.val, data.test
for name, part in (("train", train), ("val", val), ("test", test)):
    print(f"{name:>5}: {len(part):5,}", dict(zip(part.class_names, np.bincount(part.labels).tolist())))
labels_a_class = min(LABELS_A_CLASS, int(np.bincount(train.labels).min()))
class_words = plots.class_words(train.class_names, LANGUAGE)

# %%
set_seed(SEED)
backbone = load_backbone(BACKBONE, image_size=IMAGE_SIZE)
other_backbone = load_backbone(OTHER_BACKBONE, image_size=IMAGE_SIZE)
train_x, val_x = (extract_features(backbone, p.images, progress=False) for p in (train, val))
other_train_x, other_val_x = (extract_features(other_backbone, p.images, progress=False) for p in (train, val))


def few_labels(seed, count=labels_a_class, labels=train.labels):  # places of so many images of each class
    order = np.random.default_rng(seed).permutation(len(labels))
    return np.concatenate([order[labels[order] == k][:count] for k in range(labels.max() + 1)])


few = few_labels(SEED)
large = evaluation.linear_probe(train_x[few], train.labels[few], val_x)
small = evaluation.linear_probe(other_train_x[few], train.labels[few], other_val_x)
print(f"{BACKBONE}: {evaluation.accuracy(val.labels, large):.1%}")
print(f"{OTHER_BACKBONE}: {evaluation.accuracy(val.labels, small):.1%}")

# %% [markdown] lang="en"
# What is wrong with the accuracy on the images that we chose with? Try it: 200 poor models, each of which sees only
# four features. We choose the best on 60 validation images. How good is it on the others?

# %% [markdown] lang="es"
# ¿Qué problema tiene la exactitud medida con las imágenes que sirvieron para elegir? Haga la prueba: 200 modelos
# malos, cada uno con solo cuatro características. Elegimos el mejor con 60 imágenes de validación. ¿Y con las demás,
# cómo va?

# %%
rng = np.random.default_rng(SEED)
columns = [rng.choice(train_x.shape[1], 4, replace=False) for _ in range(200)]
answers = [evaluation.linear_probe(train_x[few][:, c], train.labels[few], val_x[:, c]) for c in columns]
right = np.array(answers).argmax(2) == val.labels
chosen, fresh = [], []
for _ in range(100):  # 100 times other 60 images
    mixed = rng.permutation(len(val))
    winner = right[:, mixed[:60]].mean(1).argmax()
    chosen.append(right[winner, mixed[:60]].mean())
    fresh.append(right[winner, mixed[60:]].mean())
flattery = 100 * (np.mean(chosen) - np.mean(fresh))
print(f"{100 * np.mean(chosen):.1f} % → {100 * np.mean(fresh):.1f} %")
claim_here(
    "choosing_flatters",
    flattery,
    en="The winner looks better on the images that chose it than on images that did not",
    es="El ganador parece mejor con las imágenes que lo eligieron que con las que no",
    at_least=2,
    unit=POINTS,
)

# %% [markdown] lang="en"
# The winner was good, and lucky. The luck stays behind. The same happens with learning rates, epochs and seeds chosen
# on validation images; hence the test part, which chooses nothing.
#
# ### Few images: cross-validation
#
# With 50 labelled images, a fifth held out is ten images: one answer more or less is ten points.
# **[Cross-validation](../../docs/glossary.md#cross-validation)** uses each image for validation once: five parts,
# five trainings, each time another part is held out. Does it make the estimate steadier? We repeat both ways with 30
# different sets of 50 images.

# %% [markdown] lang="es"
# El ganador era bueno y, además, tuvo suerte. La suerte no lo acompaña después. Lo mismo pasa con tasas de
# aprendizaje, épocas y semillas elegidas con las imágenes de validación; por eso existe la parte de prueba, que no
# elige nada.
#
# ### Pocas imágenes: validación cruzada
#
# Con 50 imágenes etiquetadas, apartar una quinta parte deja diez: un acierto más o menos son diez puntos. La
# **[validación cruzada](../../docs/glosario.md#validación-cruzada)** usa cada imagen una vez para validar: cinco
# partes, cinco entrenamientos, y cada vez se aparta una parte distinta. ¿Da así una estimación más estable? Repetimos
# las dos maneras con 30 grupos distintos de 50 imágenes.

# %%
from sklearn.model_selection import StratifiedKFold

one_split, five_folds = [], []
for seed in range(30):
    some = few_labels(seed, 25)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed).split(some, train.labels[some])
    found = []
    for learn, hold in folds:
        p = evaluation.linear_probe(train_x[some[learn]], train.labels[some[learn]], train_x[some[hold]])
        found.append(evaluation.accuracy(train.labels[some[hold]], p))
    one_split.append(found[0])
    five_folds.append(np.mean(found))
words = ("one split", "five folds") if ENGLISH else ("una división", "cinco partes")
for name, found in zip(words, (one_split, five_folds)):
    print(f"{name:>12}: {100 * np.mean(found):.1f} ± {100 * np.std(found):.1f} %")
claim_here(
    "cross_validation_is_steadier",
    np.std(five_folds) / np.std(one_split),
    en="Five folds spread clearly less from one set of images to the next than one split",
    es="Con cinco partes, el resultado varía claramente menos de un grupo a otro que con una sola división",
    at_most=0.8,
)

# %% [markdown] lang="en"
# ## 2. Which mistakes?
#
# Suppose we look for cats. Then there are two ways to be wrong. The [confusion
# matrix](../../docs/glossary.md#confusion-matrix) counts them. We take the smaller network, which makes more
# mistakes.

# %% [markdown] lang="es"
# ## 2. ¿Qué errores?
#
# Supongamos que buscamos gatos. Entonces hay dos maneras de equivocarse. La [matriz de
# confusión](../../docs/glosario.md#matriz-de-confusión) las cuenta. Tomamos la red más pequeña, que comete más
# errores.

# %%
is_cat = (val.labels == 0).astype(int)  # class 0: what we look for
cat_score = small[:, 0]
says_cat = (cat_score >= 0.5).astype(int)
ax = plots.plot_confusion_matrix(val.labels, small.argmax(1), class_words, language=LANGUAGE)

# %% [markdown] lang="en"
# *Validation images. Rows are the true classes, columns the answers; off the diagonal are the mistakes.*
#
# Call what we look for *positive*. TP (true positives) are cats called cats, FP (false positives) dogs called cats,
# FN (false negatives) cats called dogs. Then
#
# $$\text{precision} = \frac{TP}{TP + FP} \qquad \text{recall} = \frac{TP}{TP + FN} \qquad
# F_1 = 2 \, \frac{\text{precision} \cdot \text{recall}}{\text{precision} + \text{recall}}$$
#
# [Precision](../../docs/glossary.md#precision) asks: of those called cats, how many are?
# [Recall](../../docs/glossary.md#recall): of the cats, how many were found? $F_1$ is high only if both are.

# %% [markdown] lang="es"
# *Imágenes de validación. Las filas son las clases verdaderas; las columnas, las respuestas; fuera de la diagonal
# están los errores.*
#
# Llamemos *positivo* a lo que buscamos. TP (verdaderos positivos) son los gatos que la red llama gatos; FP (falsos
# positivos), los perros que llama gatos; FN (falsos negativos), los gatos que llama perros. Entonces
#
# $$\text{precisión} = \frac{TP}{TP + FP} \qquad \text{sensibilidad} = \frac{TP}{TP + FN} \qquad
# F_1 = 2 \, \frac{\text{precisión} \cdot \text{sensibilidad}}{\text{precisión} + \text{sensibilidad}}$$
#
# La [precisión](../../docs/glosario.md#precisión) (*precision*) pregunta: de los que llama gatos, ¿cuántos lo son? La
# [sensibilidad](../../docs/glosario.md#sensibilidad) (*recall*): de los gatos, ¿cuántos ha encontrado? $F_1$ solo es
# alta si lo son las dos. No confunda precisión con [exactitud](../../docs/glosario.md#exactitud) (*accuracy*), que es
# la proporción de aciertos.

# %% [markdown] lang="en"
# Now the shelter takes in nine dogs for each cat. The network is the same. What will change: accuracy, precision,
# recall? Guess before you look.

# %% [markdown] lang="es"
# Ahora el refugio recibe nueve perros por cada gato. La red es la misma. ¿Qué cambiará: la exactitud, la precisión,
# la sensibilidad? Apueste antes de mirar.

# %%
rare = np.where(is_cat, 1 / is_cat.sum(), 9 / (1 - is_cat).sum())  # a dog counts nine times as much as a cat
always_dog = np.zeros_like(is_cat)
rows = [
    (("balanced", "equilibrado"), says_cat, None),
    (("1 cat, 9 dogs", "1 gato, 9 perros"), says_cat, rare),
    (("always “dog”", "siempre «perro»"), always_dog, rare),
]
names = ("accuracy", "precision", "recall", "F1")
names = names if ENGLISH else ("exactitud", "precisión", "sensibilidad", "F1")
print(f"{'':18}", *(f"{name:>13}" for name in names))
table = []
for name, answer, weight in rows:
    how = {"sample_weight": weight, "zero_division": 0}
    scores = (metrics.precision_score, metrics.recall_score, metrics.f1_score)
    accuracy = metrics.accuracy_score(is_cat, answer, sample_weight=weight)
    table.append((accuracy, *(score(is_cat, answer, **how) for score in scores)))
    print(f"{name[not ENGLISH]:18}", *(f"{v:13.1%}" for v in table[-1]))

# %%
claim_here(
    "precision_falls_when_rare",
    100 * (table[0][1] - table[1][1]),
    en="When cats are rare, precision falls, though the network is the same",
    es="Cuando los gatos son raros, la precisión baja, aunque la red sea la misma",
    at_least=5,
    unit=POINTS,
)
claim(
    "recall_stays",
    100 * abs(table[0][2] - table[1][2]),
    en="Recall stays as it was",
    es="La sensibilidad no cambia",
    at_most=0.001,
    unit=POINTS,
    language=LANGUAGE,
)
claim(
    "useless_but_accurate",
    100 * table[2][0],
    en="Always saying “dog” is right nine times in ten, and finds no cat",
    es="Decir siempre «perro» acierta nueve veces de cada diez, y no encuentra ningún gato",
    at_least=89.9,
    unit="%",
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# So a number without its mixture of classes says little. Report how many images of each class there were.
#
# ### All thresholds at once
#
# "Cat" from a probability of 0.5 on: that threshold is a choice. A lower one finds more cats, and calls more dogs
# cats. The **ROC curve** shows all thresholds. The area under it ([AUC](../../docs/glossary.md#auc)) has a plain
# meaning: take a cat and a dog at random; how often does the cat have the higher score?

# %% [markdown] lang="es"
# Así que un número sin la mezcla de clases dice poco. Informe de cuántas imágenes había de cada clase.
#
# ### Todos los umbrales a la vez
#
# «Gato» a partir de una probabilidad de 0,5: ese umbral es una elección. Con uno más bajo se encuentran más gatos, y
# se llama gatos a más perros. La **curva ROC** muestra todos los umbrales. El área que queda debajo
# ([AUC](../../docs/glosario.md#auc)) tiene un significado sencillo: tome al azar un gato y un perro; ¿con qué
# frecuencia tiene el gato la puntuación más alta?

# %%
scores = {BACKBONE: large[:, 0], OTHER_BACKBONE: small[:, 0]}
ax = evaluation_plots.plot_roc(is_cat, scores, language=LANGUAGE)
area = metrics.roc_auc_score(is_cat, cat_score)
pairs = (cat_score[is_cat == 1][:, None] > cat_score[is_cat == 0]).mean()
print(f"AUC {area:.4f}; {pairs:.4f}")
claim(
    "area_counts_pairs",
    abs(area - pairs),
    en="The area is the share of pairs in which the cat has the higher score",
    es="El área es la proporción de parejas en las que el gato tiene la puntuación más alta",
    at_most=0.001,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# *ROC curves on the validation images; the marks are the threshold 0.5. The nearer to the upper left corner, the
# better. The dotted diagonal is guessing.*

# %% [markdown] lang="es"
# *Curvas ROC con las imágenes de validación; las marcas son el umbral 0,5. Cuanto más cerca de la esquina superior
# izquierda, mejor. La diagonal de puntos es responder al azar.*

# %% [markdown] lang="en" framework="pytorch"
# The numbers above are scikit-learn's. PyTorch itself has no metrics (the library torchmetrics adds them), but a few
# lines of tensors give the same, on a GPU too. Note that the counts are added over batches, and divided once, at the
# end.

# %% [markdown] lang="es" framework="pytorch"
# Los números de arriba son de scikit-learn. PyTorch no trae métricas propias (las añade la biblioteca torchmetrics),
# pero bastan unas líneas con tensores para obtener lo mismo, también en una GPU. Fíjese: los recuentos se suman a lo
# largo de los lotes y se dividen una sola vez, al final.

# %% [markdown] lang="en" framework="tensorflow"
# The numbers above are scikit-learn's. Keras has metrics of its own, which add up counts over batches and divide
# once, at the end. Its AUC works with a fixed number of thresholds, so it is an approximation.

# %% [markdown] lang="es" framework="tensorflow"
# Los números de arriba son de scikit-learn. Keras tiene métricas propias, que suman los recuentos a lo largo de los
# lotes y dividen una sola vez, al final. Su AUC trabaja con un número fijo de umbrales, así que es una aproximación.

# %% framework="pytorch"
import torch

counts = torch.zeros(3)
for start in range(0, len(val), 64):
    truth = torch.from_numpy(is_cat[start : start + 64]).bool()
    answer = torch.from_numpy(cat_score[start : start + 64]) >= 0.5
    counts += torch.stack([(truth & answer).sum(), (~truth & answer).sum(), (truth & ~answer).sum()])
tp, fp, fn = counts.tolist()
positive, negative = (torch.from_numpy(cat_score[is_cat == k]) for k in (1, 0))
own_metrics = {
    "precision": tp / (tp + fp),
    "recall": tp / (tp + fn),
    "AUC": float((positive[:, None] > negative).double().mean()),
}

# %% framework="tensorflow"
import keras

keras_metrics = {
    "precision": keras.metrics.Precision(thresholds=0.5),
    "recall": keras.metrics.Recall(thresholds=0.5),
    "AUC": keras.metrics.AUC(num_thresholds=1000),
}
for start in range(0, len(val), 64):
    for metric in keras_metrics.values():
        metric.update_state(is_cat[start : start + 64], cat_score[start : start + 64])
own_metrics = {name: float(metric.result()) for name, metric in keras_metrics.items()}

# %%
sklearn_metrics = {"precision": table[0][1], "recall": table[0][2], "AUC": area}
print(f"{'':12}{'scikit-learn':>14}{FRAMEWORK:>14}")
for name, value in sklearn_metrics.items():
    print(f"{name:12}{value:14.5f}{own_metrics[name]:14.5f}")
claim(
    "framework_metrics_agree",
    max(abs(own_metrics[name] - value) for name, value in sklearn_metrics.items()),
    en="The framework's metrics and scikit-learn's are the same, to a thousandth",
    es="Las métricas propias del framework y las de scikit-learn son iguales, hasta la milésima",
    at_most=0.001,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# ## 3. Many classes
#
# The drawings come in sixteen breeds. That is a harder task: labradors and golden retrievers differ little. Is an
# answer "wrong" if the right breed was second best? **Top-k** accuracy counts an answer as right if the true class is
# among the $k$ most probable ones.
#
# We train three [heads](../../docs/glossary.md#head) for the breeds, in three ways. Remember them as A, B and C: they
# come back.

# %% [markdown] lang="es"
# ## 3. Muchas clases
#
# Los dibujos son de dieciséis razas. Es una tarea más difícil: un labrador y un golden retriever se parecen mucho.
# ¿Es «falsa» una respuesta si la raza correcta era la segunda más probable? La exactitud **top-k** da por buena una
# respuesta si la clase verdadera está entre las $k$ más probables.
#
# Entrenamos tres [cabezas](../../docs/glosario.md#cabeza) para las razas, de tres maneras. Recuérdelas como A, B y C:
# volverán a aparecer.

# %%
from tlhelpers.drawn_pets import BREEDS, draw_pets

drawings = data
if DATASET != "drawn_pets":
    drawings = load_splits("drawn_pets", image_size=IMAGE_SIZE, seed=SEED, val_fraction=0.3, progress=False)
breed_names = [breed.name.replace("_", " ") for breed in BREEDS]
breed_train, breed_val = (
    np.array([breed_names.index(name.split("/")[0]) for name in p.ids]) for p in (drawings.train, drawings.val)
)
drawn_x, drawn_val_x = (
    extract_features(backbone, part.images, progress=False) for part in (drawings.train, drawings.val)
)


def train_breed_head(labels_a_breed, seed=SEED, **how):
    some = few_labels(seed, labels_a_breed, breed_train)
    set_seed(seed)
    head = build_head(backbone.feature_size, len(breed_names))
    history = fit(head, drawn_x[some], breed_train[some], drawn_val_x, breed_val, batch_size=64, seed=seed,
                  progress=False, **how)  # fmt: skip
    return head, history


# %%
breed_heads, histories = {}, {}
breed_heads["A"], histories["A"] = train_breed_head(5, epochs=40, lr=0.1)
breed_heads["B"], histories["B"] = train_breed_head(20, epochs=30, lr=3e-4)
breed_heads["C"], histories["C"] = train_breed_head(20, epochs=30, lr=2e-3, weight_decay=1e-2)
breed_answers = {name: predict_proba(head, drawn_val_x) for name, head in breed_heads.items()}
top = {k: evaluation.top_k_accuracy(breed_val, breed_answers["C"], k) for k in (1, 2, 3, 5)}
for k, value in top.items():
    print(f"top-{k}: {value:.1%}")
ax = plots.new_axes(None, 6.4, 5.8)
plots.plot_confusion_matrix(breed_val, breed_answers["C"].argmax(1), breed_names, language=LANGUAGE, ax=ax)
ax.tick_params(axis="x", rotation=90)
for text in ax.texts:
    text.set_visible(text.get_text() != "0")
ax.figure.set_dpi(plots.IMAGE_DPI)

# %% [markdown] lang="en"
# *Confusion matrix of head C on the validation images: counts of true breeds (rows) and answers (columns). Look for
# pairs that are mistaken for each other, and whether a cat is ever taken for a dog.*

# %% [markdown] lang="es"
# *Matriz de confusión de la cabeza C con las imágenes de validación: número de imágenes por raza verdadera (filas) y
# respuesta (columnas). Busque parejas que se confunden entre sí, y si alguna vez se toma un gato por un perro.*

# %%
breed_species = np.array([breed.species == "dog" for breed in BREEDS])
wrong = breed_answers["C"].argmax(1) != breed_val
same_species = (breed_species[breed_answers["C"].argmax(1)] == breed_species[breed_val])[wrong].mean()
claim_here(
    "second_thoughts_help",
    100 * (top[3] - top[1]),
    en="The right breed is often among the first three where it is not the first",
    es="Cuando la raza correcta no es la primera, a menudo está entre las tres primeras",
    at_least=5,
    unit=POINTS,
)
claim_here(
    "mistakes_stay_in_the_family",
    100 * same_species,
    en="Most mistakes stay within the species: a cat is taken for another cat",
    es="La mayoría de los errores quedan dentro de la especie: un gato se toma por otro gato",
    at_least=60,
    unit="%",
)

# %% [markdown] lang="en"
# ## 4. How sure are we?
#
# Another test set of the same size would have given another number. A 95 %
# [interval](../../docs/glossary.md#confidence-interval) tells how far off ours may be. The naive one is in many
# textbooks:
#
# $$\hat{p} \pm 1.96 \, \sqrt{\hat{p} \, (1 - \hat{p}) / n}$$
#
# Here $\hat{p}$ is the share of right answers and $n$ the number of test images. What does it say of a model that got
# 60 of 60 right? That it is perfect, without a doubt. **Wilson's interval** asks the other way round: which true
# accuracies could have given what we saw?
#
# A 95 % interval promises to hold the truth 95 times in 100. We can check that promise, since in a simulation we know
# the truth: we draw 2,000 test sets of 60 images for each true accuracy, and count.

# %% [markdown] lang="es"
# ## 4. ¿Hasta qué punto estamos seguros?
#
# Otro conjunto de prueba del mismo tamaño habría dado otro número. Un
# [intervalo](../../docs/glosario.md#intervalo-de-confianza) del 95 % dice cuánto puede desviarse el nuestro. El
# ingenuo está en muchos libros:
#
# $$\hat{p} \pm 1{,}96 \, \sqrt{\hat{p} \, (1 - \hat{p}) / n}$$
#
# Aquí $\hat{p}$ es la proporción de aciertos y $n$ el número de imágenes de prueba. ¿Qué dice de un modelo que acertó
# 60 de 60? Que es perfecto, sin duda alguna. El **intervalo de Wilson** pregunta al revés: ¿con qué exactitudes
# verdaderas pudo salir lo que hemos visto?
#
# Un intervalo del 95 % promete contener la verdad 95 veces de cada 100. Podemos comprobarlo, porque en una simulación
# conocemos la verdad: para cada exactitud verdadera sorteamos 2000 conjuntos de prueba de 60 imágenes, y contamos.

# %%
from tlhelpers.legacy.coverage import simulate_coverage

truths = np.array([0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99])
naive = "naive" if ENGLISH else "ingenuo"
kinds = {"Wilson": evaluation.wilson_interval, naive: evaluation.normal_interval}
coverages = {
    name: np.array([simulate_coverage(interval, truth, 60, seed=SEED) for truth in truths])
    for name, interval in kinds.items()
}
ax = evaluation_plots.plot_coverage(truths, coverages, language=LANGUAGE)
wilson_coverage, naive_coverage = coverages.values()

# %% [markdown] lang="en"
# *How often the interval held the truth, over the true accuracy; test sets of 60 images. The dotted line is what was
# promised.*

# %% [markdown] lang="es"
# *Con qué frecuencia el intervalo contuvo la verdad, según la exactitud verdadera; conjuntos de prueba de 60
# imágenes. La línea de puntos es lo prometido.*

# %%
claim(
    "wilson_keeps_its_promise",
    100 * wilson_coverage.mean(),
    en="Wilson's intervals hold the truth about 95 times in 100, on average over the accuracies",
    es="Los intervalos de Wilson contienen la verdad unas 95 veces de cada 100, de media sobre las exactitudes",
    at_least=93,
    at_most=97,
    unit="%",
    language=LANGUAGE,
)
claim(
    "naive_fails_near_one",
    100 * naive_coverage[truths >= 0.97].max(),
    en="The naive ones fall far short where the accuracy is near 100 %",
    es="Los ingenuos se quedan muy cortos cuando la exactitud está cerca del 100 %",
    at_most=90,
    unit="%",
    language=LANGUAGE,
)
claim(
    "wilson_is_not_exact",
    100 * wilson_coverage.min(),
    en="Wilson's do not keep it to the point everywhere, but they do not break down",
    es="Los de Wilson no la cumplen con exactitud en todas partes, pero no se desmoronan",
    at_least=88,
    unit="%",
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# And numbers without a formula, such as $F_1$ or the AUC? The **[bootstrap](../../docs/glossary.md#bootstrap)** draws
# new test sets from our own, image by image and with repetition, and computes the number each time. The middle 95 %
# are the interval.

# %% [markdown] lang="es"
# ¿Y los números sin fórmula, como $F_1$ o la AUC? El **[bootstrap](../../docs/glosario.md#bootstrap)** (remuestreo)
# sortea conjuntos de prueba nuevos a partir del nuestro, imagen a imagen y con repetición, y calcula el número cada
# vez. El 95 % central es el intervalo.

# %%
wilson = evaluation.wilson_interval(table[0][0], len(val))
booted = evaluation.bootstrap_interval(lambda y, a: np.mean(y == a), is_cat, says_cat)
print(f"Wilson     {wilson}\nbootstrap  {booted}")
print(f"F1         {evaluation.bootstrap_interval(metrics.f1_score, is_cat, says_cat, draws=300)}")
print(f"AUC        {evaluation.bootstrap_interval(metrics.roc_auc_score, is_cat, cat_score, draws=300)}")
claim(
    "bootstrap_agrees",
    100 * max(abs(wilson.low - booted.low), abs(wilson.high - booted.high)),
    en="For the accuracy the bootstrap gives nearly the interval of the formula",
    es="Para la exactitud, el bootstrap da casi el mismo intervalo que la fórmula",
    at_most=2,
    unit=POINTS,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# **Your turn.** You expect 90 % accuracy, and want an interval of ± 2 points. How many test images do you need at
# least? Guess first; then use `evaluation.wilson_interval(0.9, n)`.

# %% [markdown] lang="es"
# **Le toca a usted.** Espera una exactitud del 90 % y quiere un intervalo de ± 2 puntos. ¿Cuántas imágenes de prueba
# necesita como mínimo? Apueste primero; después use `evaluation.wilson_interval(0.9, n)`.

# %%
from tlhelpers.legacy.evaluation_checks import check_readings, check_test_size

my_images = None  # your answer: a whole number

if my_images is None:
    print("Put in a number and run the cell." if ENGLISH else "Escriba un número y ejecute la celda.")
else:
    check_test_size(my_images, accuracy=0.9, half_width=0.02, language=LANGUAGE)


# %% tags=["solution"]
def half_width(n):
    found = evaluation.wilson_interval(0.9, n)
    return (found.high - found.low) / 2


needed = next(n for n in range(10, 10_000) if half_width(n) <= 0.02)
assert check_test_size(needed, accuracy=0.9, half_width=0.02, language=LANGUAGE)

# %% [markdown] lang="en"
# ## 5. Which of two is better?
#
# Two accuracies, two intervals. Suppose that they overlap. Is there no difference, then? That does not follow. Both
# models saw the **same** images. On most of them both are right, or both wrong; these say nothing about who is
# better. What counts are the images that only one of them gets right.
#
# **McNemar's test**: if both were equally good, each such image would be a fair coin. How probable is a division at
# least as uneven as ours? That is the [p-value](../../docs/glossary.md#p-value).

# %% [markdown] lang="es"
# ## 5. ¿Cuál de los dos es mejor?
#
# Dos exactitudes, dos intervalos. Supongamos que se solapan. ¿Es que no hay diferencia? No se puede concluir eso. Los
# dos modelos vieron las **mismas** imágenes. En la mayoría aciertan los dos o fallan los dos; esas no dicen nada
# sobre cuál es mejor. Cuentan las imágenes que solo acierta uno de ellos.
#
# **Prueba de McNemar**: si fueran igual de buenos, cada una de esas imágenes sería una moneda limpia. ¿Qué
# probabilidad tiene un reparto al menos tan desigual como el nuestro? Ese es el [valor
# p](../../docs/glosario.md#valor-p).

# %%
from tlhelpers.legacy.paired_tests import mcnemar

right = {name: p.argmax(1) == val.labels for name, p in ((OTHER_BACKBONE, small), (BACKBONE, large))}
for name, r in right.items():
    print(f"{name:>20}: {evaluation.wilson_interval(r.mean(), len(r))}")
found = mcnemar(*right.values())
only = "right alone" if ENGLISH else "acierta solo"
print(f"{only}: {OTHER_BACKBONE} {found.only_a}, {BACKBONE} {found.only_b}; p = {found.p_value:.2g}")
print(evaluation.describe_difference(evaluation.paired_difference(*right.values()), LANGUAGE))

# %% [markdown] lang="en"
# How much does pairing gain? Again a simulation knows the truth. Model b is right on 93 % of all images, model a on
# 90 %, and on four images in five they do the same. We draw 400 test sets of 300 images. How often does each test
# find the difference, with a p-value below 0.05? And how often does McNemar's test raise a false alarm, if the two
# are equally good?

# %% [markdown] lang="es"
# ¿Cuánto se gana al emparejar? De nuevo, en una simulación conocemos la verdad. El modelo b acierta el 93 % de todas
# las imágenes y el modelo a, el 90 %; en cuatro de cada cinco imágenes hacen lo mismo. Sorteamos 400 conjuntos de
# prueba de 300 imágenes. ¿Con qué frecuencia encuentra cada prueba la diferencia, con un valor p menor que 0,05? ¿Y
# con qué frecuencia da McNemar una falsa alarma, si los dos son igual de buenos?

# %%
from scipy import stats

rng = np.random.default_rng(SEED)


def two_models(alone_a, alone_b, n=300):  # on four fifths of the images both do the same
    together, common = rng.random(n) < 0.8, rng.random(n) < 0.92
    return (np.where(together, common, rng.random(n) < share) for share in (alone_a, alone_b))


def unpaired_p(a, b):  # the usual test of two shares, as if the images were different ones
    spread = np.sqrt((a.mean() + b.mean()) * (2 - a.mean() - b.mean()) / 2 / len(a))
    return 2 * stats.norm.sf(abs(b.mean() - a.mean()) / spread)


draws = [tuple(two_models(0.82, 0.97)) for _ in range(400)]
paired_power = np.mean([mcnemar(a, b).p_value < 0.05 for a, b in draws])
unpaired_power = np.mean([unpaired_p(a, b) < 0.05 for a, b in draws])
false_alarms = np.mean([mcnemar(*two_models(0.9, 0.9)).p_value < 0.05 for _ in range(400)])
print(f"McNemar {paired_power:.0%}, {'unpaired' if ENGLISH else 'sin emparejar'} {unpaired_power:.0%}; "
      f"{'false alarms' if ENGLISH else 'falsas alarmas'} {false_alarms:.1%}")  # fmt: skip

# %%
claim(
    "pairing_finds_more",
    100 * (paired_power - unpaired_power),
    en="The paired test finds the difference clearly more often",
    es="La prueba pareada encuentra la diferencia claramente más a menudo",
    at_least=20,
    unit=POINTS,
    language=LANGUAGE,
)
claim(
    "few_false_alarms",
    100 * false_alarms,
    en="Between equally good models it raises a false alarm at most about one time in twenty",
    es="Entre modelos igual de buenos da una falsa alarma, como mucho, una de cada veinte veces",
    at_most=6,
    unit="%",
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# ### Several seeds
#
# A test of the images does not see everything. Other training images, other starting weights, and the accuracy is
# another. Hence several seeds. They do not make the test set larger: they show a second source of chance.

# %% [markdown] lang="es"
# ### Varias semillas
#
# Una prueba sobre las imágenes no lo ve todo. Con otras imágenes de entrenamiento u otros pesos iniciales, la
# exactitud cambia. De ahí las varias semillas. No agrandan el conjunto de prueba: muestran una segunda fuente de
# azar.

# %%
by_seed = {BACKBONE: [], OTHER_BACKBONE: []}
for seed in range(SEEDS):
    some = few_labels(seed)
    for name, x, x_val in ((BACKBONE, train_x, val_x), (OTHER_BACKBONE, other_train_x, other_val_x)):
        answer = evaluation.linear_probe(x[some], train.labels[some], x_val).argmax(1)
        by_seed[name].append(answer == val.labels)
by_seed = {name: np.array(rights) for name, rights in by_seed.items()}
for name, rights in by_seed.items():
    shares = rights.mean(1)
    estimate = evaluation.accuracy_estimate(list(shares), len(val))
    print(f"{name:>20}: {np.round(100 * shares, 1)} → {estimate}")
difference = evaluation.paired_difference(by_seed[OTHER_BACKBONE], by_seed[BACKBONE])
print(f"{BACKBONE}:", evaluation.describe_difference(difference, LANGUAGE))
if OTHER_BACKBONE == "mini_resnet_narrow":  # of another pair we do not know beforehand which is better
    claim_here(
        "larger_backbone_is_better",
        100 * difference.low,
        en=f"Over all seeds and images {BACKBONE} is better: the whole interval is above zero",
        es=f"Con todas las semillas e imágenes, {BACKBONE} es mejor: todo el intervalo es mayor que cero",
        at_least=0,
        unit=POINTS,
    )

# %% [markdown] lang="en"
# ## 6. Learning curves
#
# Here are the three trainings of section 3. One has learnt too little
# ([underfitting](../../docs/glossary.md#underfitting)), one has learnt its few images by heart
# ([overfitting](../../docs/glossary.md#overfitting)), one is as it should be. Which is which?

# %% [markdown] lang="es"
# ## 6. Curvas de aprendizaje
#
# Estos son los tres entrenamientos de la sección 3. Uno ha aprendido demasiado poco
# ([subajuste](../../docs/glosario.md#subajuste)), otro se ha aprendido de memoria sus pocas imágenes
# ([sobreajuste](../../docs/glosario.md#sobreajuste)) y otro está como debe. ¿Cuál es cuál?

# %%
axes = evaluation_plots.plot_histories(histories, language=LANGUAGE)

# %% [markdown] lang="en"
# *Above: loss (cross-entropy) after each epoch. Below: accuracy. Note that the scales of the losses differ.*
#
# Look at two things. Is the **training** accuracy high? If not, the model has not learnt enough: train longer, with a
# higher rate, or with more features. Is there a **gap** to the validation accuracy? Then it has learnt what holds
# only for its images: more data, augmentation, weight decay, a smaller model, or an earlier stop.
#
# **Your turn.** Put in "under", "over" or "good" for each.

# %% [markdown] lang="es"
# *Arriba: pérdida (entropía cruzada) tras cada época. Abajo: exactitud. Fíjese en que las escalas de las pérdidas son
# distintas.*
#
# Mire dos cosas. ¿Es alta la exactitud de **entrenamiento**? Si no, el modelo no ha aprendido lo suficiente: más
# épocas, una tasa mayor o más características. ¿Hay una **brecha** hasta la exactitud de validación? Entonces ha
# aprendido cosas que solo valen para sus imágenes: más datos, aumento de datos, decaimiento de pesos, un modelo menor
# o parar antes.
#
# **Le toca a usted.** Escriba "under" (subajuste), "over" (sobreajuste) o "good" (bien) para cada uno.

# %%
my_readings = None  # your answer: {"A": "...", "B": "...", "C": "..."}

if my_readings is None:
    print("Put in three readings and run the cell." if ENGLISH else "Escriba tres lecturas y ejecute la celda.")
else:
    check_readings(my_readings, {"A": "over", "B": "under", "C": "good"}, LANGUAGE)

# %% tags=["solution"]
truth = {"A": "over", "B": "under", "C": "good"}
assert check_readings(truth, truth, LANGUAGE)

# %%
gap = {name: 100 * (h.accuracy[-1] - h.val_accuracy[-1]) for name, h in histories.items()}
claim_here(
    "overfitting_shows_as_a_gap",
    gap["A"],
    en="A knows its own five images of each breed, and far fewer of the others: a gap",
    es="A se sabe sus cinco imágenes de cada raza, y muchas menos de las demás: una brecha",
    at_least=15,
    unit=POINTS,
)
claim_here(
    "underfitting_shows_in_training",
    100 * histories["B"].accuracy[-1],
    en="B is not even good on the images that it learnt from",
    es="B ni siquiera va bien con las imágenes de las que aprendió",
    at_most=75,
    unit="%",
)
claim_here(
    "underfitting_has_no_gap",
    gap["B"],
    en="and so there is hardly a gap",
    es="y por eso apenas hay brecha",
    at_most=12,
    unit=POINTS,
)

# %% [markdown] lang="en"
# A's gap comes from five labels a breed. Would more labels close it? The other kind of learning curve shows accuracy
# over the **number of labels**: it tells whether collecting more is worth the work.

# %% [markdown] lang="es"
# La brecha de A se debe a que solo hay cinco etiquetas por raza. ¿La cerrarían más etiquetas? El otro tipo de curva
# de aprendizaje muestra la exactitud según el **número de etiquetas**: dice si vale la pena etiquetar más.

# %%
counts = [n for n in (2, 5, 10, 20) if n <= np.bincount(breed_train).min()]
curve = np.zeros((2, 3, len(counts)))
for seed in range(3):
    for k, count in enumerate(counts):
        some = few_labels(seed, count, breed_train)
        both = np.concatenate([drawn_x[some], drawn_val_x])
        p = evaluation.linear_probe(drawn_x[some], breed_train[some], both)
        curve[0, seed, k] = evaluation.accuracy(breed_train[some], p[: len(some)])
        curve[1, seed, k] = evaluation.accuracy(breed_val, p[len(some) :])
ax = evaluation_plots.plot_learning_curve(counts, *curve, language=LANGUAGE)
gaps = 100 * (curve[0] - curve[1]).mean(0)
claim_here(
    "labels_close_the_gap",
    gaps[0] - gaps[-1],
    en="With more labels the gap between training and validation closes by ten points and more",
    es="Con más etiquetas, la brecha entre entrenamiento y validación se cierra en diez puntos o más",
    at_least=10,
    unit=POINTS,
)

# %% [markdown] lang="en"
# *Accuracy on the training images and on the validation images over the number of labels for each breed; lines join
# the means of three seeds, pale marks are single seeds. Where the lower curve still rises, more labels help.*
#
# ## 7. Does 90 % mean nine in ten?
#
# A network announces a probability with each answer. It is **[calibrated](../../docs/glossary.md#calibration)** if,
# of the answers announced with 90 %, nine in ten are right. A **reliability diagram** sorts answers by their
# confidence (the largest probability), and shows for each bin how many were right. The **expected calibration error**
# (ECE) is the mean distance from the diagonal:
#
# $$\mathrm{ECE} = \sum_b \frac{n_b}{n} \, \left| \mathrm{acc}_b - \mathrm{conf}_b \right|$$
#
# Here $n_b$ of the $n$ answers are in bin $b$; $\mathrm{acc}_b$ is the share of right ones, and $\mathrm{conf}_b$ the
# mean confidence.
#
# You often read that neural networks are too sure. Which of our heads A and C is, do you think? We look at them on
# new drawings, which none of them has seen.

# %% [markdown] lang="es"
# *Exactitud con las imágenes de entrenamiento y con las de validación según el número de etiquetas por raza; las
# líneas unen las medias de tres semillas; cada marca pálida es una semilla. Donde la curva de abajo aún sube, más
# etiquetas ayudan.*
#
# ## 7. ¿90 % significa nueve de cada diez?
#
# Una red anuncia una probabilidad con cada respuesta. Está **[calibrada](../../docs/glosario.md#calibración)** si, de
# las respuestas anunciadas con un 90 %, acierta nueve de cada diez. Un **diagrama de fiabilidad** agrupa las
# respuestas por su confianza (la probabilidad más alta) y muestra cuántas eran correctas en cada grupo. El **error de
# calibración esperado** (ECE) es la distancia media a la diagonal:
#
# $$\mathrm{ECE} = \sum_b \frac{n_b}{n} \, \left| \mathrm{acc}_b - \mathrm{conf}_b \right|$$
#
# Aquí, $n_b$ de las $n$ respuestas están en el grupo $b$; $\mathrm{acc}_b$ es la proporción de aciertos y
# $\mathrm{conf}_b$ la confianza media.
#
# Se lee a menudo que las redes neuronales se confían demasiado. ¿Cuál de nuestras cabezas, A o C, cree usted que lo
# hace? Las miramos con dibujos nuevos, que ninguna ha visto.

# %%
from tlhelpers.drawn_pets import STYLES

new = {style: draw_pets(TEST_DRAWINGS, seed=SEED + 1000, size=IMAGE_SIZE, style=style) for style in STYLES}
new_x = {style: extract_features(backbone, pets.images, progress=False) for style, pets in new.items()}
species, breeds = new["photo"].species, new["photo"].breeds  # the same animals in each style


def mean_confidence(probabilities):
    return float(probabilities.max(1).mean())


raw = {name: predict_proba(breed_heads[name], new_x["photo"]) for name in ("A", "C")}
for name, p in raw.items():
    print(f"{name}: {mean_confidence(p):.1%} / {evaluation.accuracy(breeds, p):.1%}")

# %% [markdown] lang="en"
# The first number is the mean confidence, the second the accuracy.
#
# The mend is one number. **[Temperature](../../docs/glossary.md#temperature-scaling) scaling** divides all logits $z$ (the
# scores before the softmax) by a temperature $T$:
#
# $$p = \mathrm{softmax}(z / T)$$
#
# $T > 1$ makes probabilities flatter, $T < 1$ sharper. We choose the $T$ with the lowest cross-entropy on the
# validation images, and look on the new drawings whether it helped.

# %% [markdown] lang="es"
# El primer número es la confianza media; el segundo, la exactitud.
#
# El remedio es un solo número. El **escalado por [temperatura](../../docs/glosario.md#escalado-de-temperatura)** divide todos los
# logits $z$ (las puntuaciones antes de la softmax) entre una temperatura $T$:
#
# $$p = \mathrm{softmax}(z / T)$$
#
# Con $T > 1$ las probabilidades se aplanan; con $T < 1$ se hacen más extremas. Elegimos la $T$ con la menor entropía
# cruzada en las imágenes de validación y miramos con los dibujos nuevos si ha servido.

# %%
temperature = {name: calibration.fit_temperature(breed_val, breed_answers[name]) for name in raw}
mended = {name: calibration.apply_temperature(raw[name], temperature[name]) for name in raw}
diagrams = {}
for name in raw:
    diagrams[f"{name}: T = 1"] = calibration.reliability(breeds, raw[name])
    diagrams[f"{name}: T = {temperature[name]:.2f}"] = calibration.reliability(breeds, mended[name])
axes = evaluation_plots.plot_reliability(diagrams, language=LANGUAGE)
before = {name: calibration.expected_calibration_error(breeds, p) for name, p in raw.items()}
by_chance = "by chance" if ENGLISH else "por azar"
after = {name: calibration.expected_calibration_error(breeds, p) for name, p in mended.items()}
for name in raw:
    chance = calibration.error_by_chance(mended[name]).mean()
    print(f"{name}: ECE {before[name]:.1%} → {after[name]:.1%}   ({by_chance}: {chance:.1%})")

# %% [markdown] lang="en"
# *Reliability of heads A and C, as they are ($T = 1$) and after temperature scaling. Each mark is a bin of answers
# with its 95 % interval. Below the dotted diagonal a network is too sure, above it not sure enough.*

# %% [markdown] lang="es"
# *Fiabilidad de las cabezas A y C, tal cual ($T = 1$) y tras el escalado por temperatura. Cada marca es un grupo de
# respuestas con su intervalo del 95 %. Por debajo de la diagonal de puntos, una red se confía demasiado; por encima,
# se confía demasiado poco.*

# %%
overconfidence = {name: 100 * (mean_confidence(p) - evaluation.accuracy(breeds, p)) for name, p in raw.items()}
claim_here(
    "a_is_too_sure",
    overconfidence["A"],
    en="A, which learnt few images by heart, is too sure",
    es="A, que se aprendió pocas imágenes de memoria, se confía demasiado",
    at_least=8,
    unit=POINTS,
)
claim_here(
    "c_is_not_sure_enough",
    overconfidence["C"],
    en="C, the good one, is not sure enough: networks are not always overconfident",
    es="C, la buena, se confía demasiado poco: no toda red peca de exceso de confianza",
    at_most=-3,
    unit=POINTS,
)
claim_here(
    "temperature_mends_both",
    100 * min(before[name] - after[name] for name in raw),
    en="One temperature each brings both calibration errors down",
    es="Una temperatura para cada una reduce los dos errores de calibración",
    at_least=3,
    unit=POINTS,
)
claim(
    "answers_stay",
    sum(int((raw[name].argmax(1) != mended[name].argmax(1)).sum()) for name in raw),
    en="No answer changes: the accuracy is the same",
    es="Ninguna respuesta cambia: la exactitud es la misma",
    at_most=0,
    language=LANGUAGE,
)

# %% [markdown] lang="en"
# Guo and others (2017) found large, long-trained networks too sure. Our C is a small head that training stopped early
# and weight decay kept modest; it errs the other way. Measure your own.
#
# The ECE is never zero: with so few images even a perfectly calibrated network would show the error given "by
# chance".
#
# ## 8. Against what? And at what cost?
#
# "97 %" means nothing without something to compare with. Here are four ways, with the same few labels:
#
# - the **base model** as it is: the old network with its old words, asked whether it sees a cat or a dog;
# - the same architecture **from scratch**;
# - **frozen**: a head on frozen features, that is, before [fine-tuning](../../docs/glossary.md#fine-tuning);
# - **fine-tuned**: the last layers trained too, that is, after it.
#
# For each training we note the seconds, the peak memory of this process (with all that it held before), and the
# energy where the machine has a counter.

# %% [markdown] lang="es"
# Guo y otros (2017) observaron que las redes grandes, entrenadas mucho tiempo, se confían demasiado. Nuestra C es una
# cabeza pequeña, con un entrenamiento corto y frenada por el decaimiento de pesos; se equivoca en el otro sentido.
# Mida la suya.
#
# El ECE nunca es cero: con tan pocas imágenes, incluso una red perfectamente calibrada mostraría el error indicado
# «por azar».
#
# ## 8. ¿Comparado con qué? ¿Y a qué coste?
#
# «97 %» no significa nada sin algo con que comparar. Aquí hay cuatro métodos, con las mismas pocas etiquetas:
#
# - el **modelo de partida** tal cual: la red antigua con sus palabras antiguas, a la que preguntamos si ve un gato o
#   un perro;
# - la misma arquitectura entrenada **desde cero**;
# - **congelada**: una cabeza sobre características congeladas, es decir, antes del [ajuste
#   fino](../../docs/glosario.md#ajuste-fino);
# - **ajuste fino**: también se entrenan las últimas capas, es decir, después.
#
# De cada entrenamiento anotamos los segundos, el máximo de memoria de este proceso (con todo lo que ya ocupaba antes)
# y, si el equipo tiene un contador, la energía.

# %% framework="pytorch"
LAST_LAYERS = {"mini_resnet": "stage4", "mobilenet": "blocks.4", "resnet18": "layer4", "resnet50": "layer4"}

# %% framework="tensorflow"
LAST_LAYERS = {"mini_resnet": "stage4", "mobilenet": "conv_dw_12", "resnet50": "conv5_block1_1_conv"}


# %%
few_images, few_classes = train.images[few], train.labels[few]
some_val = np.arange(len(val))[:120]  # enough to choose an epoch


def train_frozen():
    x = extract_features(backbone, few_images, cache=False, progress=False)
    set_seed(SEED)
    head = build_head(backbone.feature_size, len(class_words))
    fit(head, x, few_classes, val_x[some_val], val.labels[some_val], epochs=30, lr=3e-3, weight_decay=1e-2,
        seed=SEED, progress=False)  # fmt: skip
    return head


def fine_tune(head):
    model = build_classifier(load_backbone(BACKBONE, image_size=IMAGE_SIZE), head=head)
    unfreeze(model, from_layer=LAST_LAYERS.get(BACKBONE))
    fit(model, few_images, few_classes, val.images[some_val], val.labels[some_val], epochs=FINE_TUNE_EPOCHS,
        lr=FINE_TUNE_RATE, batch_size=16, schedule="cosine", augment=True, seed=SEED, progress=False)  # fmt: skip
    return model


# %%
def train_from_scratch():
    set_seed(SEED)
    model = build_classifier(load_backbone(BACKBONE, weights="random", image_size=IMAGE_SIZE), len(class_words))
    unfreeze(model, batch_norm=True)
    fit(model, few_images, few_classes, epochs=SCRATCH_EPOCHS, lr=1e-3, batch_size=16, weight_decay=1e-2,
        schedule="cosine", augment=True, seed=SEED, progress=False)  # fmt: skip
    return model


from tlhelpers.legacy.energy import describe_energy, measure_run

costs = {}
scratch, costs["scratch"] = measure_run(train_from_scratch)
head, costs["frozen"] = measure_run(train_frozen)
test_x = extract_features(backbone, test.images, progress=False)  # the test, now and only now
predictions = {"scratch": predict_proba(scratch, test.images), "frozen": predict_proba(head, test_x)}
tuned, costs["fine_tuned"] = measure_run(lambda: fine_tune(head))
predictions["fine_tuned"] = predict_proba(tuned, test.images)

# %% [markdown] lang="en"
# The base model has three words for cats and six for dogs. We add up the probabilities of each, and take the larger
# sum. (This works with the embedded backbones; with another one the base model is left out.)

# %% [markdown] lang="es"
# El modelo de partida tiene tres palabras para gatos y seis para perros. Sumamos las probabilidades de unas y de
# otras, y tomamos la suma mayor. (Funciona con la red incluida en el curso; con otra, se omite el modelo de partida.)

# %%
from tlhelpers.legacy.backbones import source_classes

CATS = ("Egyptian cat", "Persian cat", "tabby")
DOGS = (
    "Chihuahua",
    "German shepherd",
    "Labrador retriever",
    "Yorkshire terrier",
    "golden retriever",
    "standard poodle",
)
HAS_BASE = BACKBONE == "mini_resnet" and len(class_words) == 2


def base_model(x):  # probabilities of cat and dog, by the old words
    rows = [dict(answers) for answers in source_classes(x, top=202)]
    sums = np.array([[sum(row[name] for name in names) for names in (CATS, DOGS)] for row in rows])
    return sums / sums.sum(1, keepdims=True)


if HAS_BASE:
    predictions = {"base": base_model(test_x)} | predictions
method_names = ("base model", "from scratch", "frozen", "fine-tuned")
if not ENGLISH:
    method_names = ("modelo de partida", "desde cero", "congelada", "ajuste fino")
method_names = dict(zip(("base", "scratch", "frozen", "fine_tuned"), method_names))

# %%
right = {name: p.argmax(1) == test.labels for name, p in predictions.items()}
estimates = {name: evaluation.wilson_interval(float(r.mean()), len(test)) for name, r in right.items()}
words = ("accuracy (95 % interval)", "peak MB") if ENGLISH else ("exactitud (intervalo 95 %)", "MB máx.")
print(f"{'':18} {words[0]:>26} {'s':>8} {'J':>8} {words[1]:>8}")
for name, estimate in estimates.items():
    cost = costs.get(name)
    seconds, joules, peak = (cost.seconds, cost.joules, cost.peak_bytes) if cost else (None, None, None)
    cells = (seconds, joules, None if peak is None else peak / 1e6)
    shown = (f"{'' if cell is None else f'{cell:.1f}':>8}" for cell in cells)
    print(f"{method_names[name]:18} {estimate!s:>26}", *shown)
    record_result("comparison", method=name, accuracy=estimate.value, low=estimate.low, high=estimate.high,
                  data=DATASET, seconds=seconds, joules=joules)  # fmt: skip
print(describe_energy(costs["frozen"], LANGUAGE))
ax = plots.plot_estimates({method_names[name]: e for name, e in estimates.items()}, language=LANGUAGE)

# %% [markdown] lang="en"
# *Accuracy on the test images with 95 % intervals; one training run each. The table above adds what each training
# cost.*

# %% [markdown] lang="es"
# *Exactitud con las imágenes de prueba e intervalos del 95 %; un solo entrenamiento por método. La tabla de arriba
# añade lo que costó cada uno.*

# %%
for one, two in (("scratch", "frozen"), ("frozen", "fine_tuned")):
    p, difference = mcnemar(right[one], right[two]).p_value, evaluation.paired_difference(right[one], right[two])
    described = evaluation.describe_difference(difference, LANGUAGE)
    print(f"{method_names[one]} → {method_names[two]}: p = {p:.2g}; {described}")
saving = evaluation.paired_difference(right["scratch"], right["frozen"])
tuning = evaluation.paired_difference(right["frozen"], right["fine_tuned"])
claim_here(
    "frozen_beats_scratch",
    100 * saving.low,
    en="With these labels frozen features beat scratch: the whole interval of the difference is above zero",
    es="Con estas etiquetas, la red congelada supera a empezar de cero: todo el intervalo es mayor que cero",
    at_least=0,
    unit=POINTS,
)
claim_here(
    "fine_tuning_does_no_harm",
    100 * tuning.value,
    en="Fine-tuning costs at most three points; whether it gains anything, the lines above say",
    es="El ajuste fino cuesta como mucho tres puntos; si gana algo, lo dicen las líneas de arriba",
    at_least=-3,
    unit=POINTS,
)
claim(
    "frozen_is_faster",
    costs["scratch"].seconds / costs["frozen"].seconds,
    en="and the head took less time than training from scratch",
    es="y la cabeza necesitó menos tiempo que entrenar desde cero",
    at_least=1,
    language=LANGUAGE,
)

# %%
if HAS_BASE:
    claim_here(
        "head_beats_base_model",
        100 * evaluation.paired_difference(right["base"], right["frozen"]).low,
        en="A head with a few labels beats the base model's own answers",
        es="Una cabeza con unas pocas etiquetas supera a las respuestas del propio modelo de partida",
        at_least=0,
        unit=POINTS,
    )
running = {BACKBONE: measure_cost(backbone), OTHER_BACKBONE: measure_cost(other_backbone)}
print(f"{'':20} {'M param.':>9} {'MB':>7} {'ms':>7} {'images/s' if ENGLISH else 'imágenes/s':>11}")
for name, cost in running.items():
    print(f"{name:20} {cost.parameters / 1e6:9.2f} {cost.size_bytes / 1e6:7.1f} {cost.latency_ms:7.1f} "
          f"{cost.images_per_second:11.0f}")  # fmt: skip

# %% [markdown] lang="en"
# Each line gives the p-value of McNemar's test and the bootstrap interval. They may disagree: one above 0.05, the
# other without zero. Then the difference is at the edge of what so many images can show. Take the exact test, which
# is the more careful one, and do not claim a gain; or collect more test images, **before** you look again.
#
# Training is paid once, answers are paid each time. The second table is about answers: parameters in millions, size
# of the weights, latency (milliseconds for one image) and throughput on this machine. Scratch, frozen and fine-tuned
# models of one architecture cost the same here, so there is one line for each architecture. Is the accuracy that the
# larger one gained in section 5 worth its price? That is for you to say; now you have both numbers.
#
# ## 9. Other conditions
#
# Test images of the same kind answer: how good is it on more of the same? Users send something else. We take heads
# that learnt from photo-like drawings, and change the conditions: the style, the light, the noise of the camera.
# Which of them will cost most? And will the network notice, by being less sure?

# %% [markdown] lang="es"
# Cada línea da el valor p de la prueba de McNemar y el intervalo bootstrap. Pueden no coincidir: uno por encima de
# 0,05 y el otro sin el cero. Entonces la diferencia está en el límite de lo que pueden mostrar estas imágenes. Haga
# caso a la prueba exacta, que es la más prudente, y no anuncie una mejora; o reúna más imágenes de prueba, **antes**
# de volver a mirar.
#
# Entrenar se paga una vez; responder se paga cada vez. La segunda tabla trata de las respuestas: millones de
# parámetros, tamaño de los pesos, latencia (milisegundos para una imagen) y rendimiento en este equipo. Los modelos
# entrenados desde cero, congelados o con ajuste fino de una misma arquitectura cuestan aquí lo mismo; por eso hay una
# línea por arquitectura. ¿Vale la exactitud que ganó la mayor en la sección 5 lo que cuesta? Eso debe decirlo usted;
# ya tiene los dos números.
#
# ## 9. Otras condiciones
#
# Las imágenes de prueba del mismo tipo responden a esto: ¿cómo va con más de lo mismo? Los usuarios envían otra cosa.
# Tomamos cabezas que aprendieron de dibujos con aspecto de foto y cambiamos las condiciones: el estilo, la luz, el
# ruido de la cámara. ¿Cuál costará más? ¿Y se dará cuenta la red, es decir, estará menos segura?

# %%
from tlhelpers.legacy.shifts import add_noise, darken

photos = new["photo"].images
lights, noises = (1.0, 0.7, 0.5, 0.35, 0.2), (0, 10, 20, 40, 80)
conditions = {("style", style): pets.images for style, pets in new.items()}
conditions |= {("light", light): darken(photos, light) for light in lights[1:]}
conditions |= {("noise", noise): add_noise(photos, noise, seed=SEED) for noise in noises[1:]}
style_words = dict(zip(STYLES, STYLES if ENGLISH else ("foto", "boceto", "noche")))
light_word, noise_word = ("light", "noise") if ENGLISH else ("luz", "ruido")
shown = [("style", s) for s in STYLES] + [("light", 0.35), ("noise", 20), ("noise", 80)]
titles = [style_words.get(v) or f"{light_word if kind == 'light' else noise_word} {v}" for kind, v in shown]
axes = plots.show_images(np.stack([conditions[key][1] for key in shown]), titles, columns=6, side=1.2)

# %% [markdown] lang="en"
# *One animal under six conditions. Light: what is left of it. Noise: its standard deviation in levels of 0 to 255.*

# %% [markdown] lang="es"
# *Un animal en seis condiciones. Luz: la fracción que queda. Ruido: su desviación típica en niveles de 0 a 255.*

# %%
shifted_x = {
    key: new_x[key[1]] if key[0] == "style" else extract_features(backbone, images, progress=False)
    for key, images in conditions.items()
}
cuts = len(drawn_val_x) + TEST_DRAWINGS * np.arange(len(shifted_x))
head_val, answers = [], {key: [] for key in shifted_x}  # one entry a seed
for seed in range(SEEDS):
    some = few_labels(seed, labels_a_class, drawings.train.labels)
    targets = np.concatenate([drawn_val_x, *shifted_x.values()])
    p = evaluation.linear_probe(drawn_x[some], drawings.train.labels[some], targets)
    on_val, *parts = np.split(p, cuts)
    head_val.append(on_val)
    for key, part in zip(answers, parts):
        answers[key].append(part)
answers["light", 1.0] = answers["noise", 0] = answers["style", "photo"]
shares = {key: np.array([evaluation.accuracy(species, p) for p in runs]) for key, runs in answers.items()}
sure = {key: np.mean([mean_confidence(p) for p in runs]) for key, runs in answers.items()}

# %%
axes = plots.plt.subplots(1, 3, figsize=(9.6, 3.2), sharey=True, layout="constrained")[1]
labels = ("Style", "Light (fraction)", "Noise (levels)")
labels = labels if ENGLISH else ("Estilo", "Luz (fracción)", "Ruido (niveles)")
for ax, kind, values, label in zip(axes, ("style", "light", "noise"), (STYLES, lights, noises), labels):
    ticks = [style_words.get(value, value) for value in values]
    found = [evaluation.accuracy_estimate(list(shares[kind, value]), len(species)) for value in values]
    confidences = [sure[kind, value] for value in values]
    evaluation_plots.plot_under_shift(
        ticks, found, confidences, label=label, ordered=kind != "style", language=LANGUAGE, ax=ax
    )
for style, word in style_words.items():
    print(f"{word:>8}:", np.round(100 * np.sort(shares["style", style]), 1))

# %% [markdown] lang="en"
# *Accuracy on the same animals, mean of several heads with its 95 % interval, and mean confidence, under other
# conditions. Where the two part, the network does not notice that it errs. The lines above the figure give the
# accuracy of each head.*

# %% [markdown] lang="es"
# *Exactitud con los mismos animales, media de varias cabezas con su intervalo del 95 %, y confianza media, en otras
# condiciones. Donde las dos se separan, la red no se da cuenta de que se equivoca. Las líneas de encima de la figura
# dan la exactitud de cada cabeza.*

# %%
at_home, on_sketches = shares["style", "photo"], shares["style", "sketch"]
claim_here(
    "sketches_cost_accuracy",
    100 * (at_home - on_sketches).mean(),
    en="Sketches of the same animals cost accuracy, on average over the heads",
    es="Los bocetos de los mismos animales cuestan exactitud, de media sobre las cabezas",
    at_least=5,
    unit=POINTS,
)
claim_here(
    "alike_at_home_apart_elsewhere",
    on_sketches.std() / at_home.std(),
    en="Heads that are nearly alike at home part on sketches: their accuracies spread at least twice as much",
    es="Cabezas casi iguales en casa se separan con bocetos: sus exactitudes se dispersan al menos el doble",
    at_least=2,
)
claim_here(
    "noise_is_not_noticed",
    100 * (sure["noise", 80] - shares["noise", 80].mean()),
    en="Under strong noise the network is sure, and wrong: confidence is far above accuracy",
    es="Con mucho ruido la red está segura y se equivoca: la confianza queda muy por encima de la exactitud",
    at_least=20,
    unit=POINTS,
)

# %%
errors = {style: [] for style in ("photo", "sketch")}
for seed in range(SEEDS):
    t = calibration.fit_temperature(drawings.val.labels, head_val[seed])
    for style, found in errors.items():
        cooled = calibration.apply_temperature(answers["style", style][seed], t)
        found.append(calibration.expected_calibration_error(species, cooled))
print("ECE:", {style_words[style]: f"{np.mean(found):.1%}" for style, found in errors.items()})
claim_here(
    "temperature_does_not_travel",
    100 * (np.mean(errors["sketch"]) - np.mean(errors["photo"])),
    en="A temperature chosen on ordinary pictures does not calibrate sketches",
    es="Una temperatura elegida con imágenes corrientes no calibra los bocetos",
    at_least=5,
    unit=POINTS,
)

# %% [markdown] lang="en"
# So test under the conditions of use. And do not count on the network to warn you, nor on a test at home to tell you
# which of several models will hold out elsewhere: on what the training images left open, each seed decides as it
# likes.
#
# ## 10. Who pays for the mistakes?
#
# ### Slices
#
# One number over all images can hide a group for which the model is bad. Let us look at each breed (head C, new
# drawings).

# %% [markdown] lang="es"
# Así que pruebe en las condiciones de uso. Y no cuente con que la red le avise, ni con que una prueba en casa le diga
# cuál de varios modelos aguantará fuera: sobre lo que las imágenes de entrenamiento dejaron abierto, cada semilla
# decide a su manera.
#
# ## 10. ¿Quién paga los errores?
#
# ### Partes de los datos
#
# Un solo número sobre todas las imágenes puede esconder un grupo con el que el modelo va mal. Miremos cada raza
# (cabeza C, dibujos nuevos).

# %%
from tlhelpers.legacy.slices import accuracy_by_slice, worst_slice_by_chance

right_c = raw["C"].argmax(1) == breeds
slices = accuracy_by_slice(right_c, [breed_names[k] for k in breeds])
ax = evaluation_plots.plot_slices(slices, right_c.mean(), language=LANGUAGE)
worst = next(iter(slices.values())).value
chance = worst_slice_by_chance(right_c, breeds, seed=SEED)
says = "worst breed {:.0%}; by chance alone {:.0%}; as bad or worse: p = {:.3f}"
says = says if ENGLISH else "peor raza: {:.0%}; solo por azar: {:.0%}; tan mala o peor: p = {:.3f}"
print(says.format(worst, chance.mean(), np.mean(chance <= worst + 1e-9)))

# %% [markdown] lang="en"
# *Accuracy of each breed with its 95 % interval, the worst first; the dashed line is the accuracy of all.*
#
# Before you call a breed disadvantaged: the worst of sixteen is bad even if all are alike. To see how bad, we deal
# out the same right and wrong answers to the breeds at random, 2,000 times. The line above says how far the worst
# breed falls then, and how often it falls as far as ours did (p). Small slices need many images before they accuse.

# %% [markdown] lang="es"
# *Exactitud de cada raza con su intervalo del 95 %, primero la peor; la línea discontinua es la exactitud del
# conjunto.*
#
# Antes de decir que una raza sale perjudicada: la peor de dieciséis va mal aunque todas sean iguales. Para ver
# cuánto, repartimos los mismos aciertos y fallos entre las razas al azar, 2000 veces. La línea de arriba dice cuánto
# cae entonces la peor raza y con qué frecuencia cae tanto como la nuestra (p). Los grupos pequeños necesitan muchas
# imágenes antes de acusar a nadie.

# %%
claim_here(
    "the_worst_slice_looks_bad_anyway",
    100 * (right_c.mean() - chance.mean()),
    en="Even if all breeds were alike, the worst of sixteen would lie far below the mean",
    es="Aunque todas las razas fueran iguales, la peor de dieciséis quedaría muy por debajo de la media",
    at_least=8,
    unit=POINTS,
)

# %% [markdown] lang="en"
# ### A bias inherited from pretraining
#
# The base model of section 8 knew cats and dogs from other pictures. Is it fair to both? We look at the recall of
# each species, on the validation images. (Without the old words this part is left out.)

# %% [markdown] lang="es"
# ### Un sesgo heredado del preentrenamiento
#
# El modelo de partida de la sección 8 conocía gatos y perros de otras imágenes. ¿Trata igual a unos y a otros?
# Miramos la sensibilidad de cada especie con las imágenes de validación. (Sin las palabras antiguas se omite esta
# parte.)


# %%
def recalls(labels, probabilities, threshold=0.5):  # of cats and of dogs
    dog = probabilities[:, 1] >= threshold
    return np.array([(~dog)[labels == 0].mean(), dog[labels == 1].mean()])


def head_recalls(style):  # mean over the heads
    return np.mean([recalls(species, p) for p in answers["style", style]], axis=0)


styles = {("head, photo", "cabeza, foto"): "photo", ("head, night", "cabeza, noche"): "night",
          ("head, sketch", "cabeza, boceto"): "sketch"}  # fmt: skip
rows = {name: head_recalls(style) for name, style in styles.items()}
if HAS_BASE:
    base_train, base_val = base_model(train_x[few]), base_model(val_x)
    threshold = float(np.median(base_train[:, 1]))  # as many “cat” as “dog” on the few labelled images
    moved = recalls(val.labels, base_val, threshold)
    rows = {("base model", "modelo de partida"): recalls(val.labels, base_val),
            ("base, threshold moved", "partida, otro umbral"): moved} | rows  # fmt: skip
print(f"{'':24}", *(f"{word:>8}" for word in class_words[:2]))
for name, values in rows.items():
    print(f"{name[not ENGLISH]:24}", *(f"{value:8.1%}" for value in values))

# %%
if HAS_BASE:
    biased = recalls(val.labels, base_val)
    claim_here(
        "base_model_prefers_dogs",
        100 * (biased[1] - biased[0]),
        en="The base model finds far more of the dogs than of the cats",
        es="El modelo de partida encuentra muchos más perros que gatos",
        at_least=20,
        unit=POINTS,
    )
    claim_here(
        "another_threshold_helps",
        100 * (moved.mean() - biased.mean()),
        en="Another threshold, chosen with the few labels, wins back much: it ranks better than it answers",
        es="Otro umbral, elegido con las pocas etiquetas, recupera mucho: ordena mejor de lo que responde",
        at_least=5,
        unit=POINTS,
    )


def recall_gap(style):  # mean over the heads, whichever species is ahead
    return np.mean([abs(np.subtract(*recalls(species, p))) for p in answers["style", style]])


photo_gap, night_gap = recall_gap("photo"), recall_gap("night")
claim_here(
    "balanced_head_is_fair_at_home",
    100 * photo_gap,
    en="Heads trained with as many cats as dogs serve both alike, on pictures of their own kind",
    es="Las cabezas entrenadas con tantos gatos como perros tratan igual a ambos, con imágenes de su tipo",
    at_most=10,
    unit=POINTS,
)
claim_here(
    "unfair_at_night",
    100 * (night_gap - photo_gap),
    en="By night they do not: the gap between the species is back (whichever of the two is ahead)",
    es="De noche no: la diferencia entre especies vuelve (vaya por delante una u otra)",
    at_least=5,
    unit=POINTS,
)

# %% [markdown] lang="en"
# The table gives the share of cats and of dogs that are found. The base model carries the habits of its pretraining:
# it saw photos of six breeds of dogs and of three kinds of cats. New heads with balanced labels were fair at home.
# They did not stay so where the pictures changed, and there a head may well favour the other species. So look at
# slices under **each** condition of use.
#
# ### A shortcut in the data
#
# Now a bias of our own making. All cats were photographed by day, all dogs by night. A head learns from these
# pictures. What has it learnt: species, or light? On a test with the same habit nobody can tell. So we also test the
# other way round: cats by night, dogs by day.

# %% [markdown] lang="es"
# La tabla da la proporción de gatos y de perros que se encuentran. El modelo de partida arrastra las costumbres de su
# preentrenamiento: vio fotos de seis razas de perros y de tres tipos de gatos. Las cabezas nuevas, con etiquetas
# equilibradas, eran justas en casa. Dejaron de serlo donde cambiaron las imágenes, y allí una cabeza bien puede
# favorecer a la otra especie. Mire, pues, los grupos en **cada** condición de uso.
#
# ### Un atajo en los datos
#
# Ahora un sesgo creado por nosotros. Todos los gatos se fotografiaron de día; todos los perros, de noche. Una cabeza
# aprende de estas imágenes. ¿Qué ha aprendido: la especie o la luz? Con una prueba que tenga la misma costumbre nadie
# puede saberlo. Por eso probamos también al revés: gatos de noche, perros de día.

# %%
how = {"seed": SEED + 2000, "size": IMAGE_SIZE}
by_style = {style: draw_pets(TRAIN_DRAWINGS, style=style, **how) for style in ("photo", "night")}
day_x, night_x = (extract_features(backbone, pets.images, progress=False) for pets in by_style.values())
y = by_style["photo"].species


def biased_training_set(share, seed=SEED):  # so many follow the habit: cats by day, dogs by night
    follows = np.random.default_rng(seed).random(len(y)) < share
    at_night = np.where(follows, y == 1, y == 0)
    return np.where(at_night[:, None], night_x, day_x), at_night


def as_and_against(x, weights=None):  # accuracy on a test with the same habit and on one with the opposite
    p = evaluation.linear_probe(x, y, np.concatenate([new_x["photo"], new_x["night"]]), weights=weights)
    day, night = (part.argmax(1) == species for part in np.split(p, 2))
    groups = {same: np.where(species == 1, night, day), opposite: np.where(species == 1, day, night)}
    return {name: evaluation.wilson_interval(r.mean(), len(r)) for name, r in groups.items()}


same, opposite = ("same habit", "opposite habit") if ENGLISH else ("misma costumbre", "costumbre opuesta")

# %%
groups = {f"{share:.0%}": as_and_against(biased_training_set(share)[0]) for share in (1.0, 0.95, 0.5)}
x, at_night = biased_training_set(0.95)
group = 2 * y + at_night  # the four combinations of species and light
weights = (1 / np.bincount(group, minlength=4).clip(1))[group]
groups["95 %, weighted" if ENGLISH else "95 %, con pesos"] = as_and_against(x, weights / weights.mean())
ax = evaluation_plots.plot_groups(groups, language=LANGUAGE)
full, nearly, balanced, weighted = groups.values()

# %% [markdown] lang="en"
# *Rows: how many of the training pictures follow the habit "cats by day, dogs by night". Marks: accuracy on test
# pictures with the same habit and with the opposite one, with 95 % intervals.*

# %% [markdown] lang="es"
# *Filas: qué porcentaje de las imágenes de entrenamiento sigue la costumbre «gatos de día, perros de noche». Marcas:
# exactitud con imágenes de prueba con la misma costumbre y con la opuesta, con intervalos del 95 %.*

# %%
claim_here(
    "shortcut_looks_perfect",
    100 * full[same].value,
    en="Tested with the same habit, the head that took the shortcut looks excellent",
    es="Probada con la misma costumbre, la cabeza que tomó el atajo parece excelente",
    at_least=95,
    unit="%",
)
claim_here(
    "shortcut_breaks",
    100 * full[opposite].value,
    en="With the opposite habit it is worse than a coin: it learnt day and night",
    es="Con la costumbre opuesta es peor que una moneda al aire: aprendió el día y la noche",
    at_most=30,
    unit="%",
)
claim_here(
    "balance_mends",
    100 * (balanced[opposite].value - nearly[opposite].value),
    en="Balanced data mend it, with as many pictures: much better than data of which 95 % follow the habit",
    es="Los datos equilibrados lo corrigen, sin más imágenes: mucho mejor que si el 95 % sigue la costumbre",
    at_least=10,
    unit=POINTS,
)
claim_here(
    "weights_help",
    100 * (weighted[opposite].value - nearly[opposite].value),
    en="Where a few counterexamples exist, giving each of the four groups the same weight helps",
    es="Donde hay algunos contraejemplos, dar a cada uno de los cuatro grupos el mismo peso ayuda",
    at_least=3,
    unit=POINTS,
)

# %% [markdown] lang="en"
# Real shortcuts of this kind: cows known by their meadows, X-ray pictures by the hospital's marks. No number from the
# same source of data will show them. Collect test pictures where the habit does not hold.
#
# ## What was learnt

# %% [markdown] lang="es"
# Atajos reales de este tipo: vacas reconocidas por el prado, radiografías por las marcas del hospital. Ningún número
# calculado con la misma fuente de datos los mostrará. Reúna imágenes de prueba en las que la costumbre no se cumpla.
#
# ## Qué hemos aprendido

# %% [markdown] lang="en"
# - Images that chose a model flatter it. The test images choose nothing, and are looked at once.
# - Accuracy, precision, recall, F1, AUC and top-k answer different questions. Precision depends on how rare the class
#   is.
# - Every number has an interval. Wilson's keeps its promise near 100 %, where the naive one does not.
# - Two models on the same images are compared pair by pair; seeds are a second source of chance.
# - Training accuracy low: underfitting. A gap to validation: overfitting.
# - Confidence has to be measured. A temperature mends it for pictures of the same kind, and not for others.
# - Report what was compared, on how many images of which kind, at what cost, and where it fails.

# %% [markdown] lang="es"
# - Las imágenes que eligieron un modelo lo favorecen. Las de prueba no eligen nada, y se miran una sola vez.
# - Exactitud, precisión, sensibilidad, F1, AUC y top-k responden a preguntas distintas. La precisión depende de lo
#   rara que sea la clase.
# - Todo número tiene un intervalo. El de Wilson cumple su promesa cerca del 100 %; el ingenuo, no.
# - Dos modelos con las mismas imágenes se comparan imagen a imagen; las semillas son una segunda fuente de azar.
# - Exactitud de entrenamiento baja: subajuste. Una brecha hasta la de validación: sobreajuste.
# - La confianza hay que medirla. Una temperatura la corrige con imágenes del mismo tipo, y no con otras.
# - Informe de qué comparó, con cuántas imágenes y de qué tipo, a qué coste y dónde falla.

# %%
show_quiz("06_evaluation/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - E. B. Wilson, "Probable inference, the law of succession, and statistical inference", *Journal of the American
#   Statistical Association* 22, 1927.
# - L. D. Brown, T. T. Cai and A. DasGupta, "Interval estimation for a binomial proportion", *Statistical Science* 16,
#   2001.
# - Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
#   *Psychometrika* 12, 1947.
# - T. G. Dietterich, "Approximate statistical tests for comparing supervised classification learning algorithms",
#   *Neural Computation* 10, 1998.
# - C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks", *ICML* 2017.
# - Y. Ovadia et al., "Can you trust your model's uncertainty? Evaluating predictive uncertainty under dataset shift",
#   *NeurIPS* 2019.
# - S. Beery, G. Van Horn and P. Perona, "Recognition in terra incognita", *ECCV* 2018.
# - A. D'Amour et al., "Underspecification presents challenges for credibility in modern machine learning", *Journal
#   of Machine Learning Research* 23, 2022.
# - R. Geirhos et al., "Shortcut learning in deep neural networks", *Nature Machine Intelligence* 2, 2020.
# - S. Sagawa, P. W. Koh, T. B. Hashimoto and P. Liang, "Distributionally robust neural networks for group shifts",
#   *ICLR* 2020.

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - E. B. Wilson, «Probable inference, the law of succession, and statistical inference», *Journal of the American
#   Statistical Association* 22, 1927.
# - L. D. Brown, T. T. Cai y A. DasGupta, «Interval estimation for a binomial proportion», *Statistical Science* 16,
#   2001.
# - Q. McNemar, «Note on the sampling error of the difference between correlated proportions or percentages»,
#   *Psychometrika* 12, 1947.
# - T. G. Dietterich, «Approximate statistical tests for comparing supervised classification learning algorithms»,
#   *Neural Computation* 10, 1998.
# - C. Guo, G. Pleiss, Y. Sun y K. Q. Weinberger, «On calibration of modern neural networks», *ICML* 2017.
# - Y. Ovadia et al., «Can you trust your model's uncertainty? Evaluating predictive uncertainty under dataset shift»,
#   *NeurIPS* 2019.
# - S. Beery, G. Van Horn y P. Perona, «Recognition in terra incognita», *ECCV* 2018.
# - A. D'Amour et al., «Underspecification presents challenges for credibility in modern machine learning», *Journal
#   of Machine Learning Research* 23, 2022.
# - R. Geirhos et al., «Shortcut learning in deep neural networks», *Nature Machine Intelligence* 2, 2020.
# - S. Sagawa, P. W. Koh, T. B. Hashimoto y P. Liang, «Distributionally robust neural networks for group shifts»,
#   *ICLR* 2020.
